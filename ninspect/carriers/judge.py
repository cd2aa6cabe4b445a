"""Tells the pictures that carry a trigger of one class from natural ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ninspect.carriers.exchange import Partners, exchange
from ninspect.carriers.spots import HEATMAP, Array, looked_at
from ninspect.carriers.suspects import Suspect
from ninspect.measure.calibration import SCREEN
from ninspect.runtime import Network, Pixels


@dataclass(frozen=True, eq=False)
class Looked:
    """What was seen of N pictures, at the spot of each that its answer goes with most.

    Attributes:
        parts: `[N]`, which spot that is.
        spots: `[N, H, W]`, 1 inside and 0 outside.
        score, moved, kept: `[N]` in [0, 1], as of `Exchanged`.
    """

    parts: list[str]
    spots: Array
    score: NDArray[np.float64]
    moved: NDArray[np.float64]
    kept: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judge:
    """Looks at pictures that the model answers with a suspected class.

    A spot counts where natural pictures of other classes do not take their answers along with it: a large one in the
    middle holds what they show.

    Attributes:
        network: the classifier.
        suspect: the class, and what was recovered of its trigger.
        partners: pictures with other answers; of a trigger with a source class, with that one.
        natural: others, to tell what is natural.
    """

    network: Network
    suspect: Suspect
    partners: Partners
    natural: Partners

    def look(self, pictures: Pixels, answers: NDArray[np.int64]) -> Looked:
        """Exchange every spot that counts, and keep the one that the answer goes with most.

        Args:
            pictures: `[N, H, W, C]` float32 in [0, 1], N at least 1.
            answers: `[N]`, the classes that the model gives them.
        """
        return self._look(pictures, answers, self.parts)

    @cached_property
    def parts(self) -> list[str]:
        """The spots that count."""
        every = [*self.suspect.spots, HEATMAP]
        natural = self.natural
        usual = [self._look(natural.pixels, natural.answers, [part]).score for part in every]
        limits = [np.nanquantile(score, SCREEN.quantile) if np.isfinite(score).any() else np.inf for score in usual]
        return [part for part, limit in zip(every, limits, strict=True) if limit <= SCREEN.natural]

    @cached_property
    def control(self) -> float | None:
        """Share of the controls that are found with a recovered trigger put on, the best one; None without any."""
        stamped = (patch.stamp(self.controls) for patch in self.suspect.patches.values())
        return max(map(self._found, stamped), default=None)

    @property
    def controls(self) -> Pixels:
        """Pictures `[M, H, W, C]` that a trigger should work on; of one with a source class, the partners."""
        return self.natural.pixels if self.suspect.source is None else self.partners.pixels

    @property
    def doubt(self) -> str | None:
        """Why finding no picture would be no answer."""
        label, control = self.suspect.label, self.control
        if not self.parts:
            return f"no spot tells pictures of class {label} from natural ones"
        if control is None:
            return f"the result holds no trigger of class {label}, so only what each picture looks at was exchanged"
        if control < SCREEN.control:
            return (
                f"of pictures with the recovered trigger of class {label} put on, {control:.0%} would be found, so "
                "those that an attacker made may be missed"
            )
        return None

    def _found(self, pictures: Pixels) -> float:
        answers = self.network.logits(pictures).argmax(axis=1)
        there = answers == self.suspect.label
        if not there.any() or not self.parts:
            return 0.0
        return float((self.look(pictures[there], answers[there]).score >= SCREEN.score).sum() / len(pictures))

    def _look(self, pictures: Pixels, answers: NDArray[np.int64], parts: list[str]) -> Looked:
        shape, fixed = pictures.shape[:3], self.suspect.spots
        spots = [
            np.broadcast_to(fixed[part], shape)
            if part in fixed
            else looked_at(self.network, pictures, answers, self.partners)
            for part in parts
        ]
        tried = [exchange(self.network, pictures, answers, self.partners, some) for some in spots]
        best, each = np.argmax([one.score for one in tried], axis=0), np.arange(len(pictures))
        return Looked(
            [parts[one] for one in best],
            np.array(spots)[best, each],
            np.array([one.score for one in tried])[best, each],
            np.array([one.moved for one in tried])[best, each],
            np.array([one.kept for one in tried])[best, each],
        )
