"""Pictures of heatmaps that a person can read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.files import replace_file

_SMALLEST_SIDE = 224
# Black, red, yellow, white, as in a furnace: brightness alone tells the order, so it survives grey printing.
_COLOURS = np.array([[0, 0, 0], [200, 30, 0], [255, 200, 0], [255, 255, 255]], np.float32)


def save_overlay(path: Path, image: NDArray[np.float32], heatmap: NDArray[np.float32]) -> None:
    """Write a PNG: the image beside the heatmap laid over its dimmed grey version.

    Args:
        path: where to write; replaced as a whole or not at all.
        image: `[H, W, C]` in [0, 1], C is 1 or 3.
        heatmap: `[H, W]` in [0, 1].

    Raises:
        UsageError: the file cannot be written.
    """
    from PIL import Image

    rgb = np.broadcast_to(image * 255, (*image.shape[:2], 3))
    heat = _colour(heatmap)
    grey = rgb.mean(axis=-1, keepdims=True) * 0.35
    overlay = grey * (1 - heatmap[..., None]) + heat * heatmap[..., None]
    pair = np.concatenate([rgb, overlay], axis=1)
    scale = max(1, -(-_SMALLEST_SIDE // min(image.shape[:2])))
    picture = Image.fromarray(np.clip(np.rint(pair), 0, 255).astype(np.uint8))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    replace_file(path, lambda stream: picture.save(stream, format="PNG"))


def _colour(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[H, W]` in [0, 1] to `[H, W, 3]` in [0, 255]."""
    stops = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(heatmap, stops, _COLOURS[:, c]) for c in range(3)], axis=-1).astype(np.float32)
