"""Evidence: the smallest trigger of the classes that stand out most, next to those of other classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.examination import TARGET, Examination, comparing, holm, tested
from ninspect.detect.interface import Detector, Needs
from ninspect.detect.trigger import Trigger
from ninspect.measure.calibration import EVIDENCE, OUTLIERS
from ninspect.names import Question
from ninspect.runtime import Pixels
from ninspect.search.faint import FAINTEST, faintest
from ninspect.search.inversion import WARM_START, Triggers, invert, success
from ninspect.search.patch import Patch

_EXAMPLES = 3


@dataclass(frozen=True)
class Evidence(Detector):
    """Searches a trigger for the classes that earlier detectors rank first, and for others to compare with.

    Comparing explanations ranks a target far more reliably than it tells it from what stands out in clean models; the
    trigger tells them apart (docs/method.md). On pictures that were drawn more is asked of it.

    Attributes:
        alpha: level at which earlier detectors suspect a class.
    """

    name: ClassVar[str] = "evidence"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-target"])
    needs: ClassVar[Needs] = Needs(blind=True)

    alpha: float = 0.01

    def examine(self, case: Case) -> Examination:
        """The smallest trigger of each candidate; columns `size` and `success` for those that one was searched for."""
        earlier = holm(case.earlier)
        suspects = candidates(earlier, self.alpha)
        found = Examination.without_scores(self.name, case.classes, _gap(case.earlier))
        if not suspects:
            return found
        compared = comparing(earlier)
        triggers = [replace(one, p_value=_smallest(compared, one.label)) for one in find_triggers(case, suspects)]
        columns = {name: np.full(len(case.classes), np.nan) for name in ("size", "success")}
        for trigger in triggers:
            place = case.classes == trigger.label
            columns["size"][place], columns["success"][place] = trigger.size, trigger.success
        return replace(found, scores=columns, triggers=tuple(triggers))


def _smallest(compared: Sequence[Examination], label: int) -> float | None:
    """The smallest p-value of a class."""
    found = [one.p_values[one.classes == label].item() for one in compared]
    return float(np.nanmin(found)) if np.isfinite(found).any() else None


def candidates(examinations: Sequence[Examination], alpha: float) -> list[int]:
    """Classes that evidence is sought for, most suspect first: the suspects, and the next that stand out most.

    All classes where they are too few for outliers. None where the suspicion has evidence of its own.
    """
    ranking = tested(examinations)
    if examinations and not ranking and len(examinations[0].classes) < OUTLIERS.fewest_classes:
        return [int(label) for label in examinations[0].classes]
    if not ranking or (ranking[0].rule != TARGET and ranking[0].targets(alpha)):
        return []
    suspects = [label for one in comparing(ranking) for label in one.targets(alpha)]
    rankings = [one.ranked for one in comparing(examinations)]
    ranked = [label for place in zip(*rankings, strict=False) for label in place]
    first = list(dict.fromkeys([*suspects, *ranked]))
    return first[: max(1, min(EVIDENCE.most, len(first) // 3))]


def _gap(examinations: Sequence[Examination]) -> str | None:
    """Why finding no trigger is no answer: they are searched for the few classes that another method ranks first."""
    ranked = any(one.gap is None and "one-target" in one.answers for one in examinations)
    return None if ranked else "no method has compared all classes that could have found a target alone"


def find_triggers(case: Case, suspects: Sequence[int]) -> list[Trigger]:
    """Search the smallest trigger of each suspect, and of some other classes to compare with.

    The search starts from the faintest pattern that sends images there: of a trigger that is blended over the image,
    nothing smaller is found from elsewhere. Each is compared with all others, suspects among them, since in some clean
    models half of the classes have small ones.

    Args:
        case: with images; they are split in two, to search and to measure.
        suspects: classes.
    """
    chosen = case.chosen(EVIDENCE.images)
    order = np.random.default_rng(case.seed).permutation(len(chosen))
    seen, unseen = chosen[order[::2]], chosen[order[1::2]]
    images, held_out, answers = case.clean()[seen], case.clean()[unseen], case.answers[unseen]
    others = np.setdiff1d(np.arange(case.network.classes), suspects)
    controls = np.random.default_rng(case.seed).permutation(others)[: EVIDENCE.controls]
    goals = np.concatenate([np.asarray(suspects, np.int64), controls])
    total = len(goals) * len(images) * (FAINTEST.steps + WARM_START.steps)
    found = smallest_triggers(case, images, goals, case.counter(total))
    case.progress(total, total)
    shares = success(case.network, held_out, answers, goals, found)
    triggers = []
    for i, label in enumerate(suspects):
        peers = goals != label
        sizes = found.norms[peers & (shares >= EVIDENCE.works)]
        shown, changed = examples(case, held_out, answers, label, found[i])
        triggers.append(
            Trigger(
                label=label,
                patch=found[i],
                success=float(shares[i]),
                held_out=len(held_out),
                control_size=float(np.median(sizes)) if len(sizes) else float("nan"),
                control_success=float(np.median(shares[peers])),
                controls=len(sizes),
                examples=shown,
                answers=changed,
                drawn=case.pixels is None,
                doubtful=case.doubtful,
            )
        )
    return triggers


def smallest_triggers(
    case: Case, images: Pixels, goals: NDArray[np.int64], progress: Callable[[int], None] = lambda gradients: None
) -> Triggers:
    """The smallest trigger for each goal `[S]`, searched on the images `[N, H, W, C]` from the faintest pattern."""
    guess = faintest(case.network, images, goals, progress)
    return invert(case.network, images, goals, WARM_START, case.seed, progress, guess)


def examples(
    case: Case,
    images: Pixels,
    answers: NDArray[np.int64],
    label: int,
    patch: Patch,
) -> tuple[Pixels, NDArray[np.int64]]:
    """The first images of other classes, `[E, H, W, C]`, and their answers without and with the trigger, `[2, E]`.

    Args:
        case: whose network is asked.
        images: `[N, H, W, C]`.
        answers: `[N]`, the class that the model gives each of them.
        label: of the trigger.
        patch: the trigger.
    """
    shown = np.flatnonzero(answers != label)[:_EXAMPLES]
    after = case.network.logits(patch.stamp(images[shown])).argmax(axis=1)
    return images[shown], np.stack([answers[shown], after])
