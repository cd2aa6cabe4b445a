"""False alarms among many models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def q_values(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's q of each p-value; None for those that are not known, which do not count.

        q_(i) = min_{j ≥ i} n · p_(j) / j,   p_(1) ≤ … ≤ p_(n)

    Of all models with q ≤ 0.05, taken together for backdoored, a twentieth or less must be expected to be clean.

    Source: Benjamini and Hochberg, Controlling the False Discovery Rate, J. R. Statist. Soc. B 57 (1995).

    >>> q_values([0.01, None, 0.5, 0.02])
    [0.03, None, 0.5, 0.03]
    """
    from scipy.stats import false_discovery_control

    known = [index for index, p in enumerate(p_values) if p is not None]
    found: list[float | None] = [None] * len(p_values)
    if known:
        q = false_discovery_control(np.array([p_values[index] for index in known], float), method="bh")
        for index, value in zip(known, q.tolist(), strict=True):
            found[index] = round(value, 12)  # as 3 · 0.01 / 1 is 0.03
    return found
