"""False alarms among many models."""

from __future__ import annotations

from collections.abc import Sequence


def q_values(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's q of each p-value; None for those that are not known, which do not count.

        q_(i) = min_{j ≥ i} n · p_(j) / j,   p_(1) ≤ … ≤ p_(n)

    Of all models with q ≤ 0.05, taken together for backdoored, a twentieth or less must be expected to be clean.

    Source: Benjamini and Hochberg, Controlling the False Discovery Rate, J. R. Statist. Soc. B 57 (1995). Written out,
    as importing scipy.stats takes longer than everything else that a summary does.

    >>> q_values([0.01, None, 0.5, 0.03])
    [0.03, None, 0.5, 0.045]
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    smallest = 1.0
    for rank in range(len(known), 0, -1):
        p, index = known[rank - 1]
        found[index] = smallest = min(smallest, len(known) * p / rank)
    return found
