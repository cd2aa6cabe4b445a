"""The arrays that readers find, checked: which axis is which, what range the pixels have, whether labels are labels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.samples.interface import Source
from ninspect.samples.labels import Labels

# Float images that should end at 1 may overshoot by rounding.
ROUNDING = 1e-3
UNCLEAR = 4.0


def array_source(kind: str, path: Path, images: NDArray[Any], labels: NDArray[Any] | None) -> Source:
    """Images from an array.

    Args:
        kind: as in `Samples`.
        path: where the arrays are from.
        images: `[N, H, W, C]`, `[N, C, H, W]` or `[N, H, W]`; integers in 0–255, or floats in [0, 1] or in [0, 255].
        labels: `[N]` or `[N, 1]` whole numbers or names, `[N, K]` one-hot, or None.

    Raises:
        UsageError: the arrays are none of these.
    """
    from PIL import Image

    pixels = _channels_last(path, images)
    scale = _scale(path, images)

    def read(index: int) -> Image.Image:
        image = np.rint(pixels[index].astype(np.float32) * scale).clip(0, 255).astype(np.uint8)
        return Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)

    names = [f"{path.name}[{index}]" for index in range(len(pixels))]
    checked = None if labels is None else _labels(path, labels, len(pixels))
    return Source(kind, names, checked, read, channels=pixels.shape[-1])


def _channels_last(path: Path, images: NDArray[Any]) -> NDArray[Any]:
    """A view of `images` as `[N, H, W, C]`; C is the last axis if that has 1 or 3 entries, else the second."""
    shape = images.shape
    if 0 in shape:
        raise UsageError(f"the image array in {path} is empty, {shape}; give at least one image")
    if len(shape) == 3 and shape[-1] not in (1, 3):
        return images[..., np.newaxis]
    if len(shape) == 4 and shape[-1] in (1, 3):
        return images
    if len(shape) == 4 and shape[1] in (1, 3):
        return np.moveaxis(images, 1, -1)
    raise UsageError(
        f"the image array in {path} has shape {shape}; reshape it to (N, H, W, C) or (N, C, H, W) "
        "with 1 or 3 channels, or to (N, H, W)"
    )


def _scale(path: Path, images: NDArray[Any]) -> float:
    """What takes the values to 0–255: 255 for floats in [0, 1] and for zeros and ones, otherwise 1."""
    if images.dtype.kind not in "iuf":
        raise UsageError(f"the image array in {path} holds {images.dtype}; save it as uint8, or as floats in [0, 1]")
    low, high = float(images.min()), float(images.max())
    if not math.isfinite(low) or not math.isfinite(high):
        first = next(index for index, image in enumerate(images) if not np.isfinite(image).all())
        raise UsageError(f"image {first} in {path} has pixels that are NaN or infinite; remove it or correct the array")
    floating = images.dtype.kind == "f"
    # Floats that end a little above 1 are neither: almost black in 0–255, and too bright for [0, 1].
    if not 0 <= low <= high <= 255 or (floating and 1 + ROUNDING < high <= UNCLEAR):
        raise UsageError(
            f"the image array in {path} ranges from {low:g} to {high:g}; give pixels in 0–255 or in [0, 1], "
            "not yet normalised"
        )
    return 255.0 if high == 1 or (floating and high <= 1 + ROUNDING) else 1.0


def _labels(path: Path, labels: NDArray[Any], count: int) -> Labels:
    """What an array says of `count` images."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and _one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.shape != (count,):
        raise UsageError(
            f"the labels in {path} have shape {labels.shape} for {count} images; give one class number per image"
        )
    if labels.dtype.kind in "US":
        return Labels.of_texts([_text(label) for label in labels.tolist()])
    if labels.dtype.kind not in "iuf":
        raise UsageError(
            f"the labels in {path} are {labels.dtype}, neither class numbers nor names; give whole numbers from 0"
        )
    wrong = np.flatnonzero(~((labels >= 0) & (labels < 2**31) & (np.rint(labels) == labels)))
    if wrong.size:
        raise UsageError(
            f"label {labels[wrong[0]]} of image {wrong[0]} in {path} is not a class number; give whole numbers from 0"
        )
    return Labels.of_numbers(labels.astype(np.int64))


def _text(label: str | bytes) -> str:
    return label if isinstance(label, str) else label.decode("utf-8", "replace")


def _one_hot(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind not in "biuf":
        return False
    return bool(((labels == 0) | (labels == 1)).all() and ((labels == 1).sum(axis=1) == 1).all())
