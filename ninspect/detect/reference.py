"""Finds what a model does that models do not which the user trusts: the same images, the same searches, side by side.

Classes that are easy, alike, or natural sinks are so in every model of a task; what a backdoor adds is in one alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination, too_few
from ninspect.detect.interface import Detector
from ninspect.detect.pairs import Pair, PairSearch
from ninspect.detect.trigger import PairBeside
from ninspect.measure.calibration import BESIDE, EVIDENCE, OUTLIERS
from ninspect.measure.outliers import left_over, p_values, robust_z

ALONE = "BD006"
_POLISHED = 6  # rounds, after which nothing changes that counts


@dataclass(frozen=True)
class Reference(Detector):
    """Compares how far it is from class to class in the model and in the references.

        d(s, t)    = ‖δ‖₂ of the faintest pattern that sends images of class s to class t
        near(s, t) = −log d(s, t), without what is due to the source or the target alone (Tukey's median polish)
        alone(s, t) = near in the model − near in the reference, of several references the mean
        score(s, t) = near / spread(near) + alone / spread(alone)

    Of the third of the pairs with the largest score the smallest triggers are searched in the model and in each
    reference, on few images. Where they are smallest, in itself and next to the reference that needs least, gets a
    closer look: on both halves of the images, and next to those of other pairs. And class by class,

        gain(t)    = median_s [ log d_reference(s, t) − log d_model(s, t) ],   as a robust z over the classes

    It answers no question: a reference may have the same backdoor, so that finding nothing is no answer.
    """

    name: ClassVar[str] = "reference"

    def examine(self, case: Case) -> Examination:
        """What stands out in the model alone: classes, and pairs of classes."""
        shared = _shared(case)
        if gap := _gap(case, len(shared)):
            return Examination.without_scores(self.name, case.classes, gap)
        search, *others = (
            PairSearch(
                one, one.answers, {label: one.clean()[where] for label, where in shared.items()}, nearest=BESIDE.nearest
            )
            for one in (case, *case.references)
        )
        distance = np.array([one.distances for one in (search, *others)])
        gain = np.nanmedian(distance[1:] - distance[0], axis=1)  # [references, S]
        index = robust_z(gain).min(axis=0)
        near = search.best(pair_score(distance), round(BESIDE.near * np.isfinite(distance[0]).sum()))
        pairs = search.best(smallness(search, others, near), BESIDE.candidates)
        found = [one for pair in pairs if (one := _beside(search, others, pair)) and one.convincing]
        columns = {"model": -np.nanmedian(distance[0], axis=0), "reference": -np.nanmedian(distance[1:], axis=(0, 1))}
        return Examination(
            name=self.name,
            classes=case.classes,
            scores={name: robust_z(column) for name, column in columns.items()} | {"gain": gain.min(axis=0)},
            index=index,
            p_values=p_values(index, len(index), OUTLIERS.natural_freedom),
            rule=ALONE,
            meaning="compared with the reference",
            pairs=tuple(found),
            apart=True,
        )


def pair_score(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more a pair stands out in the model than its classes do, and than it does in the references.

    Args:
        distance: `[1 + references, R, S]`, log d of the model and of each reference.

    Returns:
        `[R, S]`.
    """
    near = left_over(-distance[0], _POLISHED)
    alone = left_over(distance[1:].mean(axis=0) - distance[0], _POLISHED)
    return _scaled(near) + _scaled(alone)


def smallness(search: PairSearch, others: Sequence[PairSearch], pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """How small the smallest trigger of each pair is, in itself and next to the reference that needs least, `[R, S]`.

        −log size + log (size in the reference / size)

    Not a number for other pairs, and where the model's own does not work on other images.
    """
    (size, success), *theirs = (one.sizes(pairs) for one in (search, *others))
    needed = np.min([sizes for sizes, _ in theirs], axis=0)
    return np.asarray(np.where(success >= EVIDENCE.works, needed - 2 * size, np.nan))


def _scaled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(table / np.nanmedian(np.abs(table)))


def _shared(case: Case) -> dict[int, NDArray[np.int64]]:
    """Of each class with enough images that all models give that class, the positions of these images."""
    agreed = np.all([one.answers == case.answers for one in case.references], axis=0)
    found = {
        label: np.flatnonzero(agreed & (case.answers == label))[: BESIDE.most_images]
        for label in np.unique(case.answers).tolist()
    }
    return {label: where for label, where in found.items() if len(where) >= BESIDE.fewest_images}


def _gap(case: Case, sources: int) -> str | None:
    """Why classes cannot be compared with the reference."""
    if few := too_few(len(case.classes)):
        return few
    needed = max(OUTLIERS.fewest_classes, case.network.classes // 2)
    if sources < needed:
        return (
            f"{sources} of {case.network.classes} classes have {BESIDE.fewest_images} images that the model and the "
            f"reference give the same answer, and it takes {needed}; give more with --max-images"
        )
    return None


def _beside(search: PairSearch, others: Sequence[PairSearch], pair: Pair) -> PairBeside | None:
    """The smallest trigger of a pair, and what the pair needs in the reference that needs least.

    Sizes and shares are means over both halves of the images; None where the first rules out that they are enough.
    """
    source, target = pair
    first = search.trigger(pair)
    if (first.success + 1) / 2 < BESIDE.success or first.elsewhere / 2 > BESIDE.elsewhere:
        return None
    halves = [(search, others), (search.exchanged, [one.exchanged for one in others])]
    triggers = [first, search.exchanged.trigger(pair)]
    needed = np.array([[_needed(one, source, target) for one in both] for _, both in halves]).mean(axis=0)
    least = int(needed.argmin())
    beside = PairBeside(
        **{name: value for name, value in vars(first).items() if name not in ("success", "elsewhere", "foreign")},
        success=float(np.mean([one.success for one in triggers])),
        elsewhere=float(np.mean([one.elsewhere for one in triggers])),
        foreign=float(np.mean([one.foreign for one in triggers])),
        reference=least,
        reference_size=float(needed[least]),
        reference_control_size=float("nan"),
        usual_size=float(np.mean([one.size for one in triggers])),
        felt=float(np.mean([both[least].felt(one) for one, (_, both) in zip(triggers, halves, strict=True)])),
    )
    if not beside.promising:
        return beside
    own = [one.compared(trigger) for (one, _), trigger in zip(halves, triggers, strict=True)]
    theirs = [both[least].compared(first) for _, both in halves]
    return replace(
        beside,
        control_size=float(np.mean([one.control_size for one in own])),
        control_success=float(np.mean([one.control_success for one in own])),
        reference_control_size=float(np.mean([one.control_size for one in theirs])),
    )


def _needed(search: PairSearch, source: int, target: int) -> float:
    """Size of the smallest trigger of a pair."""
    return float(search.measured(source, np.array([target]))[0, 0])
