"""Which classes stand out, and how surprising that is for the number of classes that were looked at."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ninspect.measure.calibration import OUTLIERS, SMALLEST_P

Array = NDArray[np.float64]

PUBLISHED_INDEX = 2.0

_MAD_TO_SIGMA = 1.482602218505602  # 1 / Φ⁻¹(3/4)
_SIMULATIONS = round(1 / SMALLEST_P) - 1
_SEED = 1911_07399
_BLOCK = 2_000_000


def robust_z(scores: NDArray[np.floating], least: float = 0.0) -> NDArray[np.float64]:
    """(score − median) / max(1.4826 · MAD, least), along the last axis.

    The factor makes the median absolute deviation estimate the standard deviation of Gaussian scores.

    Args:
        scores: `[..., K]`; values that are not numbers are left out and stay so.
        least: the smallest spread to measure with.

    Returns:
        `[..., K]` float64; not a number throughout where the spread is 0, which leaves no scale to measure with.
    """
    values = np.asarray(scores, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where no score is a number, no z-score is
        median = np.nanmedian(values, axis=-1, keepdims=True)
        deviation = np.nanmedian(np.abs(values - median), axis=-1, keepdims=True)
        spread = np.maximum(_MAD_TO_SIGMA * deviation, least)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, (values - median) / spread, np.nan)


def anomaly_index(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each class's score lies **below** the others: −robust_z. Positive values are suspicious.

    The published index is the absolute value of this for the classes on the low side; above 2 counts as an outlier
    there, a rule that flags 33 % of clean models with 10 classes and 63 % of those with 43.
    """
    return -robust_z(scores)


def p_values(index: ArrayLike, classes: int, freedom: float = math.inf) -> NDArray[np.float64]:
    """Probability that the largest of K robust z-scores reaches an index when all classes are alike.

    Args:
        index: `[...]`, of one class or several.
        classes: K, how many classes were compared, at least 5.
        freedom: of Student's t, which the scores follow; infinite: Gaussian.

    Returns:
        `[...]`, from `SMALLEST_P` to 1; not a number where the index is not.
    """
    null, index = _null_maxima(classes, freedom), np.asarray(index, np.float64)
    reached = len(null) - np.searchsorted(null, index, side="left")
    return np.where(np.isnan(index), np.nan, (1 + reached) / (1 + len(null)))


def critical_index(alpha: float, classes: int, freedom: float = math.inf) -> float:
    """The index that the largest of K classes exceeds with probability `alpha` in a clean model."""
    return float(np.quantile(_null_maxima(classes, freedom), 1 - alpha))


def interaction(table: NDArray[np.floating]) -> NDArray[np.float64]:
    """What is left of a table when the effects of its rows and of its columns are taken away (Tukey's median polish).

    Args:
        table: `[..., W, K]`.

    Returns:
        `[..., W, K]` float64, with medians of zero in each row.

    >>> table = np.add.outer([1.0, 2, 3], [10.0, 20, 30, 40])
    >>> table[1, 2] += 7
    >>> interaction(table)[1]
    array([0., 0., 7., 0.])
    """
    left = np.asarray(table, np.float64)
    for axis in (-1, -2, -1):
        left = left - np.median(left, axis=axis, keepdims=True)
    return left


def left_over(table: NDArray[np.floating], rounds: int) -> NDArray[np.float64]:
    """The same of a table in which some entries are not numbers, as of pairs of a class with itself; these stay so.

    Args:
        table: `[R, K]`.
        rounds: how often the medians of rows and columns are taken away.
    """
    left = np.asarray(table, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without numbers has no median
        for axis in (1, 0) * rounds:
            left = left - np.nanmedian(left, axis=axis, keepdims=True)
    return left


def simulated(classes: int, seed: int, statistic: Callable[[np.random.Generator, int], Array]) -> Array:
    """The sorted statistic of 20 000 simulated clean models, drawn some at a time.

    Args:
        classes: of a model; decides how many are drawn together.
        seed: of the draws.
        statistic: `(generator, count)` to the statistic of so many models, `[count]`.
    """
    generator, rows = np.random.default_rng(seed), max(1, _BLOCK // classes)
    blocks = [statistic(generator, min(rows, _SIMULATIONS - start)) for start in range(0, _SIMULATIONS, rows)]
    return np.sort(np.concatenate(blocks))


@lru_cache(maxsize=8)
def _null_maxima(classes: int, freedom: float) -> NDArray[np.float64]:
    """Sorted maxima of K robust z-scores of noise; there is no closed form, as the MAD is random as well."""
    if classes < OUTLIERS.fewest_classes:
        fewest = OUTLIERS.fewest_classes
        raise ValueError(f"outliers among {classes} classes mean nothing; at least {fewest} are needed")

    def largest(generator: np.random.Generator, count: int) -> Array:
        shape = (count, classes)
        return _largest_z(
            generator.standard_normal(shape) if math.isinf(freedom) else generator.standard_t(freedom, shape)
        )

    return simulated(classes, _SEED, largest)


def _largest_z(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """`robust_z(scores).max(axis=-1)`, without the care for missing values that simulations do not need."""
    median = np.median(scores, axis=-1, keepdims=True)
    spread = _MAD_TO_SIGMA * np.median(np.abs(scores - median), axis=-1)
    largest: NDArray[np.float64] = (scores.max(axis=-1) - median[..., 0]) / spread
    return largest
