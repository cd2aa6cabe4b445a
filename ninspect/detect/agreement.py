"""Suspects a class on which two methods agree, though neither would alone: they look at different things."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import ClassVar

import numpy as np

from ninspect.detect.case import Case
from ninspect.detect.examination import TARGET, Examination, comparing
from ninspect.detect.interface import Detector, Needs
from ninspect.measure.calibration import AGREEMENT, SMALLEST_P


@dataclass(frozen=True)
class Agreement(Detector):
    """Compares the p-values of the methods before it, class by class.

    In a clean model that m independent methods look at, two of them have a class as suspicious as x with probability
    m (m − 1)/2 · x² at most, be it the same class or not, so

        p(c) = m (m − 1)/2 · p₂(c)²,   index(c) = I₂(c)

    with the second smallest of the m p-values of the class, and the second largest of its indices. That methods are as
    good as independent where models are clean was measured (docs/measurements.md).

    >>> import ninspect
    >>> network = ninspect.open_network("models/digits/translucent_torch.onnx")
    >>> case = Case(network, None, np.arange(10), 0, lambda done, total: None)
    >>> Agreement().examine(case).gap
    'two methods that compare the classes have to come before it'
    """

    name: ClassVar[str] = "agreement"
    needs: ClassVar[Needs] = Needs(images=False)

    def examine(self, case: Case) -> Examination:
        """How far two methods agree on every class."""
        compared = comparing(case.earlier)
        if len(compared) < 2:
            # Methods that looked and could not compare say why themselves.
            looked = sum(one.rule == TARGET for one in case.earlier) >= 2
            why = None if looked else "two methods that compare the classes have to come before it"
            return Examination.without_scores(self.name, case.classes, why)
        p = np.nan_to_num([np.where(one.shared, 1, one.p_values) for one in compared], nan=1.0)
        indices = np.array([one.index for one in compared])
        measured = np.isfinite(indices).sum(axis=0) >= 2
        second = np.sort(np.nan_to_num(indices, nan=-np.inf), axis=0)[-2]
        pairs = comb(len(compared), 2)
        return Examination(
            name=self.name,
            classes=case.classes,
            scores={one.name: one.index for one in compared},
            index=np.where(measured, second, np.nan),
            meaning="as two methods agree",
            p_values=np.clip(pairs * np.sort(p, axis=0)[1] ** 2, SMALLEST_P, 1),
            test="agreement of methods",
            weight=AGREEMENT.weight,
        )
