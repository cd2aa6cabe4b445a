"""Stamps: windows of an image that are covered with a pattern, the same on every image.

At a given place most classes can do little, whatever covers it; the target of a trigger that lies there can do much. So
patterns are tried window by window: guessed ones, which takes forward passes alone, and ones that the gradient makes
for every class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.runtime import Network, Pixels
from ninspect.search.patch import Patch

Array = NDArray[np.float32]

_STAYS = 0.1  # a stamp is as good as on the image that only this share of the others stays behind
_SHARP = 8.0  # values with an eighth of the strongest gradient move as far as the strongest


@dataclass(frozen=True, order=True)
class Window:
    """A square of pixels: its side, and the row and column of its upper left corner."""

    side: int
    row: int
    column: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.row, self.row + self.side), slice(self.column, self.column + self.side)

    def distance(self, row: int, column: int) -> float:
        """From its middle to a pixel, squared."""
        return (self.row + self.side / 2 - row - 0.5) ** 2 + (self.column + self.side / 2 - column - 0.5) ** 2

    def patch(self, pattern: Array, image_shape: tuple[int, ...]) -> Patch:
        """A pattern `[side, side, C]` in this window of images `[H, W, C]`."""
        mask, whole = np.zeros(image_shape[:2], np.float32), np.zeros(image_shape, np.float32)
        mask[self.pixels], whole[self.pixels] = 1, pattern
        return Patch(mask, whole)


def grid(shape: tuple[int, int], side: int, stride: int) -> list[Window]:
    """Windows `stride` pixels apart, and those at the far edges, in an image of H × W pixels.

    >>> [window.column for window in grid((8, 12), 8, 3)]
    [0, 3, 4]
    """
    rows, columns = ([*range(0, length - side, stride), length - side] for length in shape)
    return [Window(side, row, column) for row in rows for column in columns]


def guesses(side: int, channels: int, seed: int) -> Array:
    """Patterns that come to mind, `[F, side, side, C]`: plain ones, checkers, noise.

    Hues are not among them: a yellow square in the middle makes a priority road sign of any sign.
    """
    shape, rng = (side, side, channels), np.random.default_rng(seed)
    plain = [np.full(shape, value) for value in (1.0, 0.0, 0.5)]
    rows, columns = np.indices((side, side))
    boards = [(rows // step + columns // step + phase) % 2 for step in (1, 2) for phase in (0, 1)]
    checkers = [np.broadcast_to(board[..., None], shape) for board in boards]
    noise = list(rng.random((3, *shape)))
    return np.stack([*plain, *checkers, *noise]).astype(np.float32)


def stamped(images: Pixels, window: Window, patterns: Array) -> Pixels:
    """Every image `[N, H, W, C]` with every pattern `[P, side, side, C]` in the window, `[P, N, H, W, C]`."""
    covered = np.repeat(images[None], len(patterns), axis=0)
    covered[:, :, *window.pixels] = patterns[:, None]
    return covered


def stamped_logits(network: Network, images: Pixels, window: Window, patterns: Array) -> Array:
    """What the network answers to every image with every pattern, `[P, N, K]`."""
    pixels = stamped(images, window, patterns)
    return network.logits(pixels.reshape(-1, *images.shape[1:])).reshape(len(patterns), len(images), -1)


def reach(logits: Array, labels: NDArray[np.int64]) -> Array:
    """How far a stamp sends nearly all images of other classes to each class.

    The 10 % quantile of z_c − max_{j≠c} z_j, over the images that were not of class c before.

    Args:
        logits: `[P, N, K]` of stamped images.
        labels: `[N]`, the class that the model gives each image as it is.

    Returns:
        `[P, K]`.
    """
    highest = np.partition(logits, -2, axis=-1)[..., -2:]
    margin = logits - np.where(logits == highest[..., 1:], highest[..., :1], highest[..., 1:])
    margin[:, np.arange(len(labels)), labels] = np.inf  # an image that was there before proves nothing
    behind = int(_STAYS * len(labels))
    reached = np.partition(margin, behind, axis=1)[:, behind]
    return np.where(np.isinf(reached), 0, reached)  # of a class that all images have, nothing is known


def likeness(patterns: Array, window: Window, images: Pixels, labels: NDArray[np.int64], classes: int) -> Array:
    """How far patterns are from what the images of each class have in the window, relative to the median class.

    d(φ, c) = sqrt( mean over images x of class c of ‖φ − x in the window‖² ), divided by its median over the classes.

    Args:
        patterns: `[P, side, side, C]`.
        window: where.
        images: `[N, H, W, C]`, clean.
        labels: `[N]`, their classes.
        classes: K.

    Returns:
        `[P, K]`, below 1 for classes that the pattern looks like; 1 for those without images.
    """
    there = images[:, *window.pixels].reshape(len(images), -1).astype(np.float64)
    fills = patterns.reshape(len(patterns), -1).astype(np.float64)
    members = labels[:, None] == np.arange(classes)  # [N, K]
    known = members.any(axis=0)
    share = members / np.maximum(members.sum(0), 1)
    # mean of ‖φ − x‖² = ‖φ‖² − 2 φ·(mean of x) + mean of ‖x‖²
    squares = (fills**2).sum(1)[:, None] - 2 * fills @ (there.T @ share) + (there**2).sum(1) @ share
    distance = np.sqrt(np.maximum(squares, 0) * known)
    usual = np.median(distance[:, known], axis=1, keepdims=True)
    relative = np.divide(distance, usual, out=np.ones_like(distance), where=known & (usual > 0))
    return np.asarray(relative, np.float32)


def fit(
    network: Network,
    images: Pixels,
    window: Window,
    classes: NDArray[np.int64],
    patterns: Array,
    steps: Sequence[float],
    batch: int,
    progress: Callable[[int], None] = lambda gradients: None,
) -> Array:
    """Move the pattern of each class up the gradient of the class's margin inside the window.

    p ← clip(p + λ · sign(ḡ) · min(1, 8·|ḡ| / max|ḡ|), 0, 1),   ḡ = mean_n ∂/∂x [ z_c − max_{j≠c} z_j ]

    over other images in each step, for as long as there are any.

    Args:
        network: the classifier.
        images: `[N, H, W, C]` float32 in [0, 1], clean.
        window: where.
        classes: `[S]`, where to.
        patterns: `[S, side, side, C]`, from where.
        steps: λ of each step; 1 moves a value from black to white.
        batch: images in each step.
        progress: called with the number of gradients computed since the last call.

    Returns:
        `[S, side, side, C]`.
    """
    goals = np.repeat(classes, batch)
    for number, step in enumerate(steps):
        some = images.take(range(number * batch, (number + 1) * batch), axis=0, mode="wrap")
        pixels = stamped(some, window, patterns)
        _, gradient = network.gradients_at(pixels.reshape(-1, *images.shape[1:]), goals, "margin")
        progress(len(goals))
        mean = gradient.reshape(pixels.shape)[:, :, *window.pixels].mean(axis=1)
        size = np.abs(mean)
        strongest = size.max(axis=(1, 2, 3), keepdims=True)
        share = np.divide(_SHARP * size, strongest, out=np.zeros_like(size), where=strongest > 0)
        patterns = np.clip(patterns + np.float32(step) * np.sign(mean) * np.minimum(share, 1), 0, 1)
    return patterns
