"""Points where a class is explained: images moved a few steps toward it.

At a clean image the units that detect an opaque trigger are often dead, with a gradient of exactly zero. A few steps of
ascent on the class's margin wake them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.runtime import Network, Pixels
from ninspect.runtime.direction import unit

_MEMORY = 64 * 1024**2  # for the points of the classes that are moved together


@dataclass(frozen=True)
class Ascent:
    """Where the ascent for some classes ended.

    Attributes:
        classes: which of the classes that were asked for, S of them.
        margin: `[S, M]`, z_c − max_{j≠c} z_j at the end points.
        gradient: `[S, M, H, W, C]`, its derivative there.
    """

    classes: slice
    margin: NDArray[np.float32]
    gradient: NDArray[np.float32]


def ascend(
    network: Network,
    starts: Pixels,
    classes: NDArray[np.int64],
    steps: int,
    length: float,
    progress: Callable[[int], None],
) -> Iterator[Ascent]:
    """Move every start toward every class, a few classes at a time.

    x ← clip(x + ε · g / ‖g‖₂, 0, 1),  g = ∂/∂x [z_c − max_{j≠c} z_j],  ε = length · √(number of values / 784)

    Args:
        network: the classifier.
        starts: `[M, H, W, C]` float32 in [0, 1].
        classes: `[S]` class indices.
        steps: number of steps.
        length: of a step, for an image of 784 values; 1 is one pixel from black to white.
        progress: called with the number of gradients computed since the last call.
    """
    epsilon = np.float32(length * np.sqrt(starts[0].size / 784))
    together = max(1, _MEMORY // starts.nbytes)
    for first in range(0, len(classes), together):
        some = slice(first, min(first + together, len(classes)))
        asked = np.repeat(classes[some], len(starts))
        points = np.tile(starts, (some.stop - some.start, 1, 1, 1))
        margin, gradient = network.gradients_at(points, asked, "margin")
        for _ in range(steps):
            progress(len(points))
            points = np.clip(points + epsilon * unit(gradient), 0, 1)
            margin, gradient = network.gradients_at(points, asked, "margin")
        progress(len(points))
        shape = (some.stop - some.start, len(starts))
        yield Ascent(some, margin.reshape(shape), gradient.reshape(*shape, *starts.shape[1:]))
