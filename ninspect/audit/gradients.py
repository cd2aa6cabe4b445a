"""Gradients of arrays, for notebooks: one call, no session to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ninspect.audit.open import open_network
from ninspect.errors import UsageError
from ninspect.gradient import Objective
from ninspect.requests import ScanRequest
from ninspect.runtime import Network


def gradients(
    model: Path | str | ScanRequest | Network,
    images: ArrayLike,
    classes: Sequence[int] | int | None = None,
    objective: Objective = "logit",
    **options: Any,
) -> NDArray[np.float32]:
    """The derivative of class scores with respect to the pixels of images.

    Args:
        model: path of an ONNX file, or what `open_network` made of one, which saves time where there are several calls.
        images: `[N, H, W, C]`, uint8, or float in [0, 1].
        classes: S class indices, or one; None: all.
        objective: what of a class is differentiated: `logit`, `margin`, `logprob` or `cross_entropy`.
        options: with a path, fields of `ScanRequest`: `preprocess`, `output`, `device`, `memory`.

    Returns:
        `[S, N, H, W, C]`, per pixel in [0, 1]. All of it is held in memory; `Network.gradients` comes in pieces.

    Raises:
        UsageError: the images or the classes do not fit the model.
        ModelError: the model cannot be analysed.

    >>> import numpy as np
    >>> gradients("models/digits/clean_torch.onnx", np.zeros((2, 28, 28, 1), np.uint8), classes=[3]).shape
    (1, 2, 28, 28, 1)
    """
    network = model if isinstance(model, Network) else open_network(model, **options)
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
    chosen = np.arange(network.classes) if classes is None else np.atleast_1d(np.asarray(classes, np.int64))
    if not len(chosen):
        raise UsageError("no class was chosen; name one, or leave classes out for all")
    if not (chosen.min() >= 0 and chosen.max() < network.classes):
        raise UsageError(f"a class is out of range; the model has the classes 0 to {network.classes - 1}")
    return network.jacobian(pixels, chosen, objective)
