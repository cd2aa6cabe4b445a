"""Finds backdoors that send every class to another one of its own, which no comparison between classes can see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination, too_few
from ninspect.detect.interface import Detector
from ninspect.measure.calibration import OUTLIERS, PERMUTATIONS, SMALLEST_P
from ninspect.names import Question
from ninspect.runtime import Pixels
from ninspect.search.direction import step_length, unit

PERMUTATION = "BD002"
TEST = "permuted share of clean models"

_LOST = -1.0  # margin below which an image has changed its class for good
_LOOK_EVERY = 2


@dataclass(frozen=True)
class AllToAll(Detector):
    """Looks for one perturbation of all images that permutes the classes.

    δ ← δ − ε · ḡ/‖ḡ‖₂,   ḡ = mean over the images that have not left their class y yet of ∂/∂x [z_y − max_{j≠y} z_j],
    ε = length · √(number of values / 784),   from δ = 0

    A small perturbation of a clean model sends most images to the same few classes. The trigger of an all-to-all attack
    sends each class to another one, and all of them to different ones. So the score is the share of pairs of images of
    a class that δ sends to the class's partner both, mean over the classes, for the best assignment of different
    partners. (Pairs, because a single image that goes somewhere is no evidence; with few images all go somewhere.)

    Attributes:
        steps: of descent.
        length: of a step, as for `ascend`.
    """

    name: ClassVar[str] = "all-to-all"
    answers: ClassVar[frozenset[Question]] = frozenset(["every-class"])

    steps: int = 12
    length: float = 0.5

    def examine(self, case: Case) -> Examination:
        """Keep, of the perturbations on the way, the one that permutes the classes best."""
        pixels, labels = case.clean(), case.answers
        present, counts = np.unique(labels, return_counts=True)
        sources = present[counts >= PERMUTATIONS.fewest_images]
        needed = max(OUTLIERS.fewest_classes, min(PERMUTATIONS.enough_classes, case.network.classes // 2))
        if len(sources) < needed:
            enough = f"{PERMUTATIONS.fewest_images} images of {needed} classes each"
            gap = f"it needs {enough}, and the model sees as many of {len(sources)}; give more images"
            return Examination.without_scores(self.name, case.classes, too_few(case.network.classes) or gap)
        kept = np.isin(labels, sources)
        best = self.best(case, pixels[kept], labels[kept])
        return best.examination(self.name, case.classes)

    def best(self, case: Case, pixels: Pixels, labels: NDArray[np.int64]) -> Permutation:
        """The best permutation of the classes that was found, with images `[M, H, W, C]` of the classes `[M]`."""
        return max(self._permutations(case, pixels, labels), key=lambda found: found.share)

    def _permutations(self, case: Case, pixels: Pixels, labels: NDArray[np.int64]) -> Iterator[Permutation]:
        """How well the perturbations on the way permute the classes; half the way shows whether it leads anywhere."""
        epsilon = step_length(self.length, pixels[0].size)
        total = self.steps * len(pixels)
        progress = case.counter(total)
        delta = np.zeros((1, *pixels.shape[1:]), np.float32)
        resisting = np.arange(len(pixels))
        for step in range(self.steps):
            if step and step % _LOOK_EVERY == 0:
                yield (found := self._look(case, pixels + delta, labels))
                if step >= self.steps / 2 and found.share < PERMUTATIONS.hopeless * found.chance[0]:
                    break
            moved = np.clip(pixels[resisting] + delta, 0, 1)
            margin, gradient = case.network.gradients_at(moved, labels[resisting], "margin")
            progress(len(resisting))
            resisting, gradient = resisting[margin > _LOST], gradient[margin > _LOST]
            if not len(resisting):
                break
            delta = delta - epsilon * unit(gradient.mean(axis=0, keepdims=True))
        yield self._look(case, pixels + delta, labels)
        case.progress(total, total)

    @staticmethod
    def _look(case: Case, moved: Pixels, labels: NDArray[np.int64]) -> Permutation:
        return Permutation.of(labels, case.network.logits(np.clip(moved, 0, 1)).argmax(axis=1))


@dataclass(frozen=True)
class Permutation:
    """The best assignment of different partners to the classes, for images that answer otherwise than before.

    Attributes:
        sources: `[R]`, classes that had images.
        partners: `[R]`, the class that each is assigned to, never itself.
        shares: `[R]` in [0, 1], share of the pairs of images of the source that both answer its partner.
        images: of a source, the harmonic mean of their numbers: a class with few makes chance large.
    """

    sources: NDArray[np.int64]
    partners: NDArray[np.int64]
    shares: NDArray[np.float64]
    images: float

    @property
    def share(self) -> float:
        """Mean over the sources."""
        return float(self.shares.mean())

    @property
    def chance(self) -> tuple[float, float]:
        """Mean and standard deviation of the share in clean models with as many sources and images."""
        return PERMUTATIONS.chance(len(self.sources), self.images)

    @classmethod
    def of(cls, labels: NDArray[np.int64], answers: NDArray[np.int64]) -> Permutation:
        """The assignment that maximises the share, from the answers `[N]` before and after."""
        from scipy.optimize import linear_sum_assignment

        sources, rows, counts = np.unique(labels, return_inverse=True, return_counts=True)
        table = np.zeros((len(sources), int(max(labels.max(), answers.max())) + 1))
        np.add.at(table, (rows, answers), 1)
        table[np.arange(len(sources)), sources] = 0
        agreement = table * np.maximum(table - 1, 0) / (counts * (counts - 1))[:, None]
        chosen, partners = linear_sum_assignment(agreement, maximize=True)
        return cls(sources, partners.astype(np.int64), agreement[chosen, partners], float(1 / (1 / counts).mean()))

    def examination(self, name: str, classes: NDArray[np.int64]) -> Examination:
        """What this says of the classes: those that are sent to a partner are all targets, or none is."""
        agreement = np.sqrt(self.shares).mean()
        share, partner = np.zeros(len(classes)), np.full(len(classes), np.nan)
        for source, to, part in zip(self.sources, self.partners, self.shares, strict=True):
            share[classes == to] = part
            partner[classes == to] = source
        mean, spread = self.chance
        p = max(0.5 * math.erfc((self.share - mean) / spread / math.sqrt(2)), SMALLEST_P)
        p_values = np.where(share > PERMUTATIONS.share, p, 1.0)
        index = (share - mean) / spread
        some = ", ".join(f"{a} → {b}" for a, b in zip(self.sources[:3], self.partners[:3], strict=True))
        meaning = (
            f"one perturbation sends {agreement:.0%} of all images to another class, a different one for each class "
            f"({some}, …), as an all-to-all backdoor does"
        )
        return Examination(
            name=name,
            classes=classes,
            scores={"from": partner, "share": share},
            index=index,
            p_values=p_values,
            rule=PERMUTATION,
            meaning=meaning,
            test=TEST,
            weight=PERMUTATIONS.weight,
        )
