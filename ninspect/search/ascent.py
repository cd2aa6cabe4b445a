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
from ninspect.search.direction import each, step_length


@dataclass(frozen=True)
class Ascent:
    """Where the ascent for some classes ended.

    Attributes:
        classes: which of the classes that were asked for, S of them.
        margin: `[S, M]`, z_c − max_{j≠c} z_j at the end points.
        gradient: `[S, M, H, W, C]`, its derivative there.
        points: `[S, M, H, W, C]`, the end points.
    """

    classes: slice
    margin: NDArray[np.float32]
    gradient: Pixels
    points: Pixels


def ascend(
    network: Network,
    starts: Pixels,
    classes: NDArray[np.int64],
    steps: int,
    length: float,
    progress: Callable[[int], None],
    direction: Callable[[Pixels], Pixels] = each,
) -> Iterator[Ascent]:
    """Move every start toward every class; as many classes at a time as fit in memory.

    x ← clip(x + ε · d(g), 0, 1),  g = ∂/∂x [z_c − max_{j≠c} z_j],  ε = length · √(number of values / 784)

    Args:
        network: the classifier.
        starts: `[M, H, W, C]` float32 in [0, 1].
        classes: `[S]` class indices.
        steps: number of steps.
        length: of a step, for an image of 784 values; 1 is one pixel from black to white.
        progress: called with the number of gradients computed since the last call.
        direction: d, from gradients `[S, M, H, W, C]` to directions of length 1, `each` or `alike`.
    """
    epsilon = step_length(length, starts[0].size)
    for some in network.plan.goals(len(classes), starts.nbytes):
        points = np.broadcast_to(starts, (some.stop - some.start, *starts.shape))
        margin, gradient = _margins(network, points, classes[some], progress)
        for _ in range(steps):
            points = np.clip(points + epsilon * direction(gradient), 0, 1)
            margin, gradient = _margins(network, points, classes[some], progress)
        yield Ascent(some, margin, gradient, points)


def _margins(
    network: Network, points: Pixels, classes: NDArray[np.int64], progress: Callable[[int], None]
) -> tuple[NDArray[np.float32], Pixels]:
    """Margins `[S, M]` and their gradients `[S, M, H, W, C]` of each class at its own points."""
    flat = points.reshape(-1, *points.shape[2:])
    margin, gradient = network.gradients_at(flat, np.repeat(classes, points.shape[1]), "margin")
    progress(len(flat))
    return margin.reshape(points.shape[:2]), gradient.reshape(points.shape)
