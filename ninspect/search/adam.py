"""Adam (Kingma, Ba, ICLR 2015) on rows that may stop one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Adam:
    """x ← x − rate · m̂ / (√v̂ + 1e-8), with m and v the running means of the gradient and of its square.

    Args:
        values: `[T, …]`, where to start; changed in place by `move`.
        rate: of a step.
        betas: what the running means keep in a step.
    """

    def __init__(self, values: Array, rate: float, betas: tuple[float, float]) -> None:
        self.values = values
        self._rate, self._betas = rate, betas
        self._first, self._second = np.zeros_like(values), np.zeros_like(values)
        self._steps = 0

    def move(self, rows: NDArray[np.int64], gradient: Array) -> None:
        """One step of the given rows; a row that has been left out once must not come back."""
        self._steps += 1
        (keep, keep_square), steps = self._betas, self._steps
        first = self._first[rows] = np.float32(keep) * self._first[rows] + np.float32(1 - keep) * gradient
        square = np.float32(1 - keep_square) * gradient**2
        second = self._second[rows] = np.float32(keep_square) * self._second[rows] + square
        root = np.sqrt(second / np.float32(1 - keep_square**steps)) + np.float32(1e-8)
        self.values[rows] -= np.float32(self._rate / (1 - keep**steps)) * first / root
