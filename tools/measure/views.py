"""What `ablate` sees of a model: more kinds of ascent than the default detector has, and more scores of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ninspect import ScanRequest
from ninspect.detect import Activated, Case
from ninspect.detect.activated import View, own_margins
from ninspect.errors import InconclusiveError
from ninspect.measure.features import Features, FeatureSums, heatmaps, peak
from ninspect.runtime import Pixels
from ninspect.search import alike, ascend, each
from tools.measure.cases import open_case

FEATURES = (
    "unsigned spot",
    "raw L1",
    "difference, spot",
    "difference, peak",
    "agreement",
    "unlike other classes",
    "last layer",
)
STRONGEST = 0.01
BLUR = 2.0  # pixels


@dataclass(frozen=True)
class Wide(View):
    """A view with the scores that the default detector does not have.

    Attributes:
        move: of the starts, a key of `MOVES`.
        features: `[F, S]`, as in `FEATURES`, high values suspicious.
    """

    move: str
    features: NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """One model's views, and what is true of it."""

    name: str
    card: dict[str, Any]
    views: list[Wide]
    own: NDArray[np.float64]


def signs(gradients: Pixels) -> Pixels:
    """sign(g), of length 1: every value moves by as much."""
    return each(np.sign(gradients))


def strongest_alike(gradients: Pixels) -> Pixels:
    """The largest 1 % of ḡ in absolute value, of length 1, the same for all starts."""
    mean = gradients.mean(axis=1, keepdims=True)
    size = np.abs(mean)
    least = np.quantile(size, 1 - STRONGEST, axis=(2, 3, 4), keepdims=True)
    return each(np.where(size >= least, mean, np.float32(0)))


# Direction, and length of a step in units of the detector's.
MOVES: dict[str, tuple[Callable[[Pixels], Pixels], float]] = {
    "each": (each, 1.0),
    "alike": (alike, 0.5),
    "signs": (signs, 1.0),
    "strongest alike": (strongest_alike, 0.5),
    "each, half as far": (each, 0.5),
    "alike, half as far": (alike, 0.25),
    "each, twice as far": (each, 2.0),
    "alike, twice as far": (alike, 1.0),
}
SEEN = [(source, move) for source in ("images", "noise") for move in MOVES] + [
    (source, move)
    for source in ("mixtures", "blurred noise", "three times the images", "three times the noise")
    for move in ("each", "alike")
]


_NOWHERE = np.empty((0, 2), np.int64)  # the places of the peaks are not kept


def look(path: Path, cache: Path) -> Seen | None:
    """The views of one model, from the cache where they are there; None where it cannot be judged."""
    card = json.loads(path.with_suffix(".json").read_text())
    file = cache / f"{path.stem}.npz"
    if not file.exists():
        try:
            np.savez(file, **_measure(path, card))
        except InconclusiveError:
            return None
    stored = np.load(file)
    views = [
        Wide(source, "alike" in move, margin, size, peaks, _NOWHERE, move, features)
        for (source, move), (margin, size, peaks), features in zip(
            SEEN, stored["scores"], stored["features"], strict=True
        )
    ]
    return Seen(path.stem, card, views, stored["own"])


def _measure(path: Path, card: dict[str, Any]) -> dict[str, Any]:
    case = open_case(path, card, ScanRequest.images)
    starts = _starts(case)
    views = [_view(case, source, starts[source], move) for source, move in SEEN]
    return {
        "scores": np.array([[view.margin, view.size, view.peak] for view in views]),
        "features": np.array([view.features for view in views]),
        "own": own_margins(case.logits),
    }


def _starts(case: Case) -> dict[str, Pixels]:
    count = Activated().starts
    images, noise = case.clean(count), case.noise(count)
    blurred = gaussian_filter(noise, (0, BLUR, BLUR, 0), mode="wrap")
    low, high = (bound(blurred, axis=(1, 2), keepdims=True) for bound in (np.min, np.max))
    return {
        "images": images,
        "noise": noise,
        "mixtures": (images + noise[: len(images)]) / 2,
        "blurred noise": (blurred - low) / (high - low),
        "three times the images": case.clean(3 * count),
        "three times the noise": case.noise(3 * count),
    }


def _view(case: Case, source: str, starts: Pixels, move: str) -> Wide:
    settings, count, shape = Activated(), len(case.classes), case.network.input_map.image_shape
    positive, unsigned = (FeatureSums(count, shape[:2], settings.threshold) for _ in range(2))
    margin, peaks, raw, agreement = np.empty((4, count))
    moved = np.empty((count, *shape), np.float32)
    direction, length = MOVES[move]
    for part in ascend(
        case.network, starts, case.classes, settings.steps, settings.length * length, lambda done: None, direction
    ):
        some, size = part.classes, np.abs(part.gradient)
        margin[some] = part.margin.mean(axis=1)
        peaks[some] = peak(size.mean(axis=1).max(axis=-1))
        raw[some] = size.sum(axis=(2, 3, 4)).mean(axis=1)
        agreement[some] = np.sqrt((each(part.gradient).mean(axis=1) ** 2).sum(axis=(1, 2, 3)))
        moved[some] = (part.points - starts).mean(axis=1)
        positive.add(some, heatmaps(np.maximum(part.gradient, 0)))
        unsigned.add(some, heatmaps(part.gradient))
    differences = FeatureSums(count, shape[:2], settings.threshold)
    differences.add(slice(None), heatmaps(moved)[:, None])
    spread = differences.features()
    features = [
        -_size(unsigned.features()),
        raw,
        -(spread.sparse + spread.smooth),
        peak(np.abs(moved).max(axis=-1)),
        agreement,
        _unlike(moved.reshape(count, -1)),
        np.full(count, np.nan) if case.network.head is None else case.network.head.mean(axis=1),
    ]
    return Wide(source, "alike" in move, margin, _size(positive.features()), peaks, _NOWHERE, move, np.array(features))


def _size(features: Features) -> NDArray[np.float64]:
    return features.sparse + features.smooth + features.persistent


def _unlike(moved: NDArray[np.float32]) -> NDArray[np.float64]:
    """−(mean cosine with the other rows), of `[S, D]`."""
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    unit = np.divide(moved, length, out=np.zeros_like(moved), where=length > 0)
    cosine = unit @ unit.T
    return np.asarray(-(cosine.sum(axis=1) - np.diag(cosine)) / (len(cosine) - 1), np.float64)
