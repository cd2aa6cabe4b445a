"""Finds triggers that send the images of one class alone to another, which comparing targets cannot show.

Some classes are near each other by nature, so that a small trigger leads from one to the other. That of a backdoor is
far smaller than what its source needs for any other target, and its target for any other source; it leaves the images
of other classes where they are; and where it covers an image, that looks no more like the target than like the source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.evidence import WORKS, Trigger, examples, smallest_triggers
from ninspect.detect.interface import Case
from ninspect.measure.outliers import FEWEST_CLASSES
from ninspect.runtime import Pixels
from ninspect.search.faint import Approach, faintest
from ninspect.search.inversion import success

CONVINCING_PAIR = 0.5  # of what other pairs need (docs/method.md)
MOST_CLASSES = 20  # of 43, some are always so alike that they hide the pair of a backdoor (docs/decisions.md)
_LEAST_SUCCESS = 0.8
_MOST_ELSEWHERE = 0.1
_LEAST_FOREIGN = 0.95

_FEWEST_IMAGES, _MOST_IMAGES = 8, 20  # of a class; half of them to search with, half held out
_CANDIDATES = 8
_CONTROLS = 6  # other targets of the source, and as many other sources of the target
_OTHERS = 48  # images of other classes
SOURCE_SPECIFIC = "backdoors that work on images of one class alone"
_COARSE = Approach(steps=16, length=0.5)

Pair = tuple[int, int]  # source and target


@dataclass(frozen=True, kw_only=True)
class SourceTrigger(Trigger):
    """The smallest trigger from one class to another.

    Its `control_size` is the median size of the triggers from its source to other targets, or from other sources to its
    target, whichever is smaller.

    Attributes:
        elsewhere: share of the images of other classes than its source that it sends to the target as well.
        foreign: Σ m · |p − x|, mean over images of the target, relative to that of the source; 1: what covers the image
            is no more like the one than like the other.
    """

    elsewhere: float
    foreign: float

    @property
    def alien(self) -> bool:
        """Whether it works on its source alone and does not draw the target."""
        works = self.success >= _LEAST_SUCCESS and self.elsewhere <= _MOST_ELSEWHERE
        return works and self.foreign >= _LEAST_FOREIGN

    @property
    def convincing(self) -> bool:
        """Whether a backdoor with a source class explains it better than that the two classes are alike."""
        return self.alien and self.size <= CONVINCING_PAIR * self.control_size


def find_source_triggers(case: Case) -> tuple[list[SourceTrigger], str | None]:
    """The convincing triggers from one class to another, and what was not looked at, with the reason.

    For every pair of classes the faintest pattern is searched that leads from one to the other. The pairs that are
    nearer than their classes are to others get a closer look.

    Args:
        case: with images; they count for the class that the model gives them.
    """
    pixels, labels = case.clean(), case.logits.argmax(axis=1)
    images = {label: pixels[labels == label][:_MOST_IMAGES] for label in np.unique(labels).tolist()}
    images = {label: own for label, own in images.items() if len(own) >= _FEWEST_IMAGES}
    if reason := _refusal(case, len(images)):
        return [], f"{SOURCE_SPECIFIC} were not looked for: {reason}"
    search = _Search(case, labels, images)
    aliens = [trigger for pair in search.nearest_pairs() if (trigger := search.trigger(pair)).alien]
    return [trigger for trigger in map(search.compared, aliens) if trigger.convincing], _gap(case, len(images))


def _gap(case: Case, sources: int) -> str | None:
    """Of which classes no trigger could be searched."""
    classes = case.network.classes
    if sources == classes:
        return None
    some = f"{sources} of {classes} classes, those with {_FEWEST_IMAGES} images"
    return f"{SOURCE_SPECIFIC} were looked for in {some}; give more"


def _refusal(case: Case, sources: int) -> str | None:
    """Why pairs of classes cannot be compared."""
    if len(case.classes) > MOST_CLASSES:
        alike = f"among {len(case.classes)} classes, some are so alike by nature that one could hide there"
        return f"{alike}; --skip one-source leaves them out of the question"
    if sources < FEWEST_CLASSES:
        return f"{sources} of {case.network.classes} classes have the {_FEWEST_IMAGES} images that takes; give more"
    return None


@dataclass(frozen=True)
class _Search:
    """Triggers from class to class.

    Attributes:
        case: what is looked at.
        labels: `[N]`, the class that the model gives each image.
        images: of every class that has enough, `[M, H, W, C]`; of these every other one is held out.
    """

    case: Case
    labels: NDArray[np.int64]
    images: dict[int, Pixels]

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
        order = np.argsort(-nearness, axis=None)[:_CANDIDATES]
        rows, columns = np.unravel_index(order, distance.shape)
        return [(sources[row], int(case.classes[column])) for row, column in zip(rows, columns, strict=True)]

    def trigger(self, pair: Pair) -> SourceTrigger:
        """The smallest trigger from source to target, not compared yet."""
        source, target = pair
        held_out, goal = self._held_out(source), np.array([target])
        found = smallest_triggers(self.case, self._seen(source), goal)
        mask, pattern = found.masks[0], found.patterns[0]
        others = self.case.clean()[self.labels != source]
        others = others[:: max(1, len(others) // _OTHERS)]
        elsewhere, shares = (
            success(self.case.network, images, goal, found.masks, found.patterns) for images in (others, held_out)
        )
        shown, answers = examples(self.case, held_out, target, mask, pattern)
        return SourceTrigger(
            label=target,
            source=source,
            mask=mask,
            pattern=pattern,
            success=float(shares[0]),
            held_out=len(held_out),
            control_size=float("nan"),
            control_success=float("nan"),
            examples=shown,
            answers=answers,
            elsewhere=float(elsewhere[0]),
            foreign=_foreign(mask, pattern, self.images[source], self.case.clean()[self.labels == target]),
        )

    def compared(self, trigger: SourceTrigger) -> SourceTrigger:
        """The trigger next to those from its source to other targets, and from other sources to its target."""
        source, target = trigger.source, trigger.label
        assert source is not None
        generator = np.random.default_rng(self.case.seed)
        targets, sources = (
            generator.permutation(np.setdiff1d(classes, [source, target]))[:_CONTROLS]
            for classes in (self.case.classes, np.array(list(self.images)))
        )
        away = self._measured(source, targets)
        toward = np.concatenate([self._measured(int(other), np.array([target])) for other in sources], axis=1)
        sizes, shares = np.concatenate([away, toward], axis=1)
        # What does not work on other images needs more than was found, so it counts as the largest.
        needed = np.where(shares >= WORKS, sizes, sizes.max())
        away_size, toward_size = np.median(needed[: len(targets)]), np.median(needed[len(targets) :])
        return replace(
            trigger, control_size=float(min(away_size, toward_size)), control_success=float(np.median(shares))
        )

    def _measured(self, source: int, targets: NDArray[np.int64]) -> NDArray[np.float64]:
        """Sizes of the smallest triggers from a class to others, and their success on its other images, `[2, S]`."""
        found = smallest_triggers(self.case, self._seen(source), targets)
        shares = success(self.case.network, self._held_out(source), targets, found.masks, found.patterns)
        return np.stack([found.norms, shares])

    def _seen(self, source: int) -> Pixels:
        return self.images[source][::2]

    def _held_out(self, source: int) -> Pixels:
        return self.images[source][1::2]


def _foreign(mask: NDArray[np.float32], pattern: NDArray[np.float32], source: Pixels, target: Pixels) -> float:
    """See `SourceTrigger`; not a number where there are no images of the target."""
    if not len(target):
        return float("nan")
    from_target, from_source = (np.mean(mask[..., None] * np.abs(pattern - images)) for images in (target, source))
    return float(from_target / from_source) if from_source > 0 else float("nan")
