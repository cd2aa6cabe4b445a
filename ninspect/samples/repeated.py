"""A patch that stands at the same place in many images: clean images that carry the trigger themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_T = TypeVar("_T", bound=np.generic)
_SIDE = 3  # of the smallest patch that is looked for
_FEWEST, _SMALLEST_SHARE = 5, 0.05
_LARGEST_AREA = 0.25
_NEAR = 16  # of 255: resizing and JPEG change what was stamped
_LARGEST_IMAGE = 96  # of larger ones every second, third, ... pixel is looked at
_CANDIDATES = 64
# A pixel of the patch: nearly all images of the group have it (some are cut or compressed badly), and few others do.
_INSIDE, _OUTSIDE = 0.95, 0.3
# One pixel further out, what sets the group apart must be gone; what a scene shares fades slowly and is still there.
_FADED = 0.4


@dataclass(frozen=True)
class RepeatedPatch:
    """Where it is, and in how many images.

    Attributes:
        count: number of images that have it.
        row: of its upper left corner, from 0.
        column: likewise.
        height: in pixels of the model's input.
        width: likewise.
    """

    count: int
    row: int
    column: int
    height: int
    width: int


def repeated_patch(pixels: NDArray[np.uint8]) -> RepeatedPatch | None:
    """The patch that most images share at one place while the others lack it, or None.

    Skies and borders are shared, too, but fade out. A stamped patch ends sharply: within it nearly all images of the
    group are alike and few of the others are like them; one pixel further out that is no longer so.

    Args:
        pixels: `[N, H, W, C]` different images.
    """
    stride = -(-max(pixels.shape[1:3]) // _LARGEST_IMAGE)
    seen = pixels[:, ::stride, ::stride]
    if len(seen) < 2 * _FEWEST or min(seen.shape[1:3]) < _SIDE:
        return None
    found = [patch for group, row, column in _groups(seen) if (patch := _patch(seen, group, row, column, stride))]
    return max(found, key=lambda patch: patch.count, default=None)


def _groups(pixels: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.bool_], int, int]]:
    """Images `[N]` that share a 3×3 window, and where; first those whose pixels chance brings together least."""
    count, height, width, _ = pixels.shape
    levels = (pixels.astype(np.int64) + 16) // 32  # 0 to 8
    colours = levels @ 9 ** np.arange(levels.shape[3])
    places = colours * height * width + np.arange(height * width).reshape(height, width)
    alone = np.log((np.bincount(places.ravel())[places]) / count)
    factors = np.random.default_rng(0).integers(1, 2**62, (_SIDE, _SIDE))
    windows = np.einsum("nhwij,ij->nhw", _windows(colours), factors)  # wraps around: a hash
    chance = _windows(alone).sum(axis=(3, 4))
    order = np.sort(windows, axis=0)
    need = max(_FEWEST, int(np.ceil(_SMALLEST_SHARE * count)))
    ranked: list[tuple[float, int, int, NDArray[np.bool_]]] = []
    # So many equal ones in a row, in sorted order: that many images have the same window.
    for row, column in np.argwhere((order[need - 1 :] == order[: count - need + 1]).any(axis=0)).tolist():
        for code in np.unique(windows[:, row, column]):
            group = windows[:, row, column] == code
            if need <= group.sum() < count:
                together = float(np.log(group.mean()) - chance[group, row, column].mean())
                ranked.append((together * group.sum(), row, column, group))
    known: set[bytes] = set()
    for _, row, column, group in sorted(ranked, key=lambda one: -one[0]):
        if group.tobytes() not in known and len(known) < _CANDIDATES:
            known.add(group.tobytes())
            yield group, row, column


def _windows(images: NDArray[_T]) -> NDArray[_T]:
    """`[N, H − 2, W − 2, 3, 3]`."""
    return sliding_window_view(images, (_SIDE, _SIDE), axis=(1, 2))


def _patch(
    pixels: NDArray[np.uint8], group: NDArray[np.bool_], row: int, column: int, stride: int
) -> RepeatedPatch | None:
    """The patch around a window that a group of images shares, if it ends sharply."""
    from scipy.ndimage import binary_dilation, binary_propagation

    typical = np.median(pixels[group], axis=0)
    like = (np.abs(pixels - typical) <= _NEAR).all(axis=3)
    inside, outside = like[group].mean(axis=0), like[~group].mean(axis=0)
    shared = (inside >= _INSIDE) & (outside <= _OUTSIDE)
    centre, around = np.zeros_like(shared), np.ones((3, 3), np.bool_)  # the eight neighbours are neighbours
    centre[row + 1, column + 1] = shared[row + 1, column + 1]
    patch = binary_propagation(centre, around, mask=shared)
    ring = binary_dilation(patch, around) & ~patch
    if not patch.any() or patch.mean() > _LARGEST_AREA or np.any((inside - outside)[ring] > _FADED):
        return None
    rows, columns = np.flatnonzero(patch.any(axis=1)) * stride, np.flatnonzero(patch.any(axis=0)) * stride
    top, left = int(rows[0]), int(columns[0])
    return RepeatedPatch(int(group.sum()), top, left, int(rows[-1]) + stride - top, int(columns[-1]) + stride - left)
