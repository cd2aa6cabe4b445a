"""Clean images, and triggers that a network has: those that a scan has recovered, and what is found anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ninspect.remedy.goals import Goal
from ninspect.runtime import Network, Pixels
from ninspect.search.faint import FAINTEST, faintest
from ninspect.search.inversion import WARM_START, invert
from ninspect.search.patch import Patch


@dataclass(frozen=True, eq=False)
class Examples:
    """Images that a network is measured on.

    Attributes:
        pixels: `[N, H, W, C]` float32 in [0, 1].
        answers: `[N]`, the classes that the network gave them before.
        labels: `[N]`, their classes; None where they are not known.
    """

    pixels: Pixels
    answers: NDArray[np.int64]
    labels: NDArray[np.int64] | None

    def __getitem__(self, part: NDArray[np.int64]) -> Examples:
        """Some of them, by their positions."""
        labels = None if self.labels is None else self.labels[part]
        return Examples(self.pixels[part], self.answers[part], labels)


class Change(Protocol):
    """What is done to images."""

    def stamp(self, images: Pixels) -> Pixels:
        """The images `[N, H, W, C]` with the trigger on each."""


@dataclass(frozen=True, eq=False)
class Faint:
    """A pattern that is added to images.

    Attributes:
        delta: `[H, W, C]`.
    """

    delta: Pixels

    def stamp(self, images: Pixels) -> Pixels:
        """clip(x + δ, 0, 1)."""
        return np.asarray(np.clip(images + self.delta, 0, 1))


@dataclass(frozen=True, eq=False)
class Threat:
    """A trigger, and which images it is for.

    Attributes:
        goal: what it does.
        change: the trigger.
    """

    goal: Goal
    change: Change


def find(
    network: Network,
    fit: Examples,
    goal: Goal,
    count: int,
    seed: int,
    progress: Callable[[int], None] = lambda gradients: None,
) -> tuple[Patch, *tuple[Change, ...]]:
    """The smallest trigger that does what a goal wants, and the faintest where all images go to one class.

    Args:
        network: the classifier.
        fit: clean images.
        goal: where they shall go.
        count: how many images are looked at.
        seed: which of them, and where the search starts.
        progress: called with the number of gradients computed since the last call.
    """
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(goal.sent(fit.answers)))[:count]
    images, wanted = fit.pixels[chosen], goal.wanted[fit.answers[chosen]]
    if len(set(wanted.tolist())) > 1:
        return (invert(network, images, wanted[None], WARM_START, seed, progress)[0],)
    guess = faintest(network, images, wanted[:1], progress, FAINTEST)
    patch = invert(network, images, wanted[:1], WARM_START, seed, progress, guess)[0]
    return (patch, Faint(guess[0]), Faint(2 * guess[0]))


def threats_of(
    network: Network,
    fit: Examples,
    goals: Sequence[Goal],
    count: int,
    seed: int,
    progress: Callable[[int], None] = lambda gradients: None,
) -> list[Threat]:
    """The triggers that a scan has recovered for the goals, and what is found anew with other images."""
    known = [Threat(goal, patch) for goal in goals for patch in goal.patches]
    return known + [
        Threat(goal, change) for goal in goals for change in find(network, fit, goal, count, seed, progress)
    ]
