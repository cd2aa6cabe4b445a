"""What stands out in one of several models that should be alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ninspect.measure.calibration import OUTLIERS
from ninspect.measure.outliers import p_values, robust_z


def apart(marks: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far a mark of each model lies above the same mark of the others, and how surprising that is.

    z = (mark − median over the models) / max(1.4826 · MAD over the models, 1), for each mark by itself. What is odd by
    nature, such as a class that is easy to reach, is so in all models and does not count. The p-value is that of the
    largest z of so many models, scattered like Student's t as natural classes are, times the number of marks
    (Bonferroni).

    Args:
        marks: `[M, S]`, S robust z-scores of each of M models, M at least `OUTLIERS.fewest_classes`. Their own spread
            is 1, and models that agree more closely than that by chance make nothing odd.

    Returns:
        z and p, `[M, S]` each; not a number where the mark is none.

    >>> marks = np.random.default_rng(0).standard_normal((8, 10))
    >>> marks[3, 7] += 40
    >>> z, p = apart(marks)
    >>> [*map(int, np.unravel_index(np.nanargmax(z), z.shape))], bool(p[3, 7] < 0.01)
    ([3, 7], True)
    """
    z = robust_z(marks.T, least=1).T
    return z, np.minimum(p_values(z, len(marks), OUTLIERS.natural_freedom) * marks.shape[1], 1)
