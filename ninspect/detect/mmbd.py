"""MM-BD, the maximum margin statistic: needs the model and nothing else (arXiv 2205.06900)."""

from __future__ import annotations

from collections.abc import Callable
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
from ninspect.names import Question
from ninspect.runtime import Network, Pixels

_SEED = 2205_06900
_MOST_TARGETS = 16
_NULL_SHAPE = 30.0  # of simulated margins; their p-values hardly depend on it


@dataclass(frozen=True)
class MMBD(Detector):
    """r(c) = the largest margin z_c − max_{j≠c} z_j that gradient ascent reaches from noise; a target's is extreme.

    For every class 30 images of uniform noise climb 300 steps of x ← x + 0.01 · ∂margin(clip(x, 0, 1))/∂x, or until
    the sum of their margins changes by less than 1e-5 of itself. Source: Wang, Xiang, Miller, Kesidis, "MM-BD", IEEE
    S&P 2024. `margin_tail_p` says what makes the p-values.

    Attributes:
        starts: noise images per class.
        steps: at most.
        rate: factor of the gradient in a step.
        tolerance: relative change of the sum of margins below which a class stops.
    """

    name: ClassVar[str] = "mmbd"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-target"])
    needs: ClassVar[Needs] = Needs(blind=True)

    starts: int = 30
    steps: int = 300
    rate: float = 0.01
    tolerance: float = 1e-5

    def examine(self, case: Case) -> Examination:
        """Find every class's largest margin and compare the classes."""
        starts, classes = case.noise(self.starts), case.classes
        margin = np.empty(len(classes))
        total = len(classes) * len(starts) * self.steps
        progress = case.counter(total)
        for some in case.network.plan.goals(len(classes), starts.nbytes):
            margin[some] = self._climb(case.network, starts, classes[some], progress)
        case.progress(total, total)
        p = margin_tail_p(margin)
        gap = None
        if not np.isfinite(p).all():
            compared = int((margin > 0).sum())
            gap = f"classes whose margin becomes positive: {compared}; at least {OUTLIERS.fewest_classes} are needed"
        return Examination(
            name=self.name,
            classes=classes,
            scores={"margin": margin},
            index=robust_z(margin),
            p_values=p,
            gap=gap,
            test="gamma tail",
        )

    def _climb(
        self, network: Network, starts: Pixels, classes: NDArray[np.int64], progress: Callable[[int], None]
    ) -> NDArray[np.float64]:
        """The largest margin of each class; a class that has stopped takes no more part."""
        images = np.tile(starts, (len(classes), 1, 1, 1, 1))
        active, last, reached = np.arange(len(classes)), np.full(len(classes), np.inf), np.empty(len(classes))
        for _ in range(self.steps):
            x = images.reshape(-1, *starts.shape[1:])
            margins, gradient = network.gradients_at(
                np.clip(x, 0, 1), np.repeat(classes[active], len(starts)), "margin"
            )
            margins = margins.reshape(len(active), len(starts))
            reached[active] = margins.max(axis=1)
            # The clip is part of the function: outside of [0, 1] its derivative is zero.
            images += np.float32(self.rate) * np.where((x >= 0) & (x <= 1), gradient, 0).reshape(images.shape)
            progress(len(x))
            sums = margins.sum(axis=1, dtype=np.float64)
            going = ~(np.abs(sums - last[active]) < self.tolerance * np.abs(last[active]))
            last[active] = sums
            active, images = active[going], images[going]
            if len(active) == 0:
                break
        return reached


def margin_tail_p(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that a clean model has a class whose margin stands out from the others as much.

    As published, q = 1 − F(r_c)^K, with F a Gamma distribution fitted (maximum likelihood, location 0) to the margins
    without the largest; here without all that are at least r_c, so that a second target hides neither the first nor
    itself. A fit to few classes is much too sure of its tail: for K = 10, q ≤ 0.01 in 12 % of clean models. So q is not
    the answer, but ranked among the q of simulated clean models. A class takes the smallest q of all classes with a
    margin no larger than its own, down to a quarter of the classes; the simulation does the same.

    Args:
        margins: `[K]`; a margin that is not positive is not compared.

    Returns:
        `[K]`, from 1 / 20 001 to 1; not a number throughout where fewer than 5 margins are positive.
    """
    positive = margins > 0
    count = int(positive.sum())
    if count < OUTLIERS.fewest_classes:
        return np.full(len(margins), np.nan)
    descending = np.argsort(-margins, kind="stable")[:count]
    tails = _log_tails(margins[descending])
    smallest = np.minimum.accumulate(tails[::-1])[::-1]
    null = _null_tails(count)
    p = np.ones(len(margins))
    p[descending[: len(tails)]] = (1 + np.searchsorted(null, smallest, side="right")) / (1 + len(null))
    return p


@lru_cache(maxsize=8)
def _null_tails(classes: int) -> NDArray[np.float64]:
    """Sorted: the smallest ln q of clean models whose margins are Gamma distributed."""

    def smallest(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        margins = generator.gamma(_NULL_SHAPE, size=(count, classes))
        return np.asarray(_log_tails(np.sort(margins)[:, ::-1]).min(axis=1))

    return simulated(classes, _SEED, smallest)


def _log_tails(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln(1 − F(r)^K) of the largest margins, up to ln of about K · (1 − F) where that is tiny.

    Args:
        margins: `[..., K]`, positive and descending.

    Returns:
        `[..., T]`, T is about a quarter of K; each F is fitted to the margins behind.
    """
    from scipy.stats import gamma

    count = margins.shape[-1]
    most = min(_MOST_TARGETS, max(1, count // 4))
    behind = count - 1 - np.arange(most)
    mean = _sums_behind(margins, most) / behind
    shape = _gamma_shape(np.log(mean) - _sums_behind(np.log(margins), most) / behind)
    log_tail = gamma.logsf(margins[..., :most], shape, scale=mean / shape)
    tail = np.exp(log_tail)
    with np.errstate(divide="ignore"):
        exact = np.log(-np.expm1(count * np.log1p(-np.minimum(tail, 1 - 1e-16))))
    return np.asarray(np.where(tail > 1e-12, exact, log_tail + np.log(count)))


def _sums_behind(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """For each of the first values the sum of those after it."""
    sums: NDArray[np.float64] = np.cumsum(values[..., ::-1], axis=-1)[..., ::-1][..., 1 : most + 1]
    return sums


def _gamma_shape(s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The maximum likelihood shape k of a Gamma distribution: ln k − ψ(k) = s = ln(mean) − mean(ln).

    Two steps of Newton from Minka's approximation, which is right to 1.5 %.
    """
    from scipy.special import digamma, polygamma

    s = np.maximum(s, 1e-12)  # equal margins have no spread to fit
    k: NDArray[np.float64] = (3 - s + np.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)
    for _ in range(2):
        k = k - (np.log(k) - digamma(k) - s) / (1 / k - polygamma(1, k))
    return k
