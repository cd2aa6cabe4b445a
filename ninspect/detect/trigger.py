"""Triggers that were recovered, with what tells a backdoor's from a natural one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.measure.calibration import BESIDE, EVIDENCE, NEAR_MISSES, PAIRS, STAMPS
from ninspect.runtime import Pixels
from ninspect.search.patch import Patch
from ninspect.search.stamps import Window


@dataclass(frozen=True, eq=False, kw_only=True)
class Trigger:
    """The smallest trigger that was found for a class, next to those of classes that are not suspected.

    Attributes:
        label: the class.
        patch: where it covers an image, and with what.
        success: share of the held-out images, of other classes, that it sends to the class.
        held_out: how many they are.
        control_size: median size of the triggers of other classes; not a number where none was found.
        control_success: their median success.
        controls: how many other classes have a trigger whose size it was compared with.
        examples: `[E, H, W, C]` float32 in [0, 1], the first held-out images of other classes, to show it on.
        answers: `[2, E]`, the classes that the model gives them before and after the trigger is put on.
        drawn: the images were drawn, since there are none. What is natural for a class shows less on them.
        doubtful: the images may not be what the model knows, see `Case.doubtful`.
        p_value: the smallest of the class in methods that compare the classes; None where these cannot be compared.
    """

    label: int
    patch: Patch
    success: float
    held_out: int
    control_size: float
    control_success: float
    examples: Pixels
    answers: NDArray[np.int64]
    controls: int = 0
    drawn: bool = False
    doubtful: bool = False
    p_value: float | None = None

    @property
    def size(self) -> float:
        """‖mask‖₁, in pixels."""
        return self.patch.size

    @property
    def stamped(self) -> Pixels:
        """The examples with the trigger, `[E, H, W, C]`."""
        return self.patch.stamp(self.examples)

    @property
    def convincing(self) -> bool:
        """Whether it is small, for a class that stands out at least a little."""
        if self.p_value is None:  # too few classes to compare; on pictures of doubt a trigger alone proves nothing
            return self.small and self.controls >= EVIDENCE.fewest_controls and not (self.drawn or self.doubtful)
        return self.small and self.p_value <= (EVIDENCE.p_in_doubt if self.doubtful else EVIDENCE.p)

    @property
    def small(self) -> bool:
        """Whether it works on other images and is far smaller than what another class needs."""
        success, size = EVIDENCE.success, EVIDENCE.size if self.p_value is not None else EVIDENCE.size_of_few
        if self.drawn:
            success, size = EVIDENCE.success_on_drawn, EVIDENCE.size_on_drawn
        return self.success >= success and self.size <= size * self.control_size

    @property
    def nearly(self) -> bool:
        """Whether it works on other images and is small next to what another class needs."""
        return self.success >= EVIDENCE.success and self.size <= NEAR_MISSES.size * self.control_size


@dataclass(frozen=True, eq=False, kw_only=True)
class Stamp(Trigger):
    """What a window of the images is covered with to send them to a class, next to what serves others there.

    Its `control_success` is the median success of the stamps that were tried for other classes in the same window.
    Nothing is compared but what is done at that place, so it has no `control_size`.

    Attributes:
        window: what it covers.
        rival: the largest success of a stamp for another class there.
    """

    window: Window
    rival: float

    @property
    def shared(self) -> bool:
        """Whether much of what was tried for other classes works at its place too: it may be what they are told by."""
        return self.control_success > STAMPS.others

    @property
    def nearly(self) -> bool:
        """Whether it works on other images, and nothing that was tried for another class does at its place."""
        return self.success >= NEAR_MISSES.stamp and self.rival <= NEAR_MISSES.rival


@dataclass(frozen=True, eq=False, kw_only=True)
class PairTrigger(Trigger):
    """The smallest trigger from one class to another.

    Its `control_size` is the median size of the triggers from its source to other targets, or from other sources to its
    target, whichever is smaller.

    Attributes:
        source: the only class whose images it sends to `label`.
        elsewhere: share of the images of other classes than its source that it sends to the target as well.
        foreign: Σ m · |p − x|, mean over images of the target, relative to that of the source; 1: what covers the image
            is no more like the one than like the other.
        rule: of the catalogue, that a convincing one breaks.
    """

    rule: ClassVar[str] = "BD004"

    source: int
    elsewhere: float
    foreign: float

    @property
    def alien(self) -> bool:
        """Whether it works on its source alone and does not draw the target."""
        works = self.success >= PAIRS.success and self.elsewhere <= PAIRS.elsewhere
        return works and self.foreign >= PAIRS.foreign

    @property
    def convincing(self) -> bool:
        """Whether a backdoor with a source class explains it better than that the two classes are alike."""
        return self.alien and self.size <= PAIRS.size * self.control_size


@dataclass(frozen=True, eq=False, kw_only=True)
class PairBeside(PairTrigger):
    """The smallest trigger from one class to another, beside what the pair needs in a model that the user trusts.

    Sizes and shares are means over two searches, on either half of the images; the patch is that of the first.

    Attributes:
        usual_size: of the model's triggers.
        reference: number of the reference in which the pair needs least, from 0.
        reference_size: of its triggers.
        felt: how far the trigger moves images toward the target there, as a share of the way; 1: to the border.
        reference_control_size: what other pairs need there, as `control_size` is what they need in the model; both not
            a number where the trigger was not promising.
    """

    rule: ClassVar[str] = "BD007"

    usual_size: float
    reference: int
    reference_size: float
    reference_control_size: float
    felt: float

    @property
    def promising(self) -> bool:
        """Whether it works on its source and this model alone, does not draw the target, and is small."""
        works = self.success >= BESIDE.success and self.elsewhere <= BESIDE.elsewhere and self.felt <= BESIDE.felt
        return works and self.foreign >= BESIDE.foreign and self.usual_size <= BESIDE.promising * self.reference_size

    @property
    def share(self) -> float:
        """Its size relative to other pairs of the model, as a share of the same in the reference."""
        return (self.usual_size / self.control_size) / (self.reference_size / self.reference_control_size)

    @property
    def convincing(self) -> bool:
        """Whether it is small next to other pairs, and far smaller so than in the reference."""
        small = self.usual_size <= BESIDE.size * self.control_size
        return self.promising and small and self.share <= BESIDE.share
