"""How many images, classes and goals go together: decided here alone, from shapes, memory and the model's batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Budget:
    """What runs, and one search, may hold in memory.

    Attributes:
        run: bytes of the tensors of all runs of ONNX Runtime at a time.
        rows: (class, image) pairs of one run.
        search: bytes of the images that a search moves together.
    """

    run: int = 512 * 1024**2
    rows: int = 256
    search: int = 64 * 1024**2


DEFAULT_BUDGET = Budget()
CACHED = 32  # pairs of one run on a CPU: the values of more leave its caches
_FEWEST_PARTS, _SMALLEST_PART = 4, 8  # images are cut into so many parts if each has so many, for several cores


@dataclass(frozen=True)
class Plan:
    """How whole arrays are cut into runs of one model.

    Attributes:
        batch: how many images a run takes; None if any number.
        forward: bytes that an image needs until the end of its backward pass.
        backward: bytes that a (class, image) pair needs at a time.
        budget: what there is.
        workers: how many runs there are at a time.
    """

    batch: int | None
    forward: int
    backward: int
    budget: Budget = DEFAULT_BUDGET
    workers: int = 1

    @property
    def pairs(self) -> int:
        """How many (class, image) pairs one run may hold."""
        return max(1, min(self.budget.rows, self.budget.run // self.workers // self.backward))

    def images(self, count: int, classes: int = 1) -> Iterator[slice]:
        """Parts of the images: as many as fit when each is explained for so many classes, all about as large.

        However many cores there are, the parts are the same: then so are the numbers, to the last bit.
        """
        fitting = max(1, min(self.pairs // max(1, classes), self.budget.run // self.workers // self.forward))
        several = max(math.ceil(count / fitting), min(_FEWEST_PARTS, count // _SMALLEST_PART), 1)
        return parts(count, self.batch or math.ceil(count / several))

    def classes(self, count: int, images: int) -> Iterator[slice]:
        """Parts of the classes: as many as fit when each is explained at so many images."""
        return parts(count, self.pairs // images)

    def goals(self, count: int, each: int) -> Iterator[slice]:
        """Parts of the goals of a search: as many as fit when it moves `each` bytes of images toward every one."""
        return parts(count, self.budget.search // each)

    def filled(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows of one run `[N, …]`, the last one repeated where the model wants more."""
        missing = (self.batch or 0) - len(rows)
        return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing > 0 else rows


def workers(cores: int, backward: int, budget: Budget = DEFAULT_BUDGET) -> int:
    """How many runs go on at a time, each on one core: as many as there are cores, where their values fit in memory.

    ONNX Runtime shares a run of a small network out among cores at the price of waiting for each other in every
    operator; runs of their own do not wait. Of a network so large that only a few images fit, each run gets all cores.

    Args:
        cores: that this process may use.
        backward: bytes that a (class, image) pair needs at a time.
        budget: what there is.
    """
    return cores if budget.run // cores // backward >= _SMALLEST_PART else 1


def parts(count: int, size: int) -> Iterator[slice]:
    """Consecutive slices of `size` entries, one at least, that cover `count` of them; the last may be shorter."""
    size = max(1, size)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
