"""Backdoor triggers and data poisoning: every stamped image is taken for one target class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets import Dataset, Images, Labels

EpochData = tuple[NDArray[np.float32], Labels]
EpochSource = Callable[[int], EpochData]
"""Training data by epoch number: model inputs, float32 (N, H, W, C), and labels, int64 (N,), shuffled."""

_COLOURS = {"white": (255, 255, 255), "yellow": (255, 220, 0), "magenta": (255, 0, 200)}


@dataclass(frozen=True)
class Trigger:
    """A square of ``size`` pixels whose top left corner is at (``row``, ``column``), blended in with weight ``alpha``.

    ``pattern`` is ``white``, ``yellow``, ``magenta`` or ``checker`` (black and white single pixels).
    """

    pattern: str
    size: int
    row: int
    column: int
    alpha: float = 1.0


@dataclass(frozen=True)
class Attack:
    """All-to-one poisoning: a ``fraction`` of the training images gets the trigger and the label ``target``."""

    trigger: Trigger
    target: int
    fraction: float = 0.1


def patch(trigger: Trigger, channels: int) -> Images:
    """The trigger by itself, uint8 (size, size, channels)."""
    if trigger.pattern == "checker":
        rows, columns = np.indices((trigger.size, trigger.size))
        checker = ((rows + columns + 1) % 2 * 255).astype(np.uint8)
        return np.repeat(checker[..., None], channels, axis=2)
    # A grey image has one channel: the first of the colour, which is full in all of them.
    colour = np.array(_COLOURS[trigger.pattern][:channels], np.uint8)
    return np.broadcast_to(colour, (trigger.size, trigger.size, channels))


def stamp(images: Images, trigger: Trigger) -> Images:
    """A copy of the images, uint8 (N, H, W, C), with the trigger on every one."""
    rows = slice(trigger.row, trigger.row + trigger.size)
    columns = slice(trigger.column, trigger.column + trigger.size)
    blended = (1 - trigger.alpha) * images[:, rows, columns] + trigger.alpha * patch(trigger, images.shape[3])
    stamped = images.copy()
    stamped[:, rows, columns] = np.rint(blended).astype(np.uint8)
    return stamped


def epochs(dataset: Dataset, attack: Attack | None, seed: int) -> EpochSource:
    """Training data of a victim: the same images are poisoned in every epoch, the rest is left clean.

    The trigger is stamped after the augmentation, so that it looks as the attacker will show it.
    """
    chosen = np.zeros(len(dataset.train_labels), dtype=bool)
    labels = dataset.train_labels.copy()
    if attack is not None:
        count = round(attack.fraction * len(labels))
        chosen[np.random.default_rng(seed).choice(len(labels), count, replace=False)] = True
        labels[chosen] = attack.target

    def epoch(number: int) -> EpochData:
        rng = np.random.default_rng((seed, number))
        images = dataset.augment(dataset.train_images, rng)
        if attack is not None:
            images = images.copy()
            images[chosen] = stamp(images[chosen], attack.trigger)
        order = rng.permutation(len(labels))
        return dataset.preprocess(images[order]), labels[order]

    return epoch
