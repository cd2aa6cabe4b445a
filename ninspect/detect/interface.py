"""What a detector is: a question to the network, answered with one score per class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ninspect.outliers import FEWEST_CLASSES, PUBLISHED_INDEX, critical_index, p_value
from ninspect.runtime import Network, Pixels

# Called with (gradients computed, gradients in total).
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evidence:
    """What detectors look at.

    Attributes:
        network: the classifier.
        pixels: `[N, H, W, C]` float32 in [0, 1], clean images.
        classes: `[S]` int64, the classes to judge.
        seed: of every random choice.
        progress: to be called from time to time.
    """

    network: Network
    pixels: Pixels
    classes: NDArray[np.int64]
    seed: int
    progress: Progress


@dataclass(frozen=True)
class Detection:
    """A detector's findings.

    Attributes:
        name: of the detector.
        classes: `[S]` int64, the classes judged.
        scores: named columns `[S]`, what the index is made from.
        index: `[S]`, robust z-score in the suspicious direction; not a number where a class could not be measured.
        p_value: probability of so large an index in a clean model; None where it means nothing.
        seconds: wall time.
        problem: why the model cannot be judged by this detector, or None.
    """

    name: str
    classes: NDArray[np.int64]
    scores: dict[str, NDArray[np.float64]]
    index: NDArray[np.float64]
    p_value: float | None
    seconds: float
    problem: str | None

    def above(self, critical: float) -> list[int]:
        """Classes whose index exceeds `critical`, most suspect first."""
        order = np.argsort(-np.nan_to_num(self.index, nan=-np.inf), kind="stable")
        return [int(self.classes[i]) for i in order if self.index[i] > critical]

    @property
    def flagged(self) -> list[int]:
        """Classes that the published rule, index > 2, calls outliers; never used to decide."""
        return self.above(PUBLISHED_INDEX)

    def targets(self, alpha: float) -> list[int]:
        """Classes whose index a clean model reaches with a probability of at most `alpha`, most suspect first."""
        if self.p_value is None or self.p_value > alpha:
            return []
        return self.above(critical_index(alpha, self.measured))

    @property
    def measured(self) -> int:
        """How many classes have an index."""
        return int(np.isfinite(self.index).sum())


class Detector(Protocol):
    """One way of telling a backdoor's target class from the others."""

    @property
    def name(self) -> str:
        """What `--method` calls it."""

    @property
    def settings(self) -> dict[str, float | bool | list[float]]:
        """What its scores depend on, for the report."""

    def detect(self, evidence: Evidence) -> Detection:
        """Score every class."""


def judge(
    name: str,
    classes: NDArray[np.int64],
    scores: dict[str, NDArray[np.float64]],
    index: NDArray[np.float64],
    seconds: float,
) -> Detection:
    """A detection from the index of each class, robust z-scores with **high** values suspicious.

    What cannot be tested is a problem, never a silent pass: too few classes, scores without spread, or classes that
    could not be measured.
    """
    measured = int(np.isfinite(index).sum())
    missing = classes[~np.isfinite(index)].tolist()
    compared = measured or len(classes)
    problem = None
    if compared < FEWEST_CLASSES:
        problem = f"classes that can be compared: {compared}; outliers among fewer than {FEWEST_CLASSES} mean nothing"
    elif measured == 0:
        problem = "the gradients show no difference between the classes, as in a model with a constant output"
    elif missing:
        problem = f"the gradient is zero, so nothing was measured, for {listed(missing)}"
    p = p_value(float(np.nanmax(index)), measured) if measured >= FEWEST_CLASSES else None
    return Detection(name, classes, scores, index, p, seconds, problem)


def listed(classes: list[int]) -> str:
    """`class 3`, or `classes 3, 5, 8 and 12 more`."""
    if len(classes) == 1:
        return f"class {classes[0]}"
    shown = ", ".join(map(str, classes[:8]))
    return f"classes {shown}" + (f" and {len(classes) - 8} more" if len(classes) > 8 else "")
