"""Finds triggers that send the images of one class alone to another, which comparing targets cannot show.

Some classes are near each other by nature, so that a small trigger leads from one to the other. That of a backdoor is
far smaller than what its source needs for any other target, and its target for any other source; it leaves the images
of other classes where they are; and where it covers an image, that looks no more like the target than like the source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.evidence import examples, smallest_triggers
from ninspect.detect.examination import Examination, holm, too_few
from ninspect.detect.interface import Detector
from ninspect.detect.trigger import PairTrigger
from ninspect.measure.calibration import EVIDENCE, OUTLIERS, PAIRS
from ninspect.names import Question
from ninspect.runtime import Pixels
from ninspect.search.faint import Approach, faintest
from ninspect.search.inversion import success
from ninspect.search.patch import Patch

_COARSE = Approach(steps=16, length=0.5)

Pair = tuple[int, int]  # source and target


@dataclass(frozen=True)
class SourceSpecific(Detector):
    """Looks for triggers that work on images of one class alone.

    For every pair of classes the faintest pattern is searched that leads from one to the other. The pairs that are
    nearer than their classes are to others get a closer look: their smallest trigger, next to those of other pairs. It
    looks only where nobody is suspected yet: it costs as much as all the others, and would not change what is said.

    Attributes:
        alpha: level at which earlier detectors suspect a class.
    """

    name: ClassVar[str] = "source-specific"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-source"])

    alpha: float = 0.01

    def examine(self, case: Case) -> Examination:
        """The convincing triggers from one class to another."""
        images = _images_by_class(case)
        found = Examination.without_scores(self.name, case.classes, self._gap(case, len(images)))
        if self._refuses(case, len(images)):
            return found
        search = _Search(case, case.answers, images)
        looked_at = (search.looked_at(pair) for pair in search.nearest_pairs())
        return replace(found, pairs=tuple(one for one in looked_at if one.convincing and search.confirms(one)))

    def _refuses(self, case: Case, sources: int) -> bool:
        """Whether it does not look at all; with fewer sources than classes it looks at those."""
        return self._suspected(case) or len(case.classes) > PAIRS.most_classes or sources < OUTLIERS.fewest_classes

    def _suspected(self, case: Case) -> bool:
        return any(one.accuses(self.alpha) for one in holm(case.earlier))

    def _gap(self, case: Case, sources: int) -> str | None:
        """Why finding nothing is no answer, with so many classes that have enough images."""
        classes = case.network.classes
        if self._suspected(case):
            return "a class is suspected already"
        if len(case.classes) > PAIRS.most_classes:
            return f"{len(case.classes)} classes"
        if few := too_few(classes):
            return few
        if sources < classes:
            return f"{sources} of {classes} classes have the {PAIRS.fewest_images} images that it takes; give more"
        return None


def _images_by_class(case: Case) -> dict[int, Pixels]:
    """Of every class that has enough, its images `[M, H, W, C]`; they count for the class that the model gives them."""
    pixels, labels = case.clean(), case.answers
    images = {label: pixels[labels == label][: PAIRS.most_images] for label in np.unique(labels).tolist()}
    return {label: own for label, own in images.items() if len(own) >= PAIRS.fewest_images}


@dataclass(frozen=True)
class _Search:
    """Triggers from class to class.

    Attributes:
        case: what is looked at.
        labels: `[N]`, the class that the model gives each image.
        images: of every class that has enough, `[M, H, W, C]`; of these every other one is held out.
        swapped: those are held out that are seen else.
    """

    case: Case
    labels: NDArray[np.int64]
    images: dict[int, Pixels]
    swapped: bool = False

    def nearest_pairs(self) -> list[Pair]:
        """Those with the shortest way, compared with the other ways from their source and to their target.

        nearness(s, t) = (median_j log d(s, j) + median_i log d(i, t)) / 2 − log d(s, t),   d = ‖δ‖₂ of `faintest`
        """
        case, sources = self.case, list(self.images)
        total = sum(len(self._seen(source)) for source in sources) * (len(case.classes) - 1) * _COARSE.steps
        progress = case.counter(total)
        distance = np.full((len(sources), len(case.classes)), np.nan)
        for row, source in enumerate(sources):
            others = case.classes != source
            delta = faintest(case.network, self._seen(source), case.classes[others], progress, _COARSE)
            distance[row, others] = np.log(np.linalg.norm(delta.reshape(len(delta), -1), axis=1) + 1e-9)
        case.progress(total, total)
        usual = np.nanmedian(distance, axis=1, keepdims=True) + np.nanmedian(distance, axis=0, keepdims=True)
        nearness = np.nan_to_num(usual / 2 - distance, nan=-np.inf)
        order = np.argsort(-nearness, axis=None)[: PAIRS.candidates]
        rows, columns = np.unravel_index(order, distance.shape)
        return [(sources[row], int(case.classes[column])) for row, column in zip(rows, columns, strict=True)]

    def looked_at(self, pair: Pair) -> PairTrigger:
        """The smallest trigger from source to target, compared with those of other pairs if it may be a backdoor's."""
        trigger = self._trigger(pair)
        return self._compared(trigger) if trigger.alien else trigger

    def confirms(self, trigger: PairTrigger) -> bool:
        """Whether it stays convincing when a second one counts as much, fitted to the other half of the images.

        A backdoor's works whatever the images are. Of small networks, one half often has a pair that the other has not.
        """
        other = replace(self, swapped=not self.swapped)
        second = other._compared(other._trigger((trigger.source, trigger.label)))
        ratio = (trigger.size / trigger.control_size + second.size / second.control_size) / 2
        both = replace(
            trigger,
            control_size=trigger.size / ratio,
            success=(trigger.success + second.success) / 2,
            elsewhere=(trigger.elsewhere + second.elsewhere) / 2,
            foreign=(trigger.foreign + second.foreign) / 2,
        )
        return both.convincing

    def _trigger(self, pair: Pair) -> PairTrigger:
        """The smallest trigger from source to target, not compared yet."""
        source, target = pair
        held_out, goal = self._held_out(source), np.array([target])
        found = smallest_triggers(self.case, self._seen(source), goal)
        other = np.flatnonzero(self.labels != source)
        other = other[:: max(1, len(other) // PAIRS.others)]
        elsewhere = success(self.case.network, self.case.clean()[other], self.labels[other], goal, found)
        answers = np.full(len(held_out), source)
        shares = success(self.case.network, held_out, answers, goal, found)
        shown, changed = examples(self.case, held_out, answers, target, found[0])
        return PairTrigger(
            label=target,
            source=source,
            patch=found[0],
            success=float(shares[0]),
            held_out=len(held_out),
            control_size=float("nan"),
            control_success=float("nan"),
            examples=shown,
            answers=changed,
            elsewhere=float(elsewhere[0]),
            foreign=_foreign(found[0], self.images[source], self.case.clean()[self.labels == target]),
        )

    def _compared(self, trigger: PairTrigger) -> PairTrigger:
        """The trigger next to those from its source to other targets, and from other sources to its target."""
        source, target = trigger.source, trigger.label
        generator = np.random.default_rng(self.case.seed)
        targets, sources = (
            generator.permutation(np.setdiff1d(classes, [source, target]))[: PAIRS.controls]
            for classes in (self.case.classes, np.array(list(self.images)))
        )
        away = self._measured(source, targets)
        toward = np.concatenate([self._measured(int(other), np.array([target])) for other in sources], axis=1)
        sizes, shares = np.concatenate([away, toward], axis=1)
        # What does not work on other images needs more than was found, so it counts as the largest.
        needed = np.where(shares >= EVIDENCE.works, sizes, sizes.max())
        away_size, toward_size = np.median(needed[: len(targets)]), np.median(needed[len(targets) :])
        return replace(
            trigger, control_size=float(min(away_size, toward_size)), control_success=float(np.median(shares))
        )

    def _measured(self, source: int, targets: NDArray[np.int64]) -> NDArray[np.float64]:
        """Sizes of the smallest triggers from a class to others, and their success on its other images, `[2, S]`."""
        found, held_out = smallest_triggers(self.case, self._seen(source), targets), self._held_out(source)
        shares = success(self.case.network, held_out, np.full(len(held_out), source), targets, found)
        return np.stack([found.norms, shares])

    def _seen(self, source: int) -> Pixels:
        return self.images[source][self.swapped :: 2]

    def _held_out(self, source: int) -> Pixels:
        return self.images[source][1 - self.swapped :: 2]


def _foreign(patch: Patch, source: Pixels, target: Pixels) -> float:
    """Σ m · |p − x| over images of the target, relative to that of the source; not a number without the former."""
    if not len(target):
        return float("nan")
    mask, pattern = patch.mask[..., None], patch.pattern
    from_target, from_source = (np.mean(mask * np.abs(pattern - images)) for images in (target, source))
    return float(from_target / from_source) if from_source > 0 else float("nan")
