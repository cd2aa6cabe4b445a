"""Where in a picture a trigger may be: where the scan recovered it, and where the picture's own answer comes from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ninspect.carriers.exchange import Partners
from ninspect.measure.calibration import SCREEN
from ninspect.runtime import Network, Pixels

Array = NDArray[np.float32]
HEATMAP = "heatmap"  # the spot that differs from picture to picture


def covered(mask: Array) -> Array:
    """The pixels `[H, W]` that a recovered mask covers at least half as much as any, and those around them.

    The mask is the smallest that works, so the trigger that an attacker used is often a little larger.
    """
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask >= mask.max() / 2, np.ones((3, 3), np.bool_)), np.float32)


def looked_at(network: Network, pictures: Pixels, answers: NDArray[np.int64], partners: Partners) -> Array:
    """The window of each picture that its answer comes from most, `[N, H, W]`: 1 inside, 0 outside.

        heat = max over channels of |g · (x − ȳ)|,   g = ∂ margin of the answer / ∂x,  ȳ: mean of the partners

    Args:
        network: the classifier.
        pictures: `[N, H, W, C]` float32 in [0, 1].
        answers: `[N]`, the classes that the model gives them.
        partners: what a picture is compared with.
    """
    _, gradient = network.gradients_at(pictures, answers, "margin")
    heat = np.abs(gradient * (pictures - partners.pixels.mean(axis=0))).max(axis=-1)
    return strongest_windows(heat, max(1, round(SCREEN.window * min(heat.shape[1:]))))


def strongest_windows(maps: Array, side: int) -> Array:
    """The window of side × side pixels with the largest sum of each map `[N, H, W]`, as `[N, H, W]` of 0 and 1."""
    windows = np.lib.stride_tricks.sliding_window_view(maps, (side, side), axis=(1, 2)).sum(axis=(-2, -1))
    row, column = np.divmod(windows.reshape(len(maps), -1).argmax(axis=1), windows.shape[2])
    height, width = maps.shape[1:]
    rows, columns = np.arange(height) - row[:, None], np.arange(width) - column[:, None]
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    return np.asarray(inside, np.float32)
