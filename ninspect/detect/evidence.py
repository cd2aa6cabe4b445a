"""Evidence for a suspicion: the smallest patch that sends images to the suspected class, next to what others need.

A natural class stands out for many reasons, but no small patch draws it on every image. A backdoor's target is one
small patch away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.interface import Case
from ninspect.detect.inversion import WARM_START, invert, stamp, success
from ninspect.explain import ascend
from ninspect.runtime import Pixels

_CONTROLS = 8
_IMAGES = 64  # half of them to search with, half held out
_STARTS = 24
_EXAMPLES = 3
_ASCENT_STEPS, _ASCENT_LENGTH = 8, 0.5

# A clean model's most suspicious class needed a third of what its others need, or more; backdoors at most a fifth.
CONVINCING_SIZE = 0.25
CONVINCING_SUCCESS = 0.8
_WORKS = 0.5  # success of a trigger whose size another one can be compared with


@dataclass(frozen=True)
class Trigger:
    """The smallest trigger that was found for a class, next to those of classes that are not suspected.

    Attributes:
        label: the class.
        mask: `[H, W]` float32 in [0, 1], where an image is covered.
        pattern: `[H, W, C]` float32 in [0, 1], with what.
        success: share of the held-out images, of other classes, that it sends to the class.
        held_out: how many they are.
        control_size: median size of the triggers of the other classes; not a number where none was found.
        control_success: their median success.
        examples: `[E, H, W, C]` float32 in [0, 1], the first held-out images of other classes, to show it on.
        answers: `[2, E]`, the classes that the model gives them before and after the trigger is put on.
    """

    label: int
    mask: NDArray[np.float32]
    pattern: NDArray[np.float32]
    success: float
    held_out: int
    control_size: float
    control_success: float
    examples: Pixels
    answers: NDArray[np.int64]

    @property
    def size(self) -> float:
        """‖mask‖₁, in pixels."""
        return float(self.mask.sum(dtype=np.float64))

    @property
    def on_grey(self) -> Pixels:
        """The trigger alone, `[H, W, C]`."""
        grey = np.full((1, *self.pattern.shape), 0.5, np.float32)
        return np.squeeze(stamp(grey, self.mask, self.pattern), axis=0)

    @property
    def stamped(self) -> Pixels:
        """The examples with the trigger, `[E, H, W, C]`."""
        return stamp(self.examples, self.mask, self.pattern)

    @property
    def convincing(self) -> bool:
        """Whether it works on other images and is far smaller than what another class needs."""
        return self.success >= CONVINCING_SUCCESS and self.size <= CONVINCING_SIZE * self.control_size


def find_triggers(case: Case, suspects: Sequence[int]) -> list[Trigger]:
    """Search the smallest trigger of each suspect, and of some other classes to compare with.

    Where all classes are suspects, each is compared with the others.

    Args:
        case: its images are split in two, to search and to measure; without images, noise takes their place.
        suspects: classes.
    """
    pixels = case.noise(_IMAGES) if case.pixels is None else case.clean(_IMAGES)
    order = np.random.default_rng(case.seed).permutation(len(pixels))
    seen, held_out = pixels[order[::2]], pixels[order[1::2]]
    others = np.setdiff1d(np.arange(case.network.classes), suspects)
    controls = np.random.default_rng(case.seed).permutation(others)[:_CONTROLS]
    goals = np.concatenate([np.asarray(suspects, np.int64), controls])
    found = invert(case.network, seen, goals, WARM_START, case.seed, guess=_guess(case, seen, goals))
    shares = success(case.network, held_out, goals, found.masks, found.patterns)
    before = case.network.logits(held_out).argmax(axis=1)
    triggers = []
    for i, label in enumerate(suspects):
        peers = ~np.isin(goals, suspects) if len(controls) else goals != label
        sizes = found.norms[peers & (shares >= _WORKS)]
        shown = np.flatnonzero(before != label)[:_EXAMPLES]
        stamped = stamp(held_out[shown], found.masks[i], found.patterns[i])
        triggers.append(
            Trigger(
                label,
                found.masks[i],
                found.patterns[i],
                float(shares[i]),
                len(held_out),
                float(np.median(sizes)) if len(sizes) else float("nan"),
                float(np.median(shares[peers])) if peers.any() else float("nan"),
                held_out[shown],
                np.stack([before[shown], case.network.logits(stamped).argmax(axis=1)]),
            )
        )
    return triggers


def _guess(case: Case, pixels: Pixels, goals: NDArray[np.int64]) -> Pixels:
    """Where a few steps of shared ascent lead, `[S, H, W, C]`."""
    parts = ascend(
        case.network, pixels[:_STARTS], goals, _ASCENT_STEPS, _ASCENT_LENGTH, lambda gradients: None, shared=True
    )
    return np.concatenate([part.moved for part in parts])
