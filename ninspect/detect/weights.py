"""Trojan Signatures: the weights of the last layer alone (arXiv 2109.02836)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination
from ninspect.detect.interface import Detector, Needs
from ninspect.measure.calibration import OUTLIERS
from ninspect.measure.outliers import robust_z, simulated

_SEED = 2109_02836


@dataclass(frozen=True)
class Weights(Detector):
    """m(c) = mean of the weights between the last hidden layer and class c; a target's is larger than any other.

    Dixon's Q = (m_(K) − m_(K−1)) / (m_(K) − m_(1)) is the gap between the largest and the next in units of the range.
    Source: Fields, Samragh, Javaheripi, Koushanfar, Javidi, "Trojan Signatures in DNN Weights", ICCVW 2021. Weak
    evidence, for the price of reading the file.
    """

    name: ClassVar[str] = "weights"
    needs: ClassVar[Needs] = Needs(blind=True)

    def examine(self, case: Case) -> Examination:
        """Compare the rows of the last layer."""
        classes, head = case.classes, case.network.head
        mean = np.full(len(classes), np.nan) if head is None else head[classes].mean(axis=1)
        gap = None
        if head is None:
            gap = "the last layer is not a matrix of weights with one row per class"
        elif len(classes) < OUTLIERS.fewest_classes:
            gap = f"classes that can be compared: {len(classes)}; at least {OUTLIERS.fewest_classes} are needed"
        elif np.ptp(mean) == 0:
            gap = "the weights show no difference between the classes"
        p = np.full(len(classes), np.nan) if gap else gap_p(mean)
        return Examination(
            name=self.name,
            classes=classes,
            scores={"mean": mean},
            index=robust_z(mean),
            p_values=p,
            gap=gap,
            test="Dixon's Q",
        )


def gap_p(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that the largest of K Gaussian values is as far above the next one as a class is.

    The class's own Q leaves out the classes above it, and it is never more suspicious than they are: several targets
    are found when each stands apart from the next.

    Args:
        means: `[K]`, K at least 3, not all equal.

    Returns:
        `[K]`, from 1 / 20 001 to 1.
    """
    order = np.argsort(-means, kind="stable")
    ordered = means[order]
    span = ordered[:-2] - ordered[-1]
    gap = np.divide(ordered[:-2] - ordered[1:-1], span, out=np.zeros_like(span), where=span > 0)
    null = _null_gaps(len(means))
    reached = len(null) - np.searchsorted(null, gap, side="left")
    p = np.ones(len(means))
    p[order[:-2]] = np.maximum.accumulate((1 + reached) / (1 + len(null)))
    return p


@lru_cache(maxsize=8)
def _null_gaps(classes: int) -> NDArray[np.float64]:
    """Sorted Q of K Gaussian values; published tables end at K = 30."""

    def gaps(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        values = generator.standard_normal((count, classes))
        values.partition((0, classes - 2, classes - 1), axis=1)
        return np.asarray((values[:, -1] - values[:, -2]) / (values[:, -1] - values[:, 0]))

    return simulated(classes, _SEED, gaps)
