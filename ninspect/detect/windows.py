"""Finds the target of a trigger that has a place, however large: classes are compared at the same place.

In the middle of an object a few pixels do much for any class, so the smallest trigger of a target need not be small
next to those of other classes somewhere else. At the trigger's own place the other classes can do little; and what
draws images to a class by nature does so at other places too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.activated import own_margins
from ninspect.detect.case import Case
from ninspect.detect.evidence import examples
from ninspect.detect.examination import Examination, untested
from ninspect.detect.interface import Detector
from ninspect.detect.trigger import Stamp
from ninspect.measure.calibration import OUTLIERS, STAMPS
from ninspect.measure.outliers import interaction
from ninspect.names import Question
from ninspect.search.inversion import success
from ninspect.search.stamps import Array, Window, fit, grid, guesses, reach, stamped_logits

TEST = "stamps of clean models"


@dataclass(frozen=True)
class Windows(Detector):
    """Covers windows of the images with patterns, and asks which class they serve there and nowhere else.

        reach(c, w, φ) = 10 % quantile, over images of other classes with φ in w, of z_c − max_{j≠c} z_j
        r(c, w, φ)     = reach / max(own_c, median own),   own_c = 90 % quantile of the margin over images of class c
        e(c, w)        = r without what is due to the class or to the window alone (Tukey's median polish)
        stands(c)      = max { e(c, w) : r(c, w) ≥ 1/4, else 0 } / median_c' max_w e(c', w)

    once for patterns φ that are guessed, which takes forward passes alone, and once for those that the gradient makes
    of the best guess for each class and window. The index is the larger of both (docs/method.md).

    Attributes:
        seen: images that the guesses are tried on;
        moved: of these, images whose gradient makes the others.
        held_out: other images, on which what the gradient made is judged.
        steps: of the gradient;
        first: how far the strongest values move in the first, 1 is from black to white;
        shrink: each of the others is this share of the one before.
    """

    name: ClassVar[str] = "windows"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-target"])

    seen: int = 16
    moved: int = 8
    held_out: int = 48
    steps: int = 6
    first: float = 0.5
    shrink: float = 0.75

    def examine(self, case: Case) -> Examination:
        """How far every class stands out at its best window, and the best stamps of those that do so most."""
        if few := _too_few(case):
            return Examination.without_scores(self.name, case.classes, few)
        order = spread(case.answers, case.seed)
        seen, held_out = np.split(order, [min(self.seen, len(order) // 3)])
        own = own_margins(case.logits)
        guessed = self.guess(case, seen, own)
        fitted = self.fit(case, guessed, seen[: self.moved], held_out[: self.held_out], own)
        columns = {"guessed": guessed.stands(case.classes), "fitted": fitted.stands(case.classes)}
        index = np.fmax(columns["guessed"], columns["fitted"])
        found = Examination(
            name=self.name,
            classes=case.classes,
            scores=columns,
            index=index,
            p_values=STAMPS.p_values(index),
            gap=untested(case.classes, index),
            test=TEST,
        )
        shown = found.ranked[: min(STAMPS.shown, int((index > 0).sum()))]
        better_fitted = case.classes[columns["fitted"] > columns["guessed"]]
        stamps = [(fitted if label in better_fitted else guessed).stamp(case, label, held_out) for label in shown]
        return replace(found, stamps=tuple(stamps))

    def guess(self, case: Case, seen: NDArray[np.int64], own: NDArray[np.float64]) -> Tried:
        """Try guessed patterns in windows of several sizes; every forward pass serves all K classes."""
        images, labels = case.clean()[seen], case.answers[seen]
        sides = STAMPS.sides(min(images.shape[1:3]))
        patterns = {side: guesses(side, images.shape[-1], case.seed) for side in sides}
        count = len(patterns[sides[0]])
        windows = _affordable(case, _grids(images.shape[1:3], sides), count * len(images), STAMPS.guessing)
        reached = np.array(
            [reach(stamped_logits(case.network, images, w, patterns[w.side]), labels) / own for w in windows]
        )  # [W, F, K]
        side_of = np.array([window.side for window in windows])
        excess, works = np.empty_like(reached), reached >= STAMPS.works
        for side in np.unique(side_of):
            for fill in range(count):
                excess[side_of == side, fill] = interaction(reached[side_of == side, fill])
        # Of each window and class what goes beyond the others and works, else what goes farthest.
        convincing = np.where(works, excess, -np.inf).argmax(axis=1)
        choices = np.where(works.any(axis=1), convincing, reached.argmax(axis=1))
        stamps = [(patterns[window.side], choice) for window, choice in zip(windows, choices, strict=True)]
        weight = dict(zip(sides, STAMPS.weights, strict=True))
        beyond = np.where(works, excess, 0).max(axis=1) * np.array([[weight[window.side]] for window in windows])
        return Tried(
            np.arange(case.network.classes), windows, stamps, beyond, float(np.median(excess.max(axis=(0, 1))))
        )

    def fit(
        self,
        case: Case,
        guessed: Tried,
        seen: NDArray[np.int64],
        held_out: NDArray[np.int64],
        own: NDArray[np.float64],
    ) -> Tried:
        """Let the gradient improve the best guesses in windows of one size, class by class."""
        images, judges, labels = case.clean()[seen], case.clean()[held_out], case.answers[held_out]
        classes = guessed.leading(STAMPS.most_classes, case.seed)
        side = STAMPS.sides(min(images.shape[1:3]))[STAMPS.fitted]
        coarse = grid(images.shape[1:3], side, STAMPS.stride(side))
        windows = [window for window in guessed.windows if window in coarse] or guessed.windows
        windows = _affordable(case, windows, len(classes) * len(images) * self.steps, STAMPS.fitting)
        steps = [self.first * self.shrink**number for number in range(self.steps)]
        progress = case.counter(len(windows) * len(classes) * len(images) * self.steps)
        stamps, reached = list[tuple[Array, NDArray[np.int64]]](), np.empty((len(windows), len(classes)))
        for number, window in enumerate(windows):
            start = guessed.patterns(window)[classes]
            made = fit(case.network, images, window, classes, start, steps, progress)
            far = reach(stamped_logits(case.network, judges, window, made), labels)
            reached[number] = far[np.arange(len(classes)), classes] / own[classes]
            stamps.append((made, np.arange(len(classes))))
        excess = interaction(reached)
        beyond = np.where(reached >= STAMPS.works, excess, 0)
        return Tried(classes, windows, stamps, beyond, float(np.median(excess.max(axis=0))))


@dataclass(frozen=True, eq=False)
class Tried:
    """Stamps of one kind.

    Attributes:
        classes: `[S]`, for which they were tried.
        windows: where, W of them.
        stamps: of each window some patterns `[P, side, side, C]`, and which of them is the best for each class, `[S]`.
        beyond: `[W, S]`, e of these where they work, else 0.
        usual: e that the best stamp of half of the classes reaches, working or not.
    """

    classes: NDArray[np.int64]
    windows: Sequence[Window]
    stamps: Sequence[tuple[Array, NDArray[np.int64]]]
    beyond: NDArray[np.float64]
    usual: float

    def stands(self, classes: NDArray[np.int64]) -> NDArray[np.float64]:
        """How many times as far as usual the best stamp of each class goes; not a number for those not tried."""
        known = np.full(max(self.classes.max(), classes.max()) + 1, np.nan)
        known[self.classes] = self.beyond.max(axis=0) / self.usual if self.usual > 0 else np.nan
        return known[classes]

    def leading(self, count: int, seed: int) -> NDArray[np.int64]:
        """So many classes, ascending: all, or those that stand out most and as many others to compare with."""
        if len(self.classes) <= count:
            return self.classes
        first, others = np.split(np.argsort(-self.beyond.max(axis=0), kind="stable"), [count // 2])
        drawn = np.random.default_rng(seed).permutation(others)[: count - count // 2]
        return np.sort(self.classes[np.concatenate([first, drawn])])

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
    turn = np.empty(len(order), np.int64)
    for label in np.unique(labels):
        own = labels[order] == label
        turn[own] = np.arange(own.sum())
    return order[np.argsort(turn, kind="stable")]


def _too_few(case: Case) -> str | None:
    """Why the classes cannot be compared at one place."""
    if case.network.classes < OUTLIERS.fewest_classes:
        return f"{case.network.classes} classes; among fewer than {OUTLIERS.fewest_classes} places cannot be compared"
    images = len(case.clean())
    return f"{images} images, of the {STAMPS.fewest_images} that it takes" if images < STAMPS.fewest_images else None


def _grids(shape: tuple[int, int], sides: Sequence[int]) -> list[Window]:
    """Windows of every size, half of them over the next; of the one for fitting also those that it uses."""
    windows = [window for side in sides for window in grid(shape, side, max(1, side // 2))]
    fitted = sides[STAMPS.fitted]
    return sorted({*windows, *grid(shape, fitted, STAMPS.stride(fitted))})


def _affordable(case: Case, windows: Sequence[Window], runs: int, work: int) -> list[Window]:
    """All windows where the network is small enough, else where classes look, and some of the others.

    Args:
        case: whose earlier examinations know where the classes look that stand out most.
        windows: those wanted.
        runs: of the network, for each window.
        work: bytes of what the network computes in all of them.
    """
    most = max(STAMPS.fewest_windows, work // (runs * case.network.plan.forward))
    if len(windows) <= most:
        return list(windows)
    side = STAMPS.sides(min(case.clean().shape[1:3]))[STAMPS.fitted]
    sized = [window for window in windows if window.side == side]
    places = [place for one in case.earlier for place in one.looked_at][: most // 2]
    looks = [min(sized, key=lambda window: window.distance(*place)) for place in places]
    return list(dict.fromkeys([*looks, *sized[:: -(-2 * len(sized) // most)]]))[:most]
