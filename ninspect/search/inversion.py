"""Trigger inversion: the smallest patch that sends images to a class (Neural Cleanse, IEEE S&P 2019).

    x' = (1 − m) · x + m · p        mask m `[H, W]` and pattern p `[H, W, C]`, both in [0, 1]
    minimise  mean over images of cross-entropy(f(x'), c)  +  cost · ‖m‖₁

Source: Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao, "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in
Neural Networks". All classes, and all starts of a class, advance together in one batch of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ninspect.measure.features import of_strongest
from ninspect.runtime import Network, Pixels
from ninspect.search.adam import Adam
from ninspect.search.patch import Patch, stamp

Array = NDArray[np.float32]

_FIRST_COST = 1e-3
_HOLD = 5  # steps in a row before the cost moves
_BETAS = (0.5, 0.9)
_RAISE, _LOWER = 2.0, 2.0**-1.5
_EDGE = 0.02  # masks and patterns start at least as far from 0 and 1, where tanh has a gradient


@dataclass(frozen=True)
class Inversion:
    """How a trigger is searched.

    Attributes:
        steps: at most.
        batch: images of a mini-batch, for every goal and start.
        batches: mini-batches of a step, each followed by a move; the mask of the last counts, with the success in all.
        starts: random starts per goal; the smallest mask counts.
        rate: of Adam.
        success: share of a step's images that a mask must send where it shall, to count.
        patience: steps without a smaller mask after which a search ends, once the cost has moved both ways.
    """

    steps: int = 1000
    batch: int = 32
    batches: int = 1
    starts: int = 1
    rate: float = 0.1
    success: float = 0.99
    patience: int = 25


# From the faintest pattern, and with all images in every step (up to 64), masks are as small, as near the true trigger
# and as good on other images as after 1000 steps from a random start, for a fourth of the gradients.
WARM_START = Inversion(steps=40, batch=64, rate=0.3)


class Penalty(Protocol):
    """What else a trigger shall be than small; a term of the loss."""

    def __call__(
        self,
        network: Network,
        images: Pixels,
        classes: NDArray[np.int64],
        mask: Array,
        pattern: Array,
        cost: NDArray[np.float64],
    ) -> tuple[Array, Array]:
        """Its gradients with respect to masks and patterns, of their shapes.

        Args:
            network: the classifier.
            images: `[N, H, W, C]` of the mini-batch, without triggers.
            classes: `[T, N]` that each trigger shall send them to.
            mask: `[T, H, W]` in [0, 1].
            pattern: `[T, H, W, C]` in [0, 1].
            cost: `[T]` of ‖m‖₁ at this step.
        """
        ...


@dataclass(frozen=True)
class Triggers:
    """What was found for each of S goals.

    Attributes:
        masks: `[S, H, W]` float32 in [0, 1].
        patterns: `[S, H, W, C]` float32 in [0, 1].
    """

    masks: Array
    patterns: Array

    def __getitem__(self, goal: int) -> Patch:
        """The trigger of one goal, by its place among the S."""
        return Patch(self.masks[goal], self.patterns[goal])

    @property
    def norms(self) -> NDArray[np.float64]:
        """‖m‖₁ `[S]`: the size of a trigger in pixels."""
        return np.asarray(self.masks.sum(axis=(1, 2), dtype=np.float64))


def invert(
    network: Network,
    images: Pixels,
    goals: NDArray[np.int64],
    settings: Inversion,
    seed: int,
    progress: Callable[[int], None] = lambda gradients: None,
    guess: Pixels | None = None,
    penalty: Penalty | None = None,
) -> Triggers:
    """Search the smallest trigger for each goal.

    Args:
        network: the classifier.
        images: `[N, H, W, C]` float32 in [0, 1], clean.
        goals: `[S]`, a class for each trigger; or `[S, N]`, a class for each trigger and image.
        settings: how long, and with how many images.
        seed: of the starts and the order of the images.
        progress: called with the number of gradients computed since the last call.
        guess: `[S, H, W, C]`, perturbations that already lead toward each goal; its first start.
        penalty: what else counts than success and size.
    """
    goals = _each(goals, len(images))
    rows = min(settings.batch, len(images))
    found = []
    for some in network.plan.goals(len(goals), settings.starts * rows * images[0].nbytes):
        starts = _random(len(goals[some]), settings.starts, images.shape[1:], seed)
        if guess is not None:
            starts[0][:, 0], starts[1][:, 0] = _from_perturbation(guess[some])
        search = _Search(*starts, settings, penalty)
        order = _Order(len(images), rows, seed)
        for _ in range(settings.steps):
            chosen = [order.next() for _ in range(settings.batches)]
            progress(search.step(network, [(images[batch], goals[some, batch]) for batch in chosen]))
            if len(search.going) == 0:
                break
        found.append(search.smallest())
    masks, patterns = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Triggers(masks, patterns)


def success(
    network: Network,
    images: Pixels,
    answers: NDArray[np.int64],
    goals: NDArray[np.int64],
    triggers: Triggers | Sequence[Patch],
) -> NDArray[np.float64]:
    """Share of the images that each trigger sends where it shall, without those that are there anyway.

    Args:
        network: the classifier.
        images: `[N, H, W, C]`, for evidence such as no trigger was made from.
        answers: `[N]`, the classes that the model gives them as they are.
        goals: `[S]` or `[S, N]`, as for `invert`.
        triggers: S of them.

    Returns:
        `[S]`, from 0 to 1; not a number where all images are there anyway.
    """
    shares = np.full(len(goals), np.nan)
    for i, goal in enumerate(_each(goals, len(images))):
        others = answers != goal
        if others.any():
            after = network.logits(triggers[i].stamp(images[others])).argmax(axis=1)
            shares[i] = (after == goal[others]).mean()
    return shares


def _each(goals: NDArray[np.int64], images: int) -> NDArray[np.int64]:
    """A class for each trigger and image, `[S, N]`."""
    return np.broadcast_to(goals.reshape(len(goals), -1), (len(goals), images))


def _random(goals: int, starts: int, image_shape: tuple[int, ...], seed: int) -> tuple[Array, Array]:
    """Masks `[S, starts, H, W]` and patterns `[S, starts, H, W, C]`; the same for every goal."""
    generator = np.random.default_rng(seed)
    mask = generator.random((starts, *image_shape[:-1]), dtype=np.float32)
    pattern = generator.random((starts, *image_shape), dtype=np.float32)
    return np.repeat(mask[None], goals, axis=0), np.repeat(pattern[None], goals, axis=0)


class _Order:
    """Endless random passes over the images, a mini-batch at a time."""

    def __init__(self, images: int, batch: int, seed: int) -> None:
        self._images, self._batch = images, batch
        self._generator = np.random.default_rng(seed)
        self._left = np.empty(0, np.int64)

    def next(self) -> NDArray[np.int64]:
        if len(self._left) < self._batch:
            self._left = self._generator.permutation(self._images)
        chosen, self._left = self._left[: self._batch], self._left[self._batch :]
        return np.sort(chosen)


class _Search:
    """Triggers on their way, T = goals · starts of them.

    Args:
        masks: `[S, starts, H, W]`.
        patterns: `[S, starts, H, W, C]`.
        settings: of the search.
        penalty: what else counts than success and size.

    Attributes:
        going: indices of the triggers that have not stopped.
    """

    def __init__(self, masks: Array, patterns: Array, settings: Inversion, penalty: Penalty | None = None) -> None:
        masks, patterns = (x.reshape(-1, *x.shape[2:]) for x in (masks, patterns))
        count = len(masks)
        self._settings, self._penalty = settings, penalty
        self._mask, self._pattern = (Adam(_to_tanh(x), settings.rate, _BETAS) for x in (masks, patterns))
        self._cost = np.zeros(count)
        self._good, self._bad, self._stale = (np.zeros(count, np.int64) for _ in range(3))
        self._raised, self._lowered = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self._norm = np.full(count, np.inf)
        self._best = masks.copy(), patterns.copy()
        self.going = np.arange(count)

    def step(self, network: Network, batches: Sequence[tuple[Pixels, NDArray[np.int64]]]) -> int:
        """Some moves of every trigger that is going, then a look at what they came to; returns the number of gradients.

        Args:
            network: the classifier.
            batches: images `[N, H, W, C]` and goals `[S, N]` of each mini-batch.
        """
        going, there = self.going, []
        for images, goals in batches:
            mask, pattern = _from_tanh(self._mask.values[going]), _from_tanh(self._pattern.values[going])
            there.append(self._move(network, images, goals, mask, pattern))
        good = np.mean(there, axis=0) >= self._settings.success
        self._keep(mask, pattern, good)
        self._schedule(good)
        return len(going) * sum(len(images) for images, _ in batches)

    def _move(
        self, network: Network, images: Pixels, goals: NDArray[np.int64], mask: Array, pattern: Array
    ) -> NDArray[np.float64]:
        """One step of Adam; returns the share of the images that each trigger sent where it shall before it."""
        going = self.going
        stamped = stamp(images, mask, pattern).reshape(-1, *images.shape[1:])
        classes = goals[going // self._settings.starts].ravel()
        loss, gradient = network.gradients_at(stamped, classes, "cross_entropy")
        to_mask, to_pattern = trigger_gradient(images, mask, pattern, gradient.reshape(len(going), *images.shape))
        to_mask += self._cost[going, None, None].astype(np.float32)
        if self._penalty is not None:
            each = classes.reshape(len(going), -1)
            more = self._penalty(network, images, each, mask, pattern, self._cost[going])
            to_mask, to_pattern = to_mask + more[0], to_pattern + more[1]
        self._mask.move(going, 2 * mask * (1 - mask) * to_mask)
        self._pattern.move(going, 2 * pattern * (1 - pattern) * to_pattern)
        return np.asarray(reached(network, stamped, classes, loss).reshape(len(going), -1).mean(axis=1))

    def _keep(self, mask: Array, pattern: Array, good: NDArray[np.bool_]) -> None:
        """Remember the smallest mask that works."""
        going, norm = self.going, mask.sum(axis=(1, 2), dtype=np.float64)
        smaller = good & (norm < self._norm[going])
        # As long as nothing works the latest is kept, so that there is something to show.
        kept = smaller | np.isinf(self._norm[going])
        for best, now in zip(self._best, (mask, pattern), strict=True):
            best[going[kept]] = now[kept]
        self._norm[going[smaller]] = norm[smaller]
        self._stale[going] = np.where(kept, 0, self._stale[going] + 1)

    def _schedule(self, good: NDArray[np.bool_]) -> None:
        """Raise the cost while the trigger works, lower it while it does not; stop what does not shrink any more."""
        going = self.going
        self._good[going] = np.where(good, self._good[going] + 1, 0)
        self._bad[going] = np.where(good, 0, self._bad[going] + 1)
        first = (self._cost == 0) & (self._good >= _HOLD)
        up, down = (self._cost > 0) & (self._good >= _HOLD), (self._cost > 0) & (self._bad >= _HOLD)
        self._cost = np.select([first, up, down], [_FIRST_COST, self._cost * _RAISE, self._cost * _LOWER], self._cost)
        self._good[first | up], self._bad[down] = 0, 0
        self._raised |= up
        self._lowered |= down
        done = self._raised & self._lowered & (self._stale >= self._settings.patience)
        self.going = going[~done[going]]

    def smallest(self) -> tuple[Array, Array]:
        """The best trigger of each goal: masks `[S, H, W]` and patterns `[S, H, W, C]`."""
        starts = self._settings.starts
        best = np.arange(0, len(self._norm), starts) + self._norm.reshape(-1, starts).argmin(axis=1)
        return self._best[0][best], self._best[1][best]


def trigger_gradient(images: Pixels, mask: Array, pattern: Array, gradient: Array) -> tuple[Array, Array]:
    """From the gradient at stamped images to that of mask and pattern, means over the images.

    ∂/∂m = Σ_channels (p − x) · g,   ∂/∂p = m · g

    Args:
        images: `[N, H, W, C]`, before they were stamped.
        mask: `[T, H, W]`.
        pattern: `[T, H, W, C]`.
        gradient: `[T, N, H, W, C]`, g.

    Returns:
        `[T, H, W]` and `[T, H, W, C]`.
    """
    mean = gradient.mean(axis=1)
    to_mask = (pattern * mean).sum(axis=-1) - np.einsum("nhwc,tnhwc->thw", images, gradient) / np.float32(len(images))
    return to_mask, mask[..., None] * mean


def reached(network: Network, pixels: Pixels, classes: NDArray[np.int64], loss: Array) -> NDArray[np.bool_]:
    """Whether the model answers each image's class, `[N]`, given the cross-entropy.

    With a probability e^−loss above 1/2 it does, below 1/K it does not; only the others need another look.
    """
    there = np.asarray(loss < np.log(2))
    unclear = np.flatnonzero(~there & (loss <= np.log(network.classes) + 1e-3))
    if len(unclear):
        there[unclear] = network.logits(pixels[unclear]).argmax(axis=1) == classes[unclear]
    return there


def _from_tanh(values: Array) -> Array:
    return np.asarray((np.tanh(values) + 1) / 2, np.float32)


def _to_tanh(values: Array) -> Array:
    return np.asarray(np.arctanh(2 * np.clip(values, _EDGE, 1 - _EDGE) - 1), np.float32)


def _from_perturbation(perturbation: Pixels) -> tuple[Array, Array]:
    """A mask where an additive perturbation `[S, H, W, C]` is strong, and a pattern of its signs."""
    size = np.abs(perturbation).max(axis=-1)
    share = np.divide(perturbation, size[..., None], out=np.zeros_like(perturbation), where=size[..., None] > 0)
    return of_strongest(size), (1 + share) / 2
