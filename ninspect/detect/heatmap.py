"""Heatmaps of classes at given points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.gradient import Objective
from ninspect.measure.features import heatmaps
from ninspect.runtime import Network, Pixels


@dataclass(frozen=True)
class Heatmaps:
    """Heatmaps of some classes at some images.

    Attributes:
        images: which of the images that were asked for, N of them.
        classes: which of the classes that were asked for, S of them.
        maps: `[S, N, H, W]` float32 in [0, 1].
    """

    images: slice
    classes: slice
    maps: NDArray[np.float32]


def explain(
    network: Network, pixels: Pixels, classes: NDArray[np.int64], objective: Objective = "logit"
) -> Iterator[Heatmaps]:
    """Explain every class at every image, in pieces that fit in memory.

    Args:
        network: the classifier.
        pixels: `[N, H, W, C]` float32 in [0, 1].
        classes: `[S]` class indices.
        objective: what of the class is explained.
    """
    for part in network.gradients(pixels, classes, objective):
        yield Heatmaps(part.images, part.classes, heatmaps(part.pixels))
