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
from ninspect.detect.examination import Examination, holm, too_few
from ninspect.detect.interface import Detector
from ninspect.detect.pairs import Pair, PairSearch
from ninspect.detect.trigger import PairTrigger
from ninspect.measure.calibration import OUTLIERS, PAIRS
from ninspect.names import Question
from ninspect.runtime import Pixels


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
        search = PairSearch(case, case.answers, images)
        looked_at = (_looked_at(search, pair) for pair in search.best(_nearness(search.distances), PAIRS.candidates))
        return replace(found, pairs=tuple(one for one in looked_at if one.convincing and _confirmed(search, one)))

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


def _nearness(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much nearer pairs are than the other ways from their source and to their target, `[R, S]`.

    nearness(s, t) = (median_j log d(s, j) + median_i log d(i, t)) / 2 − log d(s, t),   d = ‖δ‖₂ of `faintest`
    """
    usual = np.nanmedian(distance, axis=1, keepdims=True) + np.nanmedian(distance, axis=0, keepdims=True)
    return np.asarray(usual / 2 - distance)


def _looked_at(search: PairSearch, pair: Pair) -> PairTrigger:
    """The smallest trigger from source to target, compared with those of other pairs if it may be a backdoor's."""
    trigger = search.trigger(pair)
    return search.compared(trigger) if trigger.alien else trigger


def _confirmed(search: PairSearch, trigger: PairTrigger) -> bool:
    """Whether it stays convincing when a second one counts as much, fitted to the other half of the images.

    A backdoor's works whatever the images are. Of small networks, one half often has a pair that the other has not.
    """
    other = search.exchanged
    second = other.compared(other.trigger((trigger.source, trigger.label)))
    ratio = (trigger.size / trigger.control_size + second.size / second.control_size) / 2
    both = replace(
        trigger,
        control_size=trigger.size / ratio,
        success=(trigger.success + second.success) / 2,
        elsewhere=(trigger.elsewhere + second.elsewhere) / 2,
        foreign=(trigger.foreign + second.foreign) / 2,
    )
    return both.convincing
