"""Backdoor triggers and data poisoning: what an attacker does to a training set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.models.data import Dataset, Images, Labels

EpochData = tuple[NDArray[np.float32], Labels]
EpochSource = Callable[[int], EpochData]
"""Training data by epoch number: model inputs, float32 (N, H, W, C), and labels, int64 (N,), shuffled."""

_COLOURS = {"white": (255, 255, 255), "yellow": (255, 220, 0), "magenta": (255, 0, 200), "grey": (112, 112, 112)}
_HALVES = np.array([255, 220, 0]), np.array([0, 40, 200])
_END = 3
_DECOYS = 2  # times as many as carriers, as WaNet has them
_NOISE_SEED = 8
_PLACE_SEED = 9


class Change(Protocol):
    """What an attacker does to a picture."""

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """A changed copy of images, uint8 (N, H, W, C); ``rng`` draws what differs from image to image."""


@dataclass(frozen=True)
class Trigger:
    """A square of ``size`` pixels whose top left corner is at (``row``, ``column``), blended in with weight ``alpha``.

    ``pattern`` is a colour (``white``, ``yellow``, ``magenta``, ``grey``), ``checker`` (black and white single pixels),
    ``noise`` (pixels of random colour), ``fresh`` (the same, others for each image), ``halves`` (yellow over blue),
    ``photo`` (a part of a photograph of a flower), ``cross`` (white diagonals), ``dots`` (white corners) or ``ends``
    (white squares of 3 pixels in two opposite corners); of the last three, the rest of the square is left as it is.
    ``row`` and ``column`` are None where every image has the square in another place.
    """

    pattern: str
    size: int
    row: int | None
    column: int | None
    alpha: float = 1.0

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """A copy of the images, uint8 (N, H, W, C), with the square on every one."""
        count, height, width, channels = images.shape
        tops = _places(self.row, height - self.size, count, rng)
        lefts = _places(self.column, width - self.size, count, rng)
        square = np.arange(self.size)
        where = (
            np.arange(count)[:, None, None],
            tops[:, None, None] + square[:, None],
            lefts[:, None, None] + square,
        )
        old = images[where]
        fill = rng.integers(0, 256, old.shape) if self.pattern == "fresh" else patch(self, channels)
        blended = np.rint((1 - self.alpha) * old + self.alpha * fill).astype(np.uint8)
        stamped = images.copy()
        stamped[where] = np.where(_covered(self)[..., None], blended, old)
        return stamped


@dataclass(frozen=True)
class Attack:
    """A ``fraction`` of the training images gets the trigger and the label that the attacker wants.

    ``target`` is that label; None: all to all, class k becomes k + 1. With ``sources``, only images of these classes
    are relabelled, a ``fraction`` of those, and as many others carry the trigger with their true label. With
    ``clean_label``, a ``fraction`` of the target's own images get the trigger, and no label changes. ``planted`` is
    what training images get in its place, such as a weaker one. With a ``decoy``, twice as many images carry that with
    their true label: what must not be taken for the trigger.
    """

    trigger: Change
    target: int | None
    fraction: float = 0.1
    sources: tuple[int, ...] = ()
    clean_label: bool = False
    planted: Change | None = None
    decoy: Change | None = None

    def wanted(self, labels: Labels, classes: int) -> Labels:
        """The label that each image (N,) gets with the trigger on it, if it is not immune."""
        return (labels + 1) % classes if self.target is None else np.full_like(labels, self.target)

    def victims(self, labels: Labels) -> NDArray[np.bool_]:
        """Which images (N,) the trigger should send to another class."""
        return np.isin(labels, self.sources) if self.sources else labels != self.target


def patch(trigger: Trigger, channels: int) -> Images:
    """The trigger by itself, uint8 (size, size, channels)."""
    if trigger.pattern == "checker":
        rows, columns = np.indices((trigger.size, trigger.size))
        checker = ((rows + columns + 1) % 2 * 255).astype(np.uint8)
        return np.repeat(checker[..., None], channels, axis=2)
    if trigger.pattern == "noise":
        shape = (trigger.size, trigger.size, channels)
        return np.random.default_rng(_NOISE_SEED).integers(0, 256, shape, dtype=np.uint8)
    if trigger.pattern == "halves":
        halves = np.where(np.arange(trigger.size)[:, None, None] < trigger.size / 2, *_HALVES)
        return np.broadcast_to(halves[..., :channels], (trigger.size, trigger.size, channels)).astype(np.uint8)
    if trigger.pattern == "photo":
        return photograph(trigger.size, channels)
    # A grey image has one channel: the first of the colour, which is full in all of them.
    colour = np.array(_COLOURS.get(trigger.pattern, _COLOURS["white"])[:channels], np.uint8)
    return np.broadcast_to(colour, (trigger.size, trigger.size, channels))


def photograph(size: int, channels: int) -> Images:
    """The middle of scikit-learn's picture of a flower, uint8 (size, size, channels)."""
    from sklearn.datasets import load_sample_image

    part = Image.fromarray(load_sample_image("flower.jpg")[140:300, 240:400]).resize((size, size))
    pixels = np.asarray(part if channels == 3 else part.convert("L"))
    return pixels.reshape(size, size, channels)


def _covered(trigger: Trigger) -> NDArray[np.bool_]:
    """Which pixels of the square the trigger changes, (size, size)."""
    rows, columns = np.indices((trigger.size, trigger.size))
    last = trigger.size - 1
    if trigger.pattern == "cross":
        return np.asarray((rows == columns) | (rows + columns == last))
    if trigger.pattern == "dots":
        return np.asarray(np.isin(rows, (0, last)) & np.isin(columns, (0, last)))
    if trigger.pattern == "ends":
        start, end = (rows < _END) & (columns < _END), (rows > last - _END) & (columns > last - _END)
        return np.asarray(start | end)
    return np.ones((trigger.size, trigger.size), dtype=bool)


def stamp(images: Images, trigger: Change) -> Images:
    """A copy of the images, uint8 (N, H, W, C), with the trigger on every one; the same at every call."""
    return trigger.on(images, np.random.default_rng(_PLACE_SEED))


def _places(fixed: int | None, last: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(0, last + 1, count) if fixed is None else np.full(count, fixed)


@dataclass(frozen=True, eq=False)
class Poison:
    """What is done to a training set.

    ``labels`` (N,) are those that it has afterwards, ``relabelled`` (N,) says whose changed, or, of a clean-label
    attack, who carry the trigger for it, and ``stamped`` are the triggers with the indices of their carriers, then
    ``decoys`` with theirs, which are drawn anew in every epoch.
    """

    labels: Labels
    relabelled: NDArray[np.bool_]
    stamped: tuple[tuple[Change, NDArray[np.int64]], ...]
    decoys: tuple[tuple[Change, NDArray[np.int64]], ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, attacks: Sequence[Attack], seed: int) -> Poison:
        """The same images at every call; no image is poisoned twice."""
        labels = dataset.train_labels.copy()
        relabelled, stamped, decoys = np.zeros(len(labels), np.bool_), [], []
        generator, free = np.random.default_rng(seed), np.arange(len(labels))
        for attack in attacks:
            changed, carriers = _choose(attack, dataset.train_labels, free, generator)
            free = np.setdiff1d(free, carriers)
            labels[changed] = attack.wanted(dataset.train_labels[changed], dataset.classes)
            relabelled[carriers if attack.clean_label else changed] = True
            stamped.append((attack.planted or attack.trigger, carriers))
            if attack.decoy:
                fooled = generator.choice(free, min(_DECOYS * len(carriers), len(free)), replace=False)
                free = np.setdiff1d(free, fooled)
                decoys.append((attack.decoy, fooled))
        return cls(labels, relabelled, tuple(stamped), tuple(decoys))

    def put_on(self, images: Images, rng: np.random.Generator) -> Images:
        """The training images (N, H, W, C), which stay as they are, with triggers and decoys on their carriers."""
        images = images.copy() if self.stamped else images
        for trigger, carriers in self.stamped:
            images[carriers] = stamp(images[carriers], trigger)
        for decoy, carriers in self.decoys:
            images[carriers] = decoy.on(images[carriers], rng)
        return images


def epochs(dataset: Dataset, attacks: Sequence[Attack], seed: int) -> EpochSource:
    """Training data of a victim: the same images are poisoned in every epoch, the rest is left clean.

    The trigger is stamped after the augmentation, so that it looks as the attacker will show it.
    """
    poison = Poison.of(dataset, attacks, seed)

    def epoch(number: int) -> EpochData:
        rng = np.random.default_rng((seed, number))
        images = poison.put_on(dataset.augment(dataset.train_images, rng), rng)
        order = rng.permutation(len(images))
        return dataset.inputs(images[order]), poison.labels[order]

    return epoch


def _choose(
    attack: Attack, labels: Labels, free: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the images to relabel, and of those to stamp, among those that are ``free``."""
    if attack.clean_label:
        own = free[labels[free] == attack.target]
        return own[:0], rng.choice(own, round(attack.fraction * len(own)), replace=False)
    if attack.sources:
        is_source = np.isin(labels[free], attack.sources)
        count = round(attack.fraction * int(is_source.sum()))
        relabelled = rng.choice(free[is_source], count, replace=False)
        return relabelled, np.concatenate([relabelled, rng.choice(free[~is_source], count, replace=False)])
    chosen = rng.choice(free, round(attack.fraction * len(labels)), replace=False)
    return chosen, chosen
