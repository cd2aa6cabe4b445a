"""Pictures that a person can read: PNGs of images, masks and heatmaps."""

from __future__ import annotations

import io
from typing import IO

import numpy as np
from numpy.typing import NDArray

_SMALLEST_SIDE = 224
_EXACT_SIDE = 64  # pictures with a longer side have at most 256 colours, which makes them a third as large
# Black, red, yellow, white, as in a furnace: brightness alone tells the order, so it survives grey printing.
_COLOURS = np.array([[0, 0, 0], [200, 30, 0], [255, 200, 0], [255, 255, 255]], np.float32)


def save_overlay(stream: IO[bytes], image: NDArray[np.float32], heatmap: NDArray[np.float32]) -> None:
    """Write a PNG: the image beside the heatmap laid over its dimmed grey version.

    Args:
        stream: where to write.
        image: `[H, W, C]` in [0, 1], C is 1 or 3.
        heatmap: `[H, W]` in [0, 1].
    """
    from PIL import Image

    rgb = np.broadcast_to(image, (*image.shape[:2], 3))
    pair = np.concatenate([rgb, overlay(image, heatmap)], axis=1)
    scale = max(1, -(-_SMALLEST_SIDE // min(image.shape[:2])))
    picture = Image.fromarray(_bytes(pair))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    picture.save(stream, format="PNG")


def overlay(image: NDArray[np.float32], heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """The heatmap laid over the dimmed grey image, `[H, W, 3]` in [0, 1].

    Args:
        image: `[H, W, C]` in [0, 1], C is 1 or 3.
        heatmap: `[H, W]` in [0, 1].
    """
    heat = heatmap[..., None]
    grey = image.mean(axis=-1, keepdims=True) * np.float32(0.35)
    return np.asarray(grey * (1 - heat) + _colour(heatmap) / 255 * heat, np.float32)


def png(image: NDArray[np.float32], largest_side: int) -> bytes:
    """A PNG of an image, shrunk where a side is longer than `largest_side`; up to 64 pixels a side it is exact.

    Args:
        image: `[H, W]` or `[H, W, C]` in [0, 1], C is 1 or 3.
        largest_side: in pixels.
    """
    from PIL import Image

    picture = Image.fromarray(_bytes(image[..., 0] if image.shape[2:] == (1,) else image))
    picture.thumbnail((largest_side, largest_side), Image.Resampling.BOX)
    if picture.mode == "RGB" and max(picture.size) > _EXACT_SIDE:
        picture = picture.quantize(256)
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def _colour(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[H, W]` in [0, 1] to `[H, W, 3]` in [0, 255]."""
    stops = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(heatmap, stops, _COLOURS[:, c]) for c in range(3)], axis=-1).astype(np.float32)
