"""What a detector is: a question to the network, answered with one score per class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import InconclusiveError
from ninspect.measure.outliers import FEWEST_CLASSES, NATURAL_FREEDOM, PUBLISHED_INDEX, p_values
from ninspect.runtime import Network, Pixels

# Called with (gradients computed, gradients in total).
Progress = Callable[[int, int], None]

ROBUST_Z = "robust z"


@dataclass(frozen=True)
class Case:
    """What detectors look at.

    Attributes:
        network: the classifier.
        pixels: `[N, H, W, C]` float32 in [0, 1], clean images; None where there are none.
        classes: `[S]` int64, the classes to judge.
        seed: of every random choice.
        progress: to be called from time to time.
    """

    network: Network
    pixels: Pixels | None
    classes: NDArray[np.int64]
    seed: int
    progress: Progress

    @cached_property
    def logits(self) -> NDArray[np.float32]:
        """Of the clean images, `[N, K]`; asked of the network once, for all that look at them.

        Raises:
            InconclusiveError: there are no images.
        """
        return self.network.logits(self.clean())

    def counter(self, total: int) -> Callable[[int], None]:
        """Takes numbers of new gradients and reports progress toward `total`."""
        done = 0

        def count(gradients: int) -> None:
            nonlocal done
            done += gradients
            self.progress(done, total)

        return count

    def clean(self, count: int | None = None) -> Pixels:
        """The clean images, `[M, H, W, C]`, or `count` of them, always the same ones.

        Raises:
            InconclusiveError: there are no images.
        """
        if self.pixels is None:
            raise InconclusiveError("this method needs clean images; give --samples")
        order = np.random.default_rng(self.seed).permutation(len(self.pixels))
        return self.pixels[np.sort(order[:count])]

    def noise(self, count: int) -> Pixels:
        """`count` images of uniform noise, `[M, H, W, C]`; always the same ones."""
        shape = (count, *self.network.input_map.image_shape)
        return np.random.default_rng(self.seed).random(shape, dtype=np.float32)


@dataclass(frozen=True)
class Detection:
    """A detector's findings.

    Attributes:
        name: of the detector.
        classes: `[S]` int64, the classes judged.
        scores: named columns `[S]`, what the index is made from.
        index: `[S]`, robust z-score in the suspicious direction; not a number where a class could not be measured.
        p_values: `[S]`, probability that the most suspicious of all classes of a clean model is as suspicious as this
            class; not a number where that means nothing.
        seconds: wall time.
        problem: why the model cannot be judged by this detector, or None.
        test: what the p-values come from; `robust z`: from the index alone.
        looks: how many times the data was looked at; the p-values are corrected for it.
        weight: share of α that it gets where there are several detectors, relative to theirs.
        skipped: why the detector did not look at this model at all, or None; then it is not called clean either.
        finding: what a suspicion by this detector means, where it is more than a class that stands out.
        easy: `[S]`, classes that could stand out because they are easy by nature, which their p-values take into
            account; None: the method does not tell.
    """

    name: str
    classes: NDArray[np.int64]
    scores: dict[str, NDArray[np.float64]]
    index: NDArray[np.float64]
    p_values: NDArray[np.float64]
    seconds: float
    problem: str | None = None
    test: str = ROBUST_Z
    looks: float = 1
    weight: float = 1
    skipped: str | None = None
    finding: str | None = None
    easy: NDArray[np.bool_] | None = None

    @property
    def p_value(self) -> float | None:
        """Probability that any class of a clean model is as suspicious as the most suspicious one here."""
        known = self.p_values[np.isfinite(self.p_values)]
        return float(known.min()) if len(known) else None

    def targets(self, alpha: float) -> list[int]:
        """Classes as suspicious as which a clean model has one with probability `alpha` at most, worst first."""
        return self._worst_first(self.p_values <= alpha)

    @property
    def flagged(self) -> list[int]:
        """Classes that the published rule, index > 2, calls outliers; never used to decide."""
        return self._worst_first(self.index > PUBLISHED_INDEX)

    @property
    def ranked(self) -> list[int]:
        """All classes that were measured, most suspicious first."""
        return self._worst_first(np.isfinite(self.index))

    def _worst_first(self, chosen: NDArray[np.bool_]) -> list[int]:
        order = np.lexsort((-np.nan_to_num(self.index, nan=-np.inf), self.p_values))
        return [int(c) for c in self.classes[order[chosen[order]]]]

    @property
    def measured(self) -> int:
        """How many classes have an index."""
        return int(np.isfinite(self.index).sum())


def skipped(name: str, classes: NDArray[np.int64], reason: str) -> Detection:
    """The detection of a detector that cannot look at this model."""
    nothing = np.full(len(classes), np.nan)
    return Detection(name, classes, {}, nothing, nothing, 0.0, skipped=reason)


def holm(detections: Sequence[Detection]) -> list[Detection]:
    """The detections with p-values that are corrected for having looked several times (Holm 1979, with weights).

    In the order of p/w, each p is multiplied by Σ w / w over the detections that are left, and is never less than the
    one before.
    """
    tested = sorted((d for d in detections if d.p_value is not None), key=lambda d: (d.p_value or 0.0) / d.weight)
    corrected, least = dict[str, Detection](), 0.0
    for rank, detection in enumerate(tested):
        times = sum(other.weight for other in tested[rank:]) / detection.weight
        p = np.clip(times * detection.p_values, least, 1)
        corrected[detection.name] = replace(detection, p_values=p, looks=times * detection.looks)
        least = float(np.nanmin(p))
    return [corrected.get(detection.name, detection) for detection in detections]


class Detector(Protocol):
    """One way of telling a backdoor's target class from the others."""

    @property
    def name(self) -> str:
        """What `--method` calls it."""

    @property
    def settings(self) -> dict[str, float | bool | list[float]]:
        """What its scores depend on, for the report."""

    def detect(self, case: Case) -> Detection:
        """Score every class."""


def judge(
    name: str,
    classes: NDArray[np.int64],
    scores: dict[str, NDArray[np.float64]],
    index: NDArray[np.float64],
    seconds: float,
    looks: int = 1,
    easy: NDArray[np.bool_] | None = None,
) -> Detection:
    """A detection from the index of each class, robust z-scores with **high** values suspicious.

    With `looks` > 1 the index is the largest of so many z-scores, and its p-value is multiplied by their number.
    Classes that are `easy` are compared with scores that follow Student's t, the others with Gaussian ones.

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
    p = np.full(len(classes), np.nan)
    if measured >= FEWEST_CLASSES:
        p = p_values(index, measured)
        if easy is not None:
            p = np.where(easy, p_values(index, measured, NATURAL_FREEDOM), p)
    return Detection(name, classes, scores, index, np.minimum(looks * p, 1), seconds, problem, looks=looks, easy=easy)


def listed(classes: list[int]) -> str:
    """`class 3`, or `classes 3, 5, 8 and 12 more`."""
    if len(classes) == 1:
        return f"class {classes[0]}"
    shown = ", ".join(map(str, classes[:8]))
    return f"classes {shown}" + (f" and {len(classes) - 8} more" if len(classes) > 8 else "")
