"""NeuronInspect as published: features of the gradient heatmaps at clean images (arXiv 1911.07399)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination, judge
from ninspect.detect.interface import Detector
from ninspect.measure.features import FeatureSums, heatmaps
from ninspect.measure.outliers import anomaly_index
from ninspect.names import Question


@dataclass(frozen=True)
class NeuronInspect(Detector):
    """score = λ_sp · sparse + λ_sm · smooth + λ_pe · persistent, low values are suspicious.

    The paper's weights and threshold are not known; these are settings, not findings.

    Attributes:
        weights: (λ_sp, λ_sm, λ_pe).
        threshold: a pixel of a heatmap in [0, 1] counts as on above this.
        chained: use the published chain of exclusive ors instead of their mean over pairs of images.

    >>> NeuronInspect(threshold=0.3).settings
    {'weights': (1.0, 1.0, 1.0), 'threshold': 0.3, 'chained': False}
    """

    name: ClassVar[str] = "neuroninspect"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-target"])

    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    threshold: float = 0.5
    chained: bool = False

    def examine(self, case: Case) -> Examination:
        """Explain every class at every clean image, and compare the classes."""
        height, width, _ = case.network.input_map.image_shape
        sums = FeatureSums(len(case.classes), (height, width), self.threshold)
        pixels = case.clean()
        pairs, done = len(case.classes) * len(pixels), 0
        for part in case.network.gradients(pixels, case.classes):
            sums.add(part.classes, heatmaps(part.pixels))
            done += part.objective.size
            case.progress(done, pairs)
        features = sums.features()
        persistent = features.persistent_chained if self.chained else features.persistent
        columns = {"sparse": features.sparse, "smooth": features.smooth, "persistent": persistent}
        score = np.sum([w * column for w, column in zip(self.weights, columns.values(), strict=True)], axis=0)
        return judge(self.name, case.classes, columns | {"score": score}, anomaly_index(score))
