"""Gradients of arrays of images, checked before they are computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ninspect.errors import UsageError
from ninspect.gradient import Objective
from ninspect.runtime import Network


def gradients_of(
    network: Network, images: ArrayLike, classes: Sequence[int] | int | None, objective: Objective
) -> NDArray[np.float32]:
    """The derivative of class scores with respect to the pixels of images, as `ninspect.gradients` documents it.

    Args:
        network: the classifier.
        images: `[N, H, W, C]`, uint8, or float in [0, 1].
        classes: S class indices, or one; None: all.
        objective: what of a class is differentiated.

    Returns:
        `[S, N, H, W, C]`, per pixel in [0, 1].

    Raises:
        UsageError: the images or the classes do not fit the model.

    >>> import ninspect
    >>> network = ninspect.open_network("models/digits/clean_torch.onnx")
    >>> gradients_of(network, np.zeros((2, 28, 28, 1), np.uint8), [3], "logit").shape
    (1, 2, 28, 28, 1)
    """
    given, shape = np.asarray(images), network.input_map.image_shape
    if given.shape[1:] != shape:
        expected = ", ".join(map(str, shape))
        raise UsageError(
            f"the images have the shape {list(given.shape)}, and [N, {expected}] is needed: channels come last, "
            "whatever the model's own layout is"
        )
    pixels = given.astype(np.float32) / np.float32(255 if given.dtype == np.uint8 else 1)
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 1):
        raise UsageError("the images have values outside 0 to 1; divide them by 255, or give uint8")
    try:
        chosen = np.arange(network.classes) if classes is None else np.atleast_1d(np.asarray(classes, np.int64))
    except (TypeError, ValueError):
        raise UsageError(f"classes {classes!r} are no numbers of classes") from None
    if not len(chosen):
        raise UsageError("no class was chosen; name one, or leave classes out for all")
    if not (chosen.min() >= 0 and chosen.max() < network.classes):
        raise UsageError(f"a class is out of range; the model has the classes 0 to {network.classes - 1}")
    return network.jacobian(pixels, chosen, objective)
