"""Directions in which images are moved, and how far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unit(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each image of `[N, H, W, C]` divided by its Euclidean norm; zeros stay zeros.

    The squares are summed in float64: in float32 those of a gradient of 1e-23 vanish, and those of 1e20 overflow.
    """
    norm = np.sqrt(np.einsum("nhwc,nhwc->n", images, images, dtype=np.float64))[:, None, None, None]
    return np.asarray(np.divide(images, norm, out=np.zeros_like(images), where=norm > 0, casting="same_kind"))


def each(gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """g / ‖g‖₂ of every start `[S, M, H, W, C]`."""
    return unit(gradients.reshape(-1, *gradients.shape[2:])).reshape(gradients.shape)


def alike(gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """ḡ / ‖ḡ‖₂, `[S, 1, H, W, C]`, with ḡ the mean over the starts `[S, M, H, W, C]`.

    A trigger is the same on every image, while what makes an image more like a natural class depends on the image.
    """
    return each(gradients.mean(axis=1, keepdims=True))


def step_length(length: float, values: int) -> np.float32:
    """ε = length · √(values / 784): the same change of a pixel, in root mean square, whatever the size of an image.

    Args:
        length: for an image of 784 values; 1 is one pixel from black to white.
        values: of the image at hand.
    """
    return np.float32(length * np.sqrt(values / 784))
