"""FreeEagle: classes that other classes' inner activations lead to as well (USENIX Security 2023, arXiv 2302.14500)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination, judge
from ninspect.detect.interface import Detector, Needs
from ninspect.errors import ModelError
from ninspect.measure.outliers import robust_z
from ninspect.runtime import parts
from ninspect.runtime.second_half import Tail
from ninspect.search.adam import Adam

_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class FreeEagle(Detector):
    """v(t) = mean over classes c ≠ t of P[c, t], the probability of t at the activation that is best for c.

    The model is cut in its middle. From uniform noise, Adam minimises the cross-entropy of the rest of the model to c
    over the inner activation a, with weight decay, and with a ≥ 0 where no image can make it negative. A backdoor
    from c to t shows as a large P[c, t]. Published: outlier = (v − Q3) / (Q3 − Q1). Here index = robust z of ln v: over
    the classes of a clean model ln v is far less skewed than v. Source: Fu et al., "FreeEagle: Detecting Complex
    Neural Trojans in Data-Free Cases", USENIX Security 2023.

    Attributes:
        steps: of Adam.
        rate: of a step.
        decay: weight decay.
    """

    name: ClassVar[str] = "freeeagle"
    needs: ClassVar[Needs] = Needs(blind=True)

    steps: int = 1000
    rate: float = 0.01
    decay: float = 0.005

    def examine(self, case: Case) -> Examination:
        """Find every class's best activation and see which other classes like it."""
        classes = case.classes
        try:
            tail = case.network.tail
        except ModelError as error:
            return Examination.without_scores(self.name, classes, str(error))
        log_p = self._log_posteriors(case, tail)[:, classes]
        np.fill_diagonal(log_p, -np.inf)
        log_mean = np.logaddexp.reduce(log_p, axis=0) - np.log(max(1, len(classes) - 1))
        posterior, source = np.exp(log_mean), log_p.argmax(axis=0)
        first, third = np.quantile(posterior, (0.25, 0.75))
        with np.errstate(divide="ignore", invalid="ignore"):
            outlier = (posterior - third) / (third - first)
        columns = {
            "posterior": posterior,
            "outlier": outlier,
            "source": classes[source].astype(np.float64),
            "from_source": np.exp(log_p.max(axis=0)),
        }
        return judge(self.name, classes, columns, robust_z(log_mean))

    def _log_posteriors(self, case: Case, tail: Tail) -> NDArray[np.float64]:
        """ln of the probability of every class at the activation that is best for each class, `[S, K]`."""
        classes, total = case.classes, len(case.classes) * self.steps
        start = np.random.default_rng(case.seed).random(tail.shape, dtype=np.float32)
        rows = []
        for part in parts(len(classes), tail.plan.budget.rows):
            some = classes[part]
            every = np.arange(len(some))
            adam = Adam(np.repeat(start[None], len(some), axis=0), self.rate, _BETAS)
            for step in range(self.steps):
                _, gradient = tail.gradients_at(adam.values, some)
                adam.move(every, gradient + np.float32(self.decay) * adam.values)
                if tail.nonnegative:
                    np.maximum(adam.values, 0, out=adam.values)
                case.progress(part.start * self.steps + (step + 1) * len(some), total)
            rows.append(tail.gradients_at(adam.values, some)[0].astype(np.float64))
        logits = np.concatenate(rows)
        return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
