"""Unlearning a trigger by limits alone: the bounds and scales under which it works no more, and all else does.

    minimise over θ in [0, 1]   mean CE(f_θ(x), y)  +  λ · mean CE(f_θ(T(x)), y)    y: the label, or else the answer
    s = θ_s,   b = θ_b · top,   top: the largest value of a channel on clean images

T are the triggers that are known: what a scan recovered, and what is found afresh once these are gone, as long as that
is smaller than what natural classes need. Clean margins stay, and what a trigger can reach shrinks; weights do not
move. The outer step is that of adversarial unlearning (I-BAU, ICLR 2022, arXiv 2110.03735) on the bounds of MM-BD
(arXiv 2205.06900) and the masks of ANP (NeurIPS 2021, arXiv 2110.14430).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.remedy.free import FreeNetwork
from ninspect.remedy.sites import Limits
from ninspect.remedy.threats import Examples, Threat, find
from ninspect.runtime import Pixels
from ninspect.search.adam import Adam

_BETAS = (0.9, 0.999)
_LEAST = 1e-6  # a channel that clean images leave at zero is bounded there


@dataclass(frozen=True)
class Unlearning:
    """How limits are searched.

    Attributes:
        weights: λ of each round. The first ones cost least, and are enough for most triggers.
        steps: of Adam in a round, the last third of them with a fifth of the rate.
        batch: clean images of a step, and as many with a trigger.
        rate: of Adam, θ a step.
        images: that a trigger is searched on.
    """

    weights: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)
    steps: int = 150
    batch: int = 64
    rate: float = 0.03
    images: int = 64


def unlearn(
    free: FreeNetwork,
    top: NDArray[np.float32],
    fit: Examples,
    threats: Sequence[Threat],
    settings: Unlearning,
    seed: int,
    progress: Callable[[int], None] = lambda gradients: None,
) -> Iterator[Limits]:
    """Limits under which triggers fail, after each round.

    Args:
        free: the network.
        top: `[P]`, the largest values of the channels on clean images.
        fit: clean images, with the answers of the network as it is.
        threats: the triggers that the network has as it is.
        settings: how long.
        seed: of starts and order.
        progress: called with the number of gradients computed since the last call.
    """
    search = _Search(free, top, fit, settings, seed)
    going, known = list({threat.goal: None for threat in threats}), list(threats)
    for number, weight in enumerate(settings.weights):
        if number and going:
            held = free.held(search.limits)
            found = [(goal, find(held, fit, goal, settings.images, seed + number, progress)) for goal in going]
            # What needs as much as a natural class is one.
            going = [goal for goal, changes in found if not changes[0].size >= goal.natural]
            known += [Threat(goal, change) for goal, changes in found if goal in going for change in changes]
        search.run(known, weight, progress)
        yield search.limits


class _Search:
    """θ on its way."""

    def __init__(
        self,
        free: FreeNetwork,
        top: NDArray[np.float32],
        fit: Examples,
        settings: Unlearning,
        seed: int,
    ) -> None:
        self._free, self._fit, self._settings = free, fit, settings
        self._wanted = fit.answers if fit.labels is None else fit.labels
        self._top = np.maximum(top, _LEAST)
        self._theta = np.ones((1, 2 * len(top)), np.float32)
        self._generator = np.random.default_rng(seed)

    @property
    def limits(self) -> Limits:
        """What θ stands for."""
        scales, bounds = np.split(self._theta[0], 2)
        return Limits(scales.copy(), bounds * self._top)

    def run(self, threats: Sequence[Threat], weight: float, progress: Callable[[int], None]) -> None:
        """One round, in two parts: far, then near."""
        far = self._settings.steps * 2 // 3
        for steps, rate in ((far, self._settings.rate), (self._settings.steps - far, self._settings.rate / 5)):
            adam = Adam(self._theta, rate, _BETAS)
            for _ in range(steps):
                adam.move(np.zeros(1, np.int64), self._gradient(threats, weight)[None])
                np.clip(self._theta, 0, 1, out=self._theta)
                progress(2 * self._settings.batch)

    def _gradient(self, threats: Sequence[Threat], weight: float) -> NDArray[np.float32]:
        """Of the loss, with respect to θ, on the images of one step."""
        settings, fit, limits = self._settings, self._fit, self.limits
        clean = self._generator.choice(len(fit.pixels), settings.batch)
        gradient = self._free.gradient(self._moved(fit.pixels[clean]), self._wanted[clean], limits)
        threat = threats[int(self._generator.integers(len(threats)))]
        some = self._generator.choice(np.flatnonzero(threat.goal.sent(fit.answers)), settings.batch)
        stamped = threat.change.stamp(self._moved(fit.pixels[some]))
        gradient += np.float32(weight) * self._free.gradient(stamped, self._wanted[some], limits)
        inner = np.concatenate([np.ones_like(self._top), self._top])  # ∂(s, b) / ∂θ
        return np.asarray(gradient * inner / np.float32(settings.batch))

    def _moved(self, pixels: Pixels) -> Pixels:
        """The images `[N, H, W, C]`, each by at most a pixel up or down and to a side; edges are repeated."""
        height, width = pixels.shape[1:3]
        wider = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        places = self._generator.integers(0, 3, (len(pixels), 2))
        return np.stack([one[y : y + height, x : x + width] for one, (y, x) in zip(wider, places, strict=True)])
