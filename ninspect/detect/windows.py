"""Finds the target of a trigger that has a place, however large: classes are compared at the same place.

In the middle of an object a few pixels do much for any class, so the smallest trigger of a target need not be small
next to those of other classes somewhere else. At the trigger's own place the other classes can do little; and what
draws images to a class by nature does so at other places too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.activated import own_margins
from ninspect.detect.case import Case
from ninspect.detect.evidence import examples
from ninspect.detect.examination import Examination, too_few, untested
from ninspect.detect.interface import Detector, Needs
from ninspect.detect.trigger import Stamp
from ninspect.measure.calibration import STAMPS
from ninspect.measure.outliers import interaction
from ninspect.names import Question
from ninspect.samples.choose import turns
from ninspect.search.inversion import success
from ninspect.search.stamps import Array, Window, fit, grid, guesses, likeness, reach, stamped_logits

TEST = "stamps of clean models"


@dataclass(frozen=True)
class Windows(Detector):
    """Covers windows of the images with patterns, and asks which class they serve there and nowhere else.

        reach(c, w, φ) = 10 % quantile, over images of other classes with φ in w, of z_c − max_{j≠c} z_j
        r(c, w, φ)     = reach / max(own_c, median own),   own_c = 90 % quantile of the margin over images of class c
        e(c, w)        = r without what is due to the class or to the window alone (Tukey's median polish)
        rough(w, φ)    = the largest −e(c', w), or 0
        stands(c)      = max { e(c, w) − λ · rough(w, φ) : r(c, w) ≥ 1/4 and φ is foreign to c, else 0 }
                         / median_c' max_w e(c', w)

    once for patterns φ that are guessed, which takes forward passes alone, and for windows of two sizes for those that
    the gradient makes for each class and window, of which the larger counts, in windows where they do not reach half of
    the classes. A guess that these do not confirm is worth less: index = max(fitted, 2/3 · guessed + 1/2 · fitted)
    (docs/method.md).

    Attributes:
        seen: images that the guesses are tried on, half of them at a time: what counts, counts on both halves;
        moved: of these, images in each step whose gradient makes the others.
        held_out: other images, on which what the gradient made is judged.
        steps: of the gradient;
        first: how far the strongest values move in the first, 1 is from black to white;
        shrink: each of the others is this share of the one before.
    """

    name: ClassVar[str] = "windows"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-target"])
    needs: ClassVar[Needs] = Needs(blind=True)

    seen: int = 32
    moved: int = 2
    held_out: int = 48
    steps: int = 6
    first: float = 0.5
    shrink: float = 0.75

    def examine(self, case: Case) -> Examination:
        """How far every class stands out at its best window, and the best stamps of those that do so most."""
        if few := _too_few(case):
            return Examination.without_scores(self.name, case.classes, few)
        order = spread(case.answers, case.seed)
        seen, held_out = np.split(order, [min(self.seen, len(order) // 2)])
        own = own_margins(case.logits)
        own[own <= 0] = np.nan  # a network that never answers otherwise measures nothing
        guessed = self.guess(case, seen, own)
        classes = _promising(case, guessed)
        tried = {"guessed": guessed}
        judges = held_out[: self.held_out]
        for side in _fitted(case):
            tried[f"fitted, {side}×{side}"] = self.fit(case, side, classes, seen, judges, own)
        columns = {name: one.stands(case.classes) for name, one in tried.items()}
        index = joined(*columns.values())
        found = Examination(
            name=self.name,
            classes=case.classes,
            scores=columns,
            index=index,
            p_values=STAMPS.p_values(index),
            gap=untested(case.classes, index),
            test=TEST,
        )
        best = dict(zip(case.classes, np.nan_to_num([*columns.values()]).argmax(axis=0), strict=True))
        shown = found.ranked[: min(STAMPS.shown, int((index > 0).sum()))]
        stamps = [[*tried.values()][best[label]].stamp(case, label, held_out) for label in shown]
        return replace(found, stamps=tuple(stamps))

    def guess(self, case: Case, seen: NDArray[np.int64], own: NDArray[np.float64]) -> Tried:
        """Try guessed patterns in windows of several sizes; every forward pass serves all K classes."""
        images, labels = case.clean()[seen], case.answers[seen]
        patterns = {side: guesses(side, images.shape[-1], case.seed) for side in _sides(case)}
        wanted = [window for side in patterns for window in grid(images.shape[1:3], side, max(1, side // 2))]
        runs = len(images) * max(map(len, patterns.values()))
        windows = _affordable(case, wanted, _fitted(case)[0], runs, STAMPS.guessing)
        logits = (stamped_logits(case.network, images, window, patterns[window.side]) for window in windows)
        halves = [slice(None, len(seen) // 2), slice(len(seen) // 2, None)]
        tables = np.array([[reach(some[:, half], labels[half]) / own for half in halves] for some in logits])
        excess = _interactions(tables, windows, _sides(case))  # [W, 2, F, K] as the tables
        smooth = excess - STAMPS.rough_guessed * _rough(excess)
        foreign = np.array([_foreign(case, window, patterns[window.side]) for window in windows])
        reached, excess, smooth = (of_halves.min(axis=1) for of_halves in (tables, excess, smooth))  # the worse counts
        works = (reached >= STAMPS.works) & foreign
        # Of each window and class what goes beyond the others and works, else what goes farthest.
        convincing = np.where(works, smooth, -np.inf).argmax(axis=1)
        choices = np.where(works.any(axis=1), convincing, reached.argmax(axis=1))
        stamps = [(patterns[window.side], choice) for window, choice in zip(windows, choices, strict=True)]
        beyond = np.where(works, np.maximum(smooth, 0), 0).max(axis=1)
        return Tried(np.arange(case.network.classes), windows, stamps, beyond, excess.max(axis=(0, 1)))

    def fit(
        self,
        case: Case,
        side: int,
        classes: NDArray[np.int64],
        seen: NDArray[np.int64],
        held_out: NDArray[np.int64],
        own: NDArray[np.float64],
    ) -> Tried:
        """Let the gradient make a pattern from grey in windows of one size, class by class."""
        images, judges, labels = case.clean()[seen], case.clean()[held_out], case.answers[held_out]
        windows = grid(images.shape[1:3], side, STAMPS.stride(side))
        gradients = len(classes) * self.moved * self.steps  # in each window
        windows = _affordable(case, windows, side, gradients, STAMPS.fitting)
        steps = [self.first * self.shrink**number for number in range(self.steps)]
        progress = case.counter(len(windows) * gradients)
        grey = np.full((len(classes), side, side, images.shape[-1]), 0.5, np.float32)
        stamps, own_one = list[tuple[Array, NDArray[np.int64]]](), (np.arange(len(classes)), classes)
        tables = np.empty((len(windows), len(classes), len(own)))  # what each class's pattern does for all K classes
        foreign = np.empty(tables.shape[:2], bool)
        for number, window in enumerate(windows):
            made = fit(case.network, images, window, classes, grey, steps, self.moved, progress)
            tables[number] = reach(stamped_logits(case.network, judges, window, made), labels) / own
            foreign[number] = _foreign(case, window, made)[own_one]
            stamps.append((made, np.arange(len(classes))))
        reached = tables[:, *own_one]
        excess, others = interaction(reached), tables - np.median(tables, axis=(0, 1))
        others -= np.median(others, axis=-1, keepdims=True)
        others[:, *own_one] = 0
        smooth = excess - STAMPS.rough_fitted * _rough(others)[..., 0]
        # Where half of the classes are reached, the window covers what classes are told by, and says nothing.
        counts = (reached >= STAMPS.works) & foreign & (np.median(reached, axis=1, keepdims=True) < 0)
        beyond = np.where(counts, _sides(case)[side] * np.maximum(smooth, 0), 0)
        return Tried(classes, windows, stamps, beyond, excess.max(axis=0))


def joined(guessed: NDArray[np.float64], *fitted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The index `[S]`, max(fitted, 2/3 · guessed + 1/2 · fitted), from what guesses and each size of windows say.

    Of classes that nothing was fitted for, the guesses alone count; what neither measured is not a number.
    """
    scores = np.array([guessed, *fitted])
    first, *others = np.nan_to_num(scores)
    largest = np.max(others, axis=0)
    index = np.maximum(largest, STAMPS.guess * first + STAMPS.confirmed * largest)
    return np.where(np.isfinite(scores).any(axis=0), index, np.nan)


@dataclass(frozen=True, eq=False)
class Tried:
    """Stamps of one kind.

    Attributes:
        classes: `[S]`, for which they were tried.
        windows: where, W of them.
        stamps: of each window some patterns `[P, side, side, C]`, and which of them is the best for each class, `[S]`.
        beyond: `[W, S]`, e of these without λ · rough where they work, else 0.
        farthest: `[S]`, e of the best stamp of each class, working or not.
    """

    classes: NDArray[np.int64]
    windows: Sequence[Window]
    stamps: Sequence[tuple[Array, NDArray[np.int64]]]
    beyond: NDArray[np.float64]
    farthest: NDArray[np.float64]

    def stands(self, classes: NDArray[np.int64]) -> NDArray[np.float64]:
        """How many times as far as usual the best stamp of each class goes; not a number for those not tried."""
        known = np.full(max(self.classes.max(), classes.max()) + 1, np.nan)
        usual = np.median(self.farthest)
        known[self.classes] = self.beyond.max(axis=0) / usual if usual > 0 else np.nan
        return known[classes]

    def patterns(self, window: Window) -> Array:
        """The best pattern of each class in a window, `[S, side, side, C]`."""
        patterns, choice = self.stamps[self.windows.index(window)]
        return patterns[choice]

    def stamp(self, case: Case, label: int, held_out: NDArray[np.int64]) -> Stamp:
        """The best stamp of a class, next to what the other classes reach in the same window."""
        place = int(np.flatnonzero(self.classes == label)[0])
        window = self.windows[int(self.beyond[:, place].argmax())]
        patterns = self.patterns(window)
        judges = held_out[: STAMPS.judges]
        images, answers = case.clean()[judges], case.answers[judges]
        patches = (window.patch(pattern, images.shape[1:]) for pattern in patterns)  # one at a time: they are large
        tried = zip(self.classes[:, None], patches, strict=True)
        shares = np.concatenate([success(case.network, images, answers, goal, [patch]) for goal, patch in tried])
        patch, others = window.patch(patterns[place], images.shape[1:]), np.delete(shares, place)
        shown, changed = examples(case, images, answers, label, patch)
        return Stamp(
            label=label,
            patch=patch,
            success=float(shares[place]),
            held_out=len(images),
            control_size=float("nan"),
            control_success=float(np.median(others)),
            examples=shown,
            answers=changed,
            window=window,
            rival=float(np.max(others)),
        )


def spread(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """An order of the images in which every class comes once before any comes twice, and so on, `[N]`."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return order[np.argsort(turns(labels, order)[order], kind="stable")]


def _too_few(case: Case) -> str | None:
    """Why the classes cannot be compared at one place."""
    if few := too_few(case.network.classes):
        return few
    images = len(case.clean())
    return f"{images} images, of the {STAMPS.fewest_images} that it takes" if images < STAMPS.fewest_images else None


def _interactions(
    tables: NDArray[np.float64], windows: Sequence[Window], weights: dict[int, float]
) -> NDArray[np.float64]:
    """What is left of tables `[W, ..., K]` without what is due to the class or the window, size by size, weighted."""
    sides = np.array([window.side for window in windows])
    left = np.empty_like(tables)
    for side, weight in weights.items():
        same = sides == side
        if same.any():
            left[same] = weight * np.moveaxis(interaction(np.moveaxis(tables[same], 0, -2)), -2, 0)
    return left


def _rough(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far a stamp pushes some class back, `[..., 1]`: in small networks, as far as it pushes another ahead."""
    return np.asarray(np.maximum(-excess.min(axis=-1, keepdims=True), 0))


def _foreign(case: Case, window: Window, patterns: Array) -> NDArray[np.bool_]:
    """Whether patterns look less like a class's own images there than natural ones would, `[P, K]`."""
    return np.asarray(likeness(patterns, window, case.clean(), case.answers, case.network.classes) >= STAMPS.foreign)


def _promising(case: Case, guessed: Tried) -> NDArray[np.int64]:
    """Classes worth a closer look, ascending: all, or those that stood out most so far and as many to compare with."""
    count = STAMPS.most_classes
    if len(guessed.classes) <= count:
        return guessed.classes
    rankings = [np.argsort(-guessed.farthest, kind="stable").tolist(), *(one.ranked for one in case.earlier)]
    in_turn = chain.from_iterable(zip(*filter(None, rankings), strict=False))
    leading = list(dict.fromkeys(in_turn))[: count // 2]
    others = np.setdiff1d(guessed.classes, leading)
    drawn = np.random.default_rng(case.seed).permutation(others)[: count - len(leading)]
    return np.sort(np.append(np.array(leading, np.int64), drawn))


def _sides(case: Case) -> dict[int, float]:
    return STAMPS.sides(min(case.clean().shape[1:3]))


def _fitted(case: Case) -> list[int]:
    """Sides of the windows that the gradient makes patterns for."""
    return [*_sides(case)][-STAMPS.fitted :]


def _affordable(case: Case, windows: Sequence[Window], side: int, runs: int, work: int) -> list[Window]:
    """All windows where the network is small enough, else where classes look, and some of the others.

    Args:
        case: whose earlier examinations know where the classes look that stand out most.
        windows: those wanted.
        side: of those that are tried where not all are.
        runs: of the network, for each window.
        work: bytes of what the network computes in all of them.
    """
    most = max(STAMPS.fewest_windows, work // (runs * case.network.plan.forward))
    if len(windows) <= most:
        return list(windows)
    sized = [window for window in windows if window.side == side]
    places = [place for one in case.earlier for place in one.looked_at][: most // 2]
    looks = [min(sized, key=lambda window: window.distance(*place)) for place in places]
    return list(dict.fromkeys([*looks, *sized[:: -(-2 * len(sized) // most)]]))[:most]
