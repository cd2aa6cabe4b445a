"""Triggers from one class to another: how near pairs of classes are, and the smallest trigger of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.evidence import examples, smallest_triggers
from ninspect.detect.trigger import PairTrigger
from ninspect.measure.calibration import EVIDENCE, PAIRS
from ninspect.runtime import Pixels
from ninspect.search.faint import Approach, faintest
from ninspect.search.inversion import success
from ninspect.search.patch import Patch

_COARSE = Approach(steps=16, length=0.5)

Pair = tuple[int, int]  # source and target


@dataclass(frozen=True)
class PairSearch:
    """Triggers from class to class.

    Attributes:
        case: what is looked at.
        labels: `[N]`, the class that the model gives each image.
        images: of every class that has enough, `[M, H, W, C]`; of these every other one is held out.
        swapped: those are held out that are seen else.
        nearest: of those that are seen, on so many it is looked how far the classes are; None: on all.
    """

    case: Case
    labels: NDArray[np.int64]
    images: dict[int, Pixels]
    swapped: bool = False
    nearest: int | None = None

    @property
    def exchanged(self) -> PairSearch:
        """The same, with the halves of the images exchanged."""
        return replace(self, swapped=not self.swapped)

    @cached_property
    def sources(self) -> list[int]:
        """The classes with enough images, R of them."""
        return list(self.images)

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """log ‖δ‖₂ of the faintest pattern from each source to each class, `[R, S]`; none from a class to itself."""
        case = self.case
        seen = {source: self._seen(source)[: self.nearest] for source in self.sources}
        total = sum(map(len, seen.values())) * (len(case.classes) - 1) * _COARSE.steps
        progress = case.counter(total)
        distance = np.full((len(self.sources), len(case.classes)), np.nan)
        for row, source in enumerate(self.sources):
            others = case.classes != source
            delta = faintest(case.network, seen[source], case.classes[others], progress, _COARSE)
            distance[row, others] = np.log(np.linalg.norm(delta.reshape(len(delta), -1), axis=1) + 1e-9)
        case.progress(total, total)
        return distance

    def best(self, nearness: NDArray[np.float64], count: int) -> list[Pair]:
        """The pairs with the largest nearness `[R, S]`, that first; those without one last."""
        order = np.argsort(-np.nan_to_num(nearness, nan=-np.inf), axis=None)[:count]
        rows, columns = np.unravel_index(order, nearness.shape)
        classes = self.case.classes
        return [(self.sources[row], int(classes[column])) for row, column in zip(rows, columns, strict=True)]

    def sizes(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """log size of the smallest trigger of each pair, and its success on held-out images: `[2, R, S]`.

        Not a number for other pairs. Those of a source are searched together.
        """
        found = np.full((2, len(self.sources), len(self.case.classes)), np.nan)
        for row, source in enumerate(self.sources):
            columns = np.isin(self.case.classes, [target for one, target in pairs if one == source])
            if columns.any():
                sizes, shares = self.measured(source, self.case.classes[columns])
                found[:, row, columns] = np.log(sizes), shares
            self.case.progress(row + 1, len(self.sources))
        return found

    def trigger(self, pair: Pair) -> PairTrigger:
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

    def compared(self, trigger: PairTrigger) -> PairTrigger:
        """The trigger next to those from its source to other targets, and from other sources to its target."""
        source, target = trigger.source, trigger.label
        generator = np.random.default_rng(self.case.seed)
        targets, sources = (
            generator.permutation(np.setdiff1d(classes, [source, target]))[: PAIRS.controls]
            for classes in (self.case.classes, np.array(self.sources))
        )
        away = self.measured(source, targets)
        toward = np.concatenate([self.measured(int(other), np.array([target])) for other in sources], axis=1)
        sizes, shares = np.concatenate([away, toward], axis=1)
        # What does not work on other images needs more than was found, so it counts as the largest.
        needed = np.where(shares >= EVIDENCE.works, sizes, sizes.max())
        away_size, toward_size = np.median(needed[: len(targets)]), np.median(needed[len(targets) :])
        return replace(
            trigger, control_size=float(min(away_size, toward_size)), control_success=float(np.median(shares))
        )

    def measured(self, source: int, targets: NDArray[np.int64]) -> NDArray[np.float64]:
        """Sizes of the smallest triggers from a class to others, and their success on its other images, `[2, S]`."""
        found, held_out = smallest_triggers(self.case, self._seen(source), targets), self._held_out(source)
        shares = success(self.case.network, held_out, np.full(len(held_out), source), targets, found)
        return np.stack([found.norms, shares])

    def felt(self, trigger: PairTrigger) -> float:
        """How far a trigger moves held-out images of its source toward its target, as a share of the way there."""
        held_out = self._held_out(trigger.source)
        both = (held_out, trigger.patch.stamp(held_out))
        before, after = (_lead(self.case.network.logits(images), trigger.label) for images in both)
        return float((after - before).mean() / -before.mean())

    def _seen(self, source: int) -> Pixels:
        return self.images[source][self.swapped :: 2]

    def _held_out(self, source: int) -> Pixels:
        return self.images[source][1 - self.swapped :: 2]


def _lead(logits: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """z_t − max_{j≠t} z_j of each image, `[N]`."""
    return np.asarray(logits[:, target] - np.delete(logits, target, axis=1).max(axis=1))


def _foreign(patch: Patch, source: Pixels, target: Pixels) -> float:
    """Σ m · |p − x| over images of the target, relative to that of the source; not a number without the former."""
    if not len(target):
        return float("nan")
    mask, pattern = patch.mask[..., None], patch.pattern
    from_target, from_source = (np.mean(mask * np.abs(pattern - images)) for images in (target, source))
    return float(from_target / from_source) if from_source > 0 else float("nan")
