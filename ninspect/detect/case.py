"""What detectors look at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ninspect.measure.calibration import IMAGES
from ninspect.runtime import Network, Pixels
from ninspect.samples.drawn import drawn, spread_over_answers

if TYPE_CHECKING:
    from ninspect.detect.examination import Examination

# Where there are no images: how many pictures are drawn, with how many values in all, and how many are looked at.
_DRAWN, _VALUES, _CHOSEN = 600, 2**26, 200
# Called with (gradients computed, gradients in total).
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Case:
    """What detectors look at.

    Attributes:
        network: the classifier.
        pixels: `[N, H, W, C]` float32 in [0, 1], clean images; None where there are none: then pictures are drawn.
        classes: `[S]` int64, the classes to judge.
        seed: of every random choice.
        progress: to be called from time to time.
        earlier: what the detectors before found, in order.
        labelled: the images have labels, so that it shows whether the model knows them.
        assumed: neither settings nor labels tell in what form the model takes its images.
        references: models that the user trusts, with the same images, and with their classes in the order of the model.
    """

    network: Network
    pixels: Pixels | None
    classes: NDArray[np.int64]
    seed: int
    progress: Progress
    earlier: list[Examination] = field(default_factory=list)
    labelled: bool = True
    assumed: bool = False
    references: tuple[Case, ...] = ()

    @cached_property
    def _pictures(self) -> Pixels:
        if self.pixels is not None:
            return self.pixels
        shape = self.network.input_map.image_shape
        pictures = drawn(max(_CHOSEN, min(_DRAWN, _VALUES // math.prod(shape))), shape, self.seed)
        return pictures[spread_over_answers(self.network.logits(pictures), _CHOSEN)]

    @cached_property
    def logits(self) -> NDArray[np.float32]:
        """Of the clean images, `[N, K]`; asked of the network once, for all that look at them."""
        return self.network.logits(self.clean())

    @property
    def answers(self) -> NDArray[np.int64]:
        """The class that the model gives each clean image, `[N]`."""
        return np.asarray(self.logits.argmax(axis=1))

    @cached_property
    def confidence(self) -> float:
        """Median over the clean images of the largest probability, 1 / Σ_c exp(z_c − max z)."""
        logits = self.logits.astype(np.float64)
        return float(np.median(1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)))

    @property
    def unsure(self) -> bool:
        """Whether there are no labels, and the model seems not to know the images."""
        return self.pixels is not None and not self.labelled and self.confidence < IMAGES.known

    @property
    def doubtful(self) -> bool:
        """Whether the images may not be what the model knows, or not in the form that it takes."""
        return self.pixels is not None and (self.assumed or self.unsure)

    def counter(self, total: int) -> Callable[[int], None]:
        """Takes numbers of new gradients and reports progress toward `total`."""
        done = 0

        def count(gradients: int) -> None:
            nonlocal done
            done += gradients
            self.progress(done, total)

        return count

    def clean(self, count: int | None = None) -> Pixels:
        """The clean images, `[M, H, W, C]`: all, or `count`, always the same ones; drawn where none were given."""
        return self._pictures if count is None else self._pictures[self.chosen(count)]

    def chosen(self, count: int) -> NDArray[np.int64]:
        """Positions of `count` of the clean images, ascending; always the same ones."""
        return np.sort(np.random.default_rng(self.seed).permutation(len(self._pictures))[:count])

    def noise(self, count: int) -> Pixels:
        """`count` images of uniform noise, `[M, H, W, C]`; always the same ones."""
        shape = (count, *self.network.input_map.image_shape)
        return np.random.default_rng(self.seed).random(shape, dtype=np.float32)
