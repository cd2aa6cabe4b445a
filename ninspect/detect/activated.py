"""The default detector: NeuronInspect's features and the margin, at points where dormant trigger units are awake."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ninspect.detect.interface import Case, Detection, judge
from ninspect.explain import ascend
from ninspect.features import FeatureSums, heatmaps
from ninspect.outliers import anomaly_index, robust_z


@dataclass(frozen=True)
class Activated:
    """Explains every class after a few steps of ascent toward it (docs/method.md).

    index = robust z of [ z(margin reached) + z(−(sparse + smooth + persistent)) ]: a backdoor's target is reached
    further, and its explanation at the end points is a small, smooth spot that stays where it is.

    Attributes:
        starts: number of clean images to start from.
        steps: of ascent.
        length: of a step, see `ascend`.
        threshold: a pixel of a heatmap in [0, 1] counts as on above this.
    """

    starts: int = 24
    steps: int = 8
    length: float = 1.0
    threshold: float = 0.5

    @property
    def name(self) -> str:
        """What `--method` calls it."""
        return "activated"

    @property
    def settings(self) -> dict[str, float | bool | list[float]]:
        """What its scores depend on, for the report."""
        return {"starts": self.starts, "steps": self.steps, "length": self.length, "threshold": self.threshold}

    def detect(self, case: Case) -> Detection:
        """Move clean images toward every class, explain the class there, and compare the classes."""
        began = time.perf_counter()
        classes, network = case.classes, case.network
        starts = case.clean(self.starts)
        total, done = len(classes) * len(starts) * (self.steps + 1), 0

        def progress(gradients: int) -> None:
            nonlocal done
            done += gradients
            case.progress(done, total)

        height, width, _ = network.input_map.image_shape
        sums = FeatureSums(len(classes), (height, width), self.threshold)
        margin = np.empty(len(classes))
        for part in ascend(network, starts, classes, self.steps, self.length, progress):
            margin[part.classes] = part.margin.mean(axis=1)
            # What would lower the class's margin is not the trigger: only the positive part is explained.
            sums.add(part.classes, heatmaps(np.maximum(part.gradient, 0)))
        features = sums.features()
        spot = features.sparse + features.smooth + features.persistent
        columns = {
            "margin": margin,
            "sparse": features.sparse,
            "smooth": features.smooth,
            "persistent": features.persistent,
        }
        index = robust_z(robust_z(margin) + anomaly_index(spot))
        return judge(self.name, classes, columns, index, time.perf_counter() - began)
