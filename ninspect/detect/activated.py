"""The default detector: every class explained after a few steps of ascent toward it, seen from several sides.

A class that is like no other stands out from one side or another in clean models too. A backdoor's target stands out
from most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination, judge
from ninspect.detect.interface import Detector, Needs
from ninspect.measure.calibration import OUTLIERS
from ninspect.measure.features import FeatureSums, heatmaps, strongest_box
from ninspect.measure.outliers import anomaly_index, robust_z
from ninspect.names import Question
from ninspect.runtime import Pixels
from ninspect.search import alike, ascend, each

_FEWEST_STARTS = 6
_LOOKED_AT = 6  # classes of which it is told where they look
_MOST_POINTS = 2400  # starts times classes, above which every class gets fewer starts


@dataclass(frozen=True)
class Activated(Detector):
    """How far every class can be reached, and how small and steady a spot of the image it then looks at.

    From each of four kinds of ascent, {clean images, noise} × {each start on its own, all moved alike}:

        margin   = z_c − max_{j≠c} z_j, mean over the end points
        relative = margin / max(own_c, median own),  own_c = 90 % quantile of the margin over the images of class c
        spot     = −(sparse + smooth + persistent) of the positive part of the explanation at the end points
        peak     = largest 3×3 box of the mean explanation, share of its total

    Each becomes a robust z over the classes, and of its four values the median counts;
    index = max(min(margin, relative), mean(spot, peak)), which is two looks at the data (docs/method.md).

    A class with more than the median margin on its own images is easy by nature, which a backdoor does not make it;
    where pictures were drawn because there are no images, any class may be.

    Attributes:
        starts: number of images to start from; fewer where there are more than 300 classes.
        steps: of ascent.
        length: of a step, see `ascend`; half of it where all starts are moved alike.
        threshold: a pixel of a heatmap in [0, 1] counts as on above this.

    >>> import ninspect
    >>> network = ninspect.open_network("models/digits/translucent_torch.onnx")
    >>> case = Case(network, None, np.arange(10), 0, lambda done, total: None)
    >>> Activated(starts=4).examine(case).ranked[0]
    5
    """

    name: ClassVar[str] = "activated"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-target"])
    needs: ClassVar[Needs] = Needs(blind=True)

    starts: int = 8
    steps: int = 5
    length: float = 2.0
    threshold: float = 0.5

    def examine(self, case: Case) -> Examination:
        """Move images and noise toward every class, explain the class there, and compare the classes."""
        own = own_margins(case.logits)
        columns = compare(views := self.views(case), own[case.classes])
        easy = ((own > np.median(own)) | (case.pixels is None))[case.classes]
        found = judge(self.name, case.classes, columns, joined(columns), looks=2, easy=easy)
        first = np.flatnonzero(np.isin(case.classes, found.ranked[:_LOOKED_AT]))
        places = np.concatenate([view.place[first] for view in views]).tolist()
        return replace(found, looked_at=tuple(dict.fromkeys((row, column) for row, column in places)))

    def views(self, case: Case) -> list[View]:
        """What each kind of ascent finds."""
        count = max(_FEWEST_STARTS, min(self.starts, _MOST_POINTS // len(case.classes)))
        sources = {"images": case.clean(count), "noise": case.noise(count)}
        ascents = [(source, shared) for source in sources for shared in (False, True)]
        progress = case.counter(
            sum(len(sources[source]) for source, _ in ascents) * len(case.classes) * (self.steps + 1)
        )
        return [self._ascend(case, source, sources[source], shared, progress) for source, shared in ascents]

    def _ascend(self, case: Case, source: str, starts: Pixels, shared: bool, progress: Callable[[int], None]) -> View:
        shape = case.network.input_map.image_shape[:2]
        sums = FeatureSums(len(case.classes), shape, self.threshold)
        margin, peaks = np.empty((2, len(case.classes)))
        places = np.empty((len(case.classes), 2), np.int64)
        length, direction = (self.length / 2, alike) if shared else (self.length, each)
        for part in ascend(case.network, starts, case.classes, self.steps, length, progress, direction):
            margin[part.classes] = part.margin.mean(axis=1)
            strength = np.abs(part.gradient).mean(axis=1).max(axis=-1)
            peaks[part.classes], places[part.classes] = strongest_box(strength)
            # What would lower the class's margin is not the trigger: only the positive part is explained.
            sums.add(part.classes, heatmaps(np.maximum(part.gradient, 0)))
        features = sums.features()
        return View(source, shared, margin, features.sparse + features.smooth + features.persistent, peaks, places)


@dataclass(frozen=True)
class View:
    """What one kind of ascent found.

    Attributes:
        source: of the starts, `images` or `noise`.
        shared: whether all starts were moved alike.
        margin: `[S]`, mean over the end points.
        size: `[S]`, sparse + smooth + persistent of the explanations there.
        peak: `[S]` in [0, 1], how concentrated their mean is;
        place: `[S, 2]`, row and column where it is.
    """

    source: str
    shared: bool
    margin: NDArray[np.float64]
    size: NDArray[np.float64]
    peak: NDArray[np.float64]
    place: NDArray[np.int64]


def compare(views: Sequence[View], own: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Each score's robust z, the median over the views, `[S]`.

    Args:
        views: at least one.
        own: `[S]`, see `own_margins`.
    """
    relative = [np.divide(view.margin, own, out=np.full(len(own), np.nan), where=own > 0) for view in views]
    return {
        "margin": np.median([robust_z(view.margin) for view in views], axis=0),
        "spot": np.median([anomaly_index(view.size) for view in views], axis=0),
        "peak": np.median([robust_z(view.peak) for view in views], axis=0),
        "relative": np.median([robust_z(margin) for margin in relative], axis=0),
    }


def joined(columns: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The larger of two looks, how far a class can be reached and how small a spot it then looks at; `[S]`."""
    reached = np.minimum(columns["margin"], columns["relative"])
    return np.asarray(np.maximum(reached, (columns["spot"] + columns["peak"]) / 2))


def own_margins(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """How large the margin of each class is on its own images: what a natural image of it reaches, `[K]`.

    Classes below the median, or without images, get the median: to be learnt badly is no reason for suspicion.

    Args:
        logits: `[N, K]` of clean images; they count for the class that the model gives them.
    """
    ordered = np.sort(logits, axis=1)
    margins, answers = ordered[:, -1] - ordered[:, -2], logits.argmax(axis=1)
    own: NDArray[np.float64] = np.full(logits.shape[1], np.nan)
    for label in np.unique(answers):
        own[label] = np.quantile(margins[answers == label], OUTLIERS.natural)
    own[~(own > np.nanmedian(own))] = np.nanmedian(own)
    return own
