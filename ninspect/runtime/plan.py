"""How many images, classes and goals go together: decided here alone, from shapes, memory and the model's batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Budget:
    """What one run, and one search, may hold in memory.

    Attributes:
        run: bytes of the tensors of one run of ONNX Runtime.
        rows: (class, image) pairs of one run; more do not speed the CPU up.
        search: bytes of the images that a search moves together.
    """

    run: int = 512 * 1024**2
    rows: int = 256
    search: int = 64 * 1024**2


DEFAULT_BUDGET = Budget()


@dataclass(frozen=True)
class Plan:
    """How whole arrays are cut into runs of one model.

    Attributes:
        batch: how many images a run takes; None if any number.
        forward: bytes that an image needs until the end of its backward pass.
        backward: bytes that a (class, image) pair needs at a time.
        budget: what there is.
    """

    batch: int | None
    forward: int
    backward: int
    budget: Budget = DEFAULT_BUDGET

    @property
    def pairs(self) -> int:
        """How many (class, image) pairs one run may hold."""
        return max(1, min(self.budget.rows, self.budget.run // self.backward))

    def images(self, count: int, classes: int = 1) -> Iterator[slice]:
        """Parts of the images: as many as fit when each is explained for so many classes."""
        fitting = min(self.pairs // max(1, classes), self.budget.run // self.forward)
        return parts(count, self.batch or fitting)

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


def parts(count: int, size: int) -> Iterator[slice]:
    """Consecutive slices of `size` entries, one at least, that cover `count` of them; the last may be shorter."""
    size = max(1, size)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
