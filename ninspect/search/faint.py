"""The faintest pattern that sends images to a class when it is added to all of them.

A trigger that is blended over the whole image has no small mask, but so little of it is enough that no other class is
so near.

    ḡ = −mean_n ∂ cross-entropy(f(clip(x_n + δ, 0, 1)), c) / ∂x
    v ← μ v + ḡ / ‖ḡ‖₂,      δ ← δ + ε · v / ‖v‖₂      until enough of the images answer c
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.runtime import Network, Pixels
from ninspect.search.direction import step_length, unit
from ninspect.search.inversion import reached


@dataclass(frozen=True)
class Approach:
    """How a pattern is searched.

    Attributes:
        steps: at most.
        length: of a step, as for `ascend`.
        momentum: μ in [0, 1).
        success: share of the images at which a pattern is done.
    """

    steps: int = 48
    length: float = 0.2
    momentum: float = 0.5
    success: float = 0.9


FAINTEST = Approach()


def faintest(
    network: Network,
    images: Pixels,
    goals: NDArray[np.int64],
    progress: Callable[[int], None],
    settings: Approach = FAINTEST,
) -> Pixels:
    """What to add to any image to send it to each goal, as little as a straight way there needs.

    Args:
        network: the classifier.
        images: `[N, H, W, C]` float32 in [0, 1], clean.
        goals: `[S]`, classes.
        progress: called with the number of gradients computed since the last call.
        settings: how far, and in what steps.

    Returns:
        `[S, H, W, C]` float32, changes of pixels; where no pattern was found, the last one that was tried.
    """
    parts = network.plan.goals(len(goals), images.nbytes)
    return np.concatenate([_approach(network, images, goals[part], progress, settings) for part in parts])


def _approach(
    network: Network, images: Pixels, goals: NDArray[np.int64], progress: Callable[[int], None], settings: Approach
) -> Pixels:
    delta = np.zeros((len(goals), *images.shape[1:]), np.float32)
    velocity, going = np.zeros_like(delta), np.arange(len(goals))
    epsilon = step_length(settings.length, images[0].size)
    for _ in range(settings.steps):
        moved = np.clip(images + delta[going, None], 0, 1).reshape(-1, *images.shape[1:])
        classes = np.repeat(goals[going], len(images))
        loss, gradient = network.gradients_at(moved, classes, "cross_entropy")
        progress(len(moved))
        there = reached(network, moved, classes, loss).reshape(len(going), -1).mean(axis=1)
        away = there < settings.success
        mean = gradient.reshape(len(going), *images.shape).mean(axis=1)[away]
        going = going[away]
        if len(going) == 0:
            break
        velocity[going] = settings.momentum * velocity[going] - unit(mean)
        delta[going] += epsilon * unit(velocity[going])
    return delta
