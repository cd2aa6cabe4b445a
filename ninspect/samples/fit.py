"""Decoded images brought to the size and the channels that the model wants, by Pillow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.preprocess.settings import Preprocess

if TYPE_CHECKING:
    from PIL.Image import Image


def fit(image: Image, name: str, image_shape: tuple[int, int, int], settings: Preprocess) -> NDArray[np.uint8]:
    """`image` as `[H, W, C]` uint8.

    Raises:
        UsageError: the image has another size and `resize` is `none`, or `resize_to` is smaller than the image wanted.
        ValueError: resized, the image would be larger than Pillow's limit.
    """
    height, width, channels = image_shape
    image = image.convert("L" if channels == 1 else "RGB")
    if settings.resize == "none":
        if image.size != (width, height):
            raise UsageError(
                f"{name} is {image.height}×{image.width}, the model wants {height}×{width}: "
                "choose a resize filter, or give images of that size"
            )
    else:
        image = _resized(image, (width, height), settings)
    return np.asarray(image).reshape(image_shape)


def _resized(image: Image, size: tuple[int, int], settings: Preprocess) -> Image:
    """The image of (width, height) pixels: resized, or resized to `resize_to` and then its middle."""
    from PIL import Image
    from PIL.Image import Resampling

    target = size
    if isinstance(settings.resize_to, int):
        short, long = sorted(image.size)
        sides = settings.resize_to, settings.resize_to * long // short
        target = sides if image.width <= image.height else sides[::-1]
    elif settings.resize_to is not None:
        target = settings.resize_to[::-1]
    if target[0] < size[0] or target[1] < size[1]:
        raise UsageError(
            f"resize_to makes images of {target[1]}×{target[0]}, smaller than the {size[1]}×{size[0]} that the model "
            "wants; give a larger one"
        )
    if math.prod(target) > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise ValueError(f"resized, it would be {target[1]}×{target[0]}, too large")
    if image.size != target:
        image = image.resize(target, Resampling[settings.resize.upper()])
    left, top = (target[0] - size[0]) // 2, (target[1] - size[1]) // 2
    return image if target == size else image.crop((left, top, left + size[0], top + size[1]))
