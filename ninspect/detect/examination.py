"""What a detector says of the classes, and the correction for having several detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.trigger import PairTrigger, Stamp, Trigger
from ninspect.measure.calibration import OUTLIERS
from ninspect.measure.outliers import PUBLISHED_INDEX, p_values
from ninspect.names import ROBUST_Z, Question

TARGET = "BD001"


@dataclass(frozen=True, eq=False, kw_only=True)
class Examination:
    """What a detector says of the classes.

    Attributes:
        name: of the detector.
        classes: `[S]` int64, the classes judged.
        scores: named columns `[S]`, what the index is made from.
        index: `[S]`, robust z-score in the suspicious direction; not a number where a class could not be measured.
        p_values: `[S]`, probability that the most suspicious of all classes of a clean model is as suspicious as this
            class; not a number where that means nothing.
        gap: why the questions that this detector answers are not answered by this examination, or None.
        rule: of the catalogue, that a class with a small p-value breaks.
        meaning: the sentence for it, where it says more than that a class stands out; of targets, what tells so.
        test: what the p-values come from; `robust z`: from the index alone.
        looks: how many times the data was looked at; the p-values are corrected for it.
        weight: share of α that it gets where there are several detectors, relative to theirs.
        easy: `[S]`, classes that could stand out because they are easy by nature, which their p-values take into
            account; None: the method does not tell.
        triggers: what was searched for classes.
        pairs: what was found from one class to another.
        stamps: what covers a place of the images to send them to the classes that stand out most there.
        looked_at: rows and columns of the pixels that the classes look at that stand out most.
        apart: its p-values stand by themselves: they neither correct those of others, nor are corrected.
        answers: the questions that the detector answers by finding nothing, where it has no gap.
        seconds: wall time.
    """

    name: str
    classes: NDArray[np.int64]
    scores: dict[str, NDArray[np.float64]]
    index: NDArray[np.float64]
    p_values: NDArray[np.float64]
    gap: str | None = None
    rule: str = TARGET
    meaning: str | None = None
    test: str = ROBUST_Z
    looks: float = 1
    weight: float = 1
    easy: NDArray[np.bool_] | None = None
    triggers: tuple[Trigger, ...] = ()
    pairs: tuple[PairTrigger, ...] = ()
    stamps: tuple[Stamp, ...] = ()
    looked_at: tuple[tuple[int, int], ...] = ()
    apart: bool = False
    answers: frozenset[Question] = frozenset()
    seconds: float = 0.0

    @classmethod
    def without_scores(cls, name: str, classes: NDArray[np.int64], gap: str | None) -> Examination:
        """An examination that compares no classes: because it could not, or because it found triggers instead."""
        nothing = np.full(len(classes), np.nan)
        return cls(name=name, classes=classes, scores={}, index=nothing, p_values=nothing, gap=gap)

    @property
    def p_value(self) -> float | None:
        """Probability that any class of a clean model is as suspicious as the most suspicious one here."""
        known = self.p_values[np.isfinite(self.p_values)]
        return float(known.min()) if len(known) else None

    def targets(self, alpha: float) -> list[int]:
        """Classes as suspicious as which a clean model has one with probability `alpha` at most, worst first.

        Without those that stand out by a stamp at a place where many other classes are reached too.
        """
        return self._worst_first((self.p_values <= alpha) & ~self.shared)

    @property
    def shared(self) -> NDArray[np.bool_]:
        """`[S]`, classes that stand out by a stamp at a place where many other classes are reached too."""
        return np.isin(self.classes, [stamp.label for stamp in self.stamps if stamp.shared])

    def accuses(self, alpha: float) -> bool:
        """Whether a class is suspected at that level, or has a convincing trigger."""
        return bool(self.targets(alpha)) or any(trigger.convincing for trigger in self.triggers)

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


def tested(examinations: Sequence[Examination]) -> list[Examination]:
    """Those that have p-values, the smallest first."""
    return sorted((e for e in examinations if e.p_value is not None), key=lambda e: e.p_value or 0.0)


def comparing(examinations: Sequence[Examination]) -> list[Examination]:
    """Those whose p-values say which classes may be the target of one trigger."""
    return [one for one in examinations if one.rule == TARGET and one.p_value is not None]


def holm(examinations: Sequence[Examination]) -> list[Examination]:
    """The examinations with p-values that are corrected for having looked several times (Holm 1979, with weights).

    In the order of p/w, each p is multiplied by Σ w / w over the examinations that are left, and is never less than the
    one before.
    """
    together = (e for e in examinations if e.p_value is not None and not e.apart)
    ordered = sorted(together, key=lambda e: (e.p_value or 0.0) / e.weight)
    corrected, least = dict[str, Examination](), 0.0
    for rank, examination in enumerate(ordered):
        times = sum(other.weight for other in ordered[rank:]) / examination.weight
        p = np.clip(times * examination.p_values, least, 1)
        corrected[examination.name] = replace(examination, p_values=p, looks=times * examination.looks)
        least = float(np.nanmin(p))
    return [corrected.get(examination.name, examination) for examination in examinations]


def judge(
    name: str,
    classes: NDArray[np.int64],
    scores: dict[str, NDArray[np.float64]],
    index: NDArray[np.float64],
    looks: int = 1,
    easy: NDArray[np.bool_] | None = None,
) -> Examination:
    """An examination from the index of each class, robust z-scores with **high** values suspicious.

    With `looks` > 1 the index is the largest of so many z-scores, and its p-value is multiplied by their number.
    Classes that are `easy` are compared with scores that follow Student's t, the others with Gaussian ones.

    What cannot be tested is a gap, never a silent pass: too few classes, scores without spread, or classes that could
    not be measured.
    """
    measured = int(np.isfinite(index).sum())
    p = np.full(len(classes), np.nan)
    if measured >= OUTLIERS.fewest_classes:
        p = p_values(index, measured)
        if easy is not None:
            p = np.where(easy, p_values(index, measured, OUTLIERS.natural_freedom), p)
    return Examination(
        name=name,
        classes=classes,
        scores=scores,
        index=index,
        p_values=np.minimum(looks * p, 1),
        gap=untested(classes, index),
        looks=looks,
        easy=easy,
    )


def untested(classes: NDArray[np.int64], index: NDArray[np.float64]) -> str | None:
    """Why an index says nothing of some classes."""
    measured = int(np.isfinite(index).sum())
    if few := too_few(measured or len(classes)):
        return few
    if measured == 0:
        return "the gradients show no difference between the classes, as in a model with a constant output"
    missing = classes[~np.isfinite(index)].tolist()
    return f"the gradient is zero, so nothing was measured, for {listed(missing)}" if missing else None


def too_few(classes: int) -> str | None:
    """Why so many classes cannot be compared.

    >>> too_few(3), too_few(10)
    ('3 classes can be compared, and outliers among fewer than 5 mean nothing', None)
    """
    if classes >= OUTLIERS.fewest_classes:
        return None
    compared = "1 class" if classes == 1 else f"{classes} classes"
    return f"{compared} can be compared, and outliers among fewer than {OUTLIERS.fewest_classes} mean nothing"


def listed(classes: Sequence[int]) -> str:
    """`class 3`, or `classes 3, 5, 8 and 12 more`."""
    if len(classes) == 1:
        return f"class {classes[0]}"
    shown = ", ".join(map(str, classes[:8]))
    return f"classes {shown}" + (f" and {len(classes) - 8} more" if len(classes) > 8 else "")
