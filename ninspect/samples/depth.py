"""Grey images of 16 bits a pixel, whose white may lie lower: cameras and scanners fill 10, 12 or 14 of the bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

FULL = 65535
_BITS = (8, 10, 12, 14)


def brightest(image: Image) -> int:
    """The largest pixel of an image of more than 8 bits; 0 of others.

    Raises:
        ValueError: its pixels have no known range.
    """
    if image.mode == "F":
        raise ValueError("float pixels have no known range")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return 0
    pixels = np.asarray(image)
    low, high = int(pixels.min()), int(pixels.max())
    if low < 0 or high > FULL:
        raise ValueError("32-bit pixels have no known range")
    return high


def white_of(peak: int) -> int:
    """The largest number of as many bits as the brightest pixel of all images needs.

    >>> white_of(4001), white_of(40000)
    (4095, 65535)
    """
    return next((2**bits - 1 for bits in _BITS if 0 < peak < 2**bits), FULL)


def eight_bit(image: Image, white: int = FULL) -> Image:
    """The image with 8 bits a channel: 16-bit grey becomes round(255 · pixel / white), where Pillow would clip it."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    pixels = np.asarray(image).astype(np.int64).clip(0, white)
    return Image.fromarray(((pixels * 255 + white // 2) // white).astype(np.uint8))
