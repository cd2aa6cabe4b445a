"""What NeuronInspect measures on explanation heatmaps: how sparse, smooth and persistent they are.

Pure functions on arrays, and one accumulator that sees each heatmap once, so that memory does not grow with the number
of images. Source: Huang, Alzantot, Srivastava, "NeuronInspect", arXiv 1911.07399; the formulas are a reconstruction
(docs/method.md says what is known).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def heatmaps(gradients: Array) -> NDArray[np.float32]:
    """Heatmaps h = max over channels |∂z/∂x|, scaled to [0, 1] per map by its minimum and maximum.

    Args:
        gradients: `[..., H, W, C]`.

    Returns:
        `[..., H, W]` float32 in [0, 1]; a map without contrast becomes zeros.
    """
    maps = np.abs(gradients).max(axis=-1)
    low = maps.min(axis=(-2, -1), keepdims=True)
    span = maps.max(axis=(-2, -1), keepdims=True) - low
    scaled = np.zeros(maps.shape, np.float32)
    np.divide(maps - low, span, out=scaled, where=span > 0)
    return scaled


def sparse(maps: Array) -> NDArray[np.float64]:
    """Σ |h| over the pixels: small when few pixels matter.

    Args:
        maps: `[..., H, W]`.

    Returns:
        `[...]`, from 0 to H·W.
    """
    return np.asarray(np.abs(maps).sum(axis=(-2, -1), dtype=np.float64))


def smooth(maps: Array) -> NDArray[np.float64]:
    """Σ |L ∗ h| with the 4-neighbour Laplacian L, no padding: small when the map has no fine structure.

    Args:
        maps: `[..., H, W]`, H and W at least 3.

    Returns:
        `[...]`, from 0 to 8·(H−2)·(W−2).
    """
    neighbours = maps[..., :-2, 1:-1] + maps[..., 2:, 1:-1] + maps[..., 1:-1, :-2] + maps[..., 1:-1, 2:]
    return np.asarray(np.abs(neighbours - 4 * maps[..., 1:-1, 1:-1]).sum(axis=(-2, -1), dtype=np.float64))


def of_strongest(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each map of `[S, H, W]`, not negative, as shares of its largest value; zeros stay zeros."""
    strongest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(maps, strongest, out=np.zeros_like(maps), where=strongest > 0))


def peak(maps: Array) -> NDArray[np.float64]:
    """Largest sum over a box of 3×3 pixels, as a share of the whole map.

    Args:
        maps: `[..., H, W]`, not negative, H and W at least 3.

    Returns:
        `[...]`, from 9 / (H·W) to 1; not a number for a map of zeros.
    """
    return strongest_box(maps)[0]


def strongest_box(maps: Array) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The `peak` of maps `[..., H, W]`, and row and column of the middle of its box, `[..., 2]`."""
    boxes = np.lib.stride_tricks.sliding_window_view(maps, (3, 3), axis=(-2, -1)).sum(axis=(-2, -1), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        share = np.asarray(boxes.max(axis=(-2, -1)) / maps.sum(axis=(-2, -1), dtype=np.float64))
    strongest = boxes.reshape(*boxes.shape[:-2], -1).argmax(axis=-1)
    return share, np.stack(np.unravel_index(strongest, boxes.shape[-2:]), axis=-1) + 1


def persistent_chained(parity: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Σ (b₁ ⊕ b₂ ⊕ … ⊕ b_N) over the pixels, as published; with more than two images only a parity bit.

    Args:
        parity: `[..., H, W]`, the exclusive or of all binarised maps.
    """
    return np.asarray(parity.sum(axis=(-2, -1), dtype=np.float64))


def persistent_pairwise(ones: NDArray[np.integer], images: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean over pairs of images of Σ (bᵢ ⊕ bⱼ): small when the same pixels matter in every image.

    Equal to Σ 2·p·(1 − p)·N/(N − 1) with p the share of images whose bit is set, so one running count suffices.

    Args:
        ones: `[..., H, W]`, in how many images each bit is set.
        images: `[...]`, number of images N, at least 2 (else the result is not a number).
    """
    n = images.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ones / n[..., None, None]
        distance: NDArray[np.float64] = (2 * share * (1 - share)).sum(axis=(-2, -1)) * n / (n - 1)
    return distance


@dataclass(frozen=True)
class Features:
    """Features of each class, means over its images.

    Attributes:
        sparse, smooth, persistent, persistent_chained: `[K]` float64; not a number where nothing was measured.
        images: `[K]` int64, how many images gave a heatmap with any contrast.
    """

    sparse: NDArray[np.float64]
    smooth: NDArray[np.float64]
    persistent: NDArray[np.float64]
    persistent_chained: NDArray[np.float64]
    images: NDArray[np.int64]


class FeatureSums:
    """Running sums of the features of K classes.

    Args:
        classes: K.
        shape: (H, W) of the heatmaps.
        threshold: a bit of the binarised map is h > threshold.
    """

    def __init__(self, classes: int, shape: tuple[int, int], threshold: float) -> None:
        self._threshold = threshold
        self._sparse = np.zeros(classes)
        self._smooth = np.zeros(classes)
        self._ones = np.zeros((classes, *shape), np.int32)
        self._parity = np.zeros((classes, *shape), np.bool_)
        self._images = np.zeros(classes, np.int64)

    def add(self, classes: slice, maps: NDArray[np.float32]) -> None:
        """Add heatmaps `[S, N, H, W]` of S classes at N images; maps without contrast say nothing and are left out."""
        measured = maps.max(axis=(-2, -1)) > 0
        bits = maps > self._threshold
        self._sparse[classes] += sparse(maps).sum(axis=1)
        self._smooth[classes] += smooth(maps).sum(axis=1)
        self._ones[classes] += bits.sum(axis=1, dtype=np.int32)
        self._parity[classes] ^= np.logical_xor.reduce(bits, axis=1)
        self._images[classes] += measured.sum(axis=1)

    def features(self) -> Features:
        """The features of what was added so far."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return Features(
                sparse=self._sparse / self._images,
                smooth=self._smooth / self._images,
                persistent=persistent_pairwise(self._ones, self._images),
                persistent_chained=np.where(self._images > 0, persistent_chained(self._parity), np.nan),
                images=self._images,
            )
