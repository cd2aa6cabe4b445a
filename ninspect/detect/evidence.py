"""Evidence for a suspicion: the smallest patch that sends images to the suspected class, next to what others need.

A natural class stands out for many reasons, but no small patch draws it on every image. A backdoor's target is one
small patch away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.interface import Case
from ninspect.runtime import Pixels
from ninspect.search.faint import FAINTEST, faintest
from ninspect.search.inversion import WARM_START, Triggers, invert, success
from ninspect.search.patch import stamp

_CONTROLS = 8
_IMAGES = 64  # half of them to search with, half held out
_EXAMPLES = 3

CONVINCING_SIZE = 0.3  # of what the other classes need (docs/method.md)
CONVINCING_SUCCESS = 0.7
WORKS = 0.5  # success of a trigger whose size another one can be compared with


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """The smallest trigger that was found for a class, next to those of classes that are not suspected.

    Attributes:
        label: the class.
        mask: `[H, W]` float32 in [0, 1], where an image is covered.
        pattern: `[H, W, C]` float32 in [0, 1], with what.
        success: share of the held-out images, of other classes, that it sends to the class.
        held_out: how many they are.
        control_size: median size of the triggers of other classes; not a number where none was found.
        control_success: their median success.
        examples: `[E, H, W, C]` float32 in [0, 1], the first held-out images of other classes, to show it on.
        answers: `[2, E]`, the classes that the model gives them before and after the trigger is put on.
        source: the only class whose images it sends there; None: those of all classes.
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
    source: int | None = None

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

    The search starts from the faintest pattern that sends images there: of a trigger that is blended over the image,
    nothing smaller is found from elsewhere. Each is compared with all others, suspects among them, since in some clean
    models half of the classes have small ones.

    Args:
        case: its images are split in two, to search and to measure.
        suspects: classes.

    Raises:
        InconclusiveError: there are no images.
    """
    pixels = case.clean(_IMAGES)
    order = np.random.default_rng(case.seed).permutation(len(pixels))
    seen, held_out = pixels[order[::2]], pixels[order[1::2]]
    others = np.setdiff1d(np.arange(case.network.classes), suspects)
    controls = np.random.default_rng(case.seed).permutation(others)[:_CONTROLS]
    goals = np.concatenate([np.asarray(suspects, np.int64), controls])
    total = len(goals) * len(seen) * (FAINTEST.steps + WARM_START.steps)
    progress = case.counter(total)
    found = smallest_triggers(case, seen, goals, progress)
    case.progress(total, total)
    shares = success(case.network, held_out, goals, found.masks, found.patterns)
    triggers = []
    for i, label in enumerate(suspects):
        peers = goals != label
        sizes = found.norms[peers & (shares >= WORKS)]
        shown, answers = examples(case, held_out, label, found.masks[i], found.patterns[i])
        triggers.append(
            Trigger(
                label=label,
                mask=found.masks[i],
                pattern=found.patterns[i],
                success=float(shares[i]),
                held_out=len(held_out),
                control_size=float(np.median(sizes)) if len(sizes) else float("nan"),
                control_success=float(np.median(shares[peers])),
                examples=shown,
                answers=answers,
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
    case: Case, images: Pixels, label: int, mask: NDArray[np.float32], pattern: NDArray[np.float32]
) -> tuple[Pixels, NDArray[np.int64]]:
    """The first images of other classes, `[E, H, W, C]`, and their answers without and with the trigger, `[2, E]`."""
    before = case.network.logits(images).argmax(axis=1)
    shown = np.flatnonzero(before != label)[:_EXAMPLES]
    after = case.network.logits(stamp(images[shown], mask, pattern)).argmax(axis=1)
    return images[shown], np.stack([before[shown], after])
