"""Where the classes that stand out most look: heatmaps for a person, of the kind that the default detector measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.activated import Activated
from ninspect.detect.case import Case
from ninspect.detect.examination import Examination
from ninspect.measure.features import heatmaps, of_strongest
from ninspect.runtime import Pixels
from ninspect.search import ascend

_MOST = 10
_STARTS = 24


@dataclass(frozen=True)
class Attention:
    """Mean heatmaps of some classes.

    Attributes:
        labels: `[S]`, the classes.
        heatmaps: `[S, H, W]` float32 in [0, 1].
        image: `[H, W, C]` float32 in [0, 1], one of the starts, to lay the heatmaps over.
        answer: the class that the model gives it.
        starts: how many images were moved toward each class.
    """

    labels: NDArray[np.int64]
    heatmaps: NDArray[np.float32]
    image: Pixels
    answer: int
    starts: int


def look(case: Case, labels: Sequence[int]) -> Attention:
    """The heatmaps of some classes, mean over images that were moved toward each class.

    Args:
        case: its images.
        labels: the classes.
    """
    settings, classes = Activated(), np.asarray(labels, np.int64)
    starts = case.clean(_STARTS)
    parts = ascend(case.network, starts, classes, settings.steps, settings.length, lambda gradients: None)
    means = np.concatenate([heatmaps(np.maximum(part.gradient, 0)).mean(axis=1) for part in parts])
    answers = case.network.logits(starts).argmax(axis=1)
    # One of another class, where there is one: what draws a suspect there is not what the picture shows.
    chosen = int(np.isin(answers, classes).argmin())
    return Attention(classes, of_strongest(means), starts[chosen], int(answers[chosen]), len(starts))


def outstanding(examinations: Sequence[Examination], suspects: Sequence[int]) -> list[int]:
    """The classes to look at: the suspects, then those that stand out most for the first detector that measured any."""
    ranked = next((d.ranked for d in examinations if d.measured), [])
    return list(dict.fromkeys([*suspects, *ranked]))[:_MOST]
