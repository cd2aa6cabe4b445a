"""Which of many images are read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of a class, where there are too few images for all: what several images of one class have in common shows in no single
# one, and the model, which gets some of them wrong, must still see two.
_TOGETHER = range(2, 5)
_ENOUGH_CLASSES = 15  # to have some in reserve: no detector needs images of more than ten classes


def choose(count: int, labels: NDArray[np.int64] | None, limit: int | None, seed: int) -> NDArray[np.intp]:
    """At most `limit` of `count` indices, ascending, at random.

    With labels, every class gets equally many, up to one, while it lasts. Where that is less than two, only as many
    classes are drawn as can have four images each, of those that have two or more while they last; fewer than four, but
    at least two, where there would else be fewer than 15 classes.

    Args:
        count: of images.
        labels: `[count]`, or None.
        limit: None: all are chosen.
        seed: of the choice.
    """
    if limit is None or limit >= count:
        return np.arange(count)
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(count)
    if labels is not None:
        # One image of every class, then a second of every class, ...: within a round the classes come at random.
        by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
        class_sizes = np.unique(labels, return_counts=True)[1]
        rounds = np.concatenate([np.arange(size) for size in class_sizes])
        turns = generator.random(count)
        if limit < 2 * len(class_sizes):
            together = np.clip(limit // _ENOUGH_CLASSES, _TOGETHER[0], _TOGETHER[-1])
            rounds = rounds // together + np.repeat(class_sizes == 1, class_sizes)
            turns = np.repeat(generator.random(len(class_sizes)), class_sizes)
        shuffled = by_class[np.lexsort((turns, rounds))]
    return np.sort(shuffled[:limit])


def turns(labels: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of its class come before each item in an order, `[N]`.

    >>> turns(np.array([5, 5, 3, 5]), order=np.array([3, 2, 1, 0]))
    array([2, 1, 0, 0])
    """
    turn = np.empty(len(order), np.int64)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    return turn
