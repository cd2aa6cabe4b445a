"""Whether labels are those of the model: its answers show a permutation, and its confidence contradicts wrong ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.images import near_chance
from ninspect.findings import Finding
from ninspect.measure.calibration import LABELS
from ninspect.samples import Samples

_SHOWN = 8  # labels in a sentence


@dataclass(frozen=True, eq=False)
class Matching:
    """Which class of the model each label stands for, by its answers; no two stand for the same.

    Attributes:
        labels: `[G]`, those that there are, ascending.
        classes: `[G]`, which the model answers most, as far as it can be for all labels at once.
        images: `[G]`, how many have the label.
        matched: `[G]`, how many of them the model answers so.
    """

    labels: NDArray[np.int64]
    classes: NDArray[np.int64]
    images: NDArray[np.int64]
    matched: NDArray[np.int64]

    @classmethod
    def of(cls, labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> Matching:
        """The assignment with the most answers that match; of equally good ones, that which leaves labels as they are.

        Args:
            labels: `[N]`, each below `classes`.
            answers: `[N]`, of the model.
            classes: of the model.

        >>> Matching.of(np.array([0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 2]), 3).classes
        array([1, 0, 2])
        """
        from scipy.optimize import linear_sum_assignment

        different, index = np.unique(labels, return_inverse=True)
        confusion = np.zeros((len(different), classes))
        np.add.at(confusion, (index, answers), 1)
        kept = np.zeros_like(confusion)
        kept[np.arange(len(different)), different] = 0.5 / len(different)
        rows, columns = linear_sum_assignment(confusion + kept, maximize=True)
        images = confusion.sum(axis=1).astype(np.int64)
        return cls(different, columns, images, confusion[rows, columns].astype(np.int64))

    def right(self, labels: NDArray[np.int64], answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`[N]`, whether the answer is the class of the label, and that of another image with it: by chance seldom."""
        classes = np.where(self.matched > 1, self.classes, -1)
        return np.asarray(classes[np.searchsorted(self.labels, labels)] == answers)

    @property
    def moved(self) -> NDArray[np.bool_]:
        """`[G]`, the labels that stand for another class by more than half of their images."""
        return np.asarray((self.classes != self.labels) & (2 * self.matched > self.images) & (self.matched > 1))

    @property
    def permuted(self) -> bool:
        """Whether labels took each other's places, or most of them another class.

        A network that is often wrong answers one class as another, but not that one as a third.
        """
        moved = self.labels[self.moved]
        exchanged = np.isin(self.classes[self.moved], moved).sum()
        return bool(len(moved) > 1 and (exchanged > 1 or 2 * len(moved) > len(self.labels)))


@dataclass(frozen=True)
class Doubt:
    """Why labels are not believed.

    Attributes:
        finding: what is said of it.
        class_map: a number for each class of the data set by its name there, for which the answers speak; empty where
            they speak for none.
    """

    finding: Finding
    class_map: dict[str, int] = field(default_factory=dict)


def doubt_labels(samples: Samples, logits: NDArray[np.float32]) -> Doubt | None:
    """What speaks against the labels; None: nothing, or there are none.

    Args:
        samples: the images.
        logits: `[N, K]`, of the images.
    """
    labels, answers = samples.labels, logits.argmax(axis=1)
    if labels is None or not np.isfinite(logits).all():
        return None
    matching = Matching.of(labels, answers, logits.shape[1])
    if matching.permuted:
        return _permuted(samples, labels, answers, matching)
    right = answers == labels
    if near_chance(float(right.mean()), *logits.shape) or not _contradicted(logits, right):
        return None  # what is near chance is said elsewhere
    message = (
        f"the model is right about {right.mean():.0%} of the images, hardly more often where it is surest, and its "
        f"mean confidence is {_confidence(logits).mean():.0%}, as if labels were wrong; check the labels, --class-map "
        "and the preprocessing"
    )
    return Doubt(Finding("IM010", message))


def _permuted(samples: Samples, labels: NDArray[np.int64], answers: NDArray[np.int64], matching: Matching) -> Doubt:
    meant = dict(zip(matching.labels[matching.moved].tolist(), matching.classes[matching.moved].tolist(), strict=True))
    names = samples.numbers or {str(label): label for label in matching.labels.tolist()}
    class_map = {name: meant.get(label, label) for name, label in names.items()}
    shown = [f"label {name[:40]} is class {meant[label]}" for name, label in names.items() if label in meant]
    after = np.array([meant.get(label, label) for label in labels.tolist()])
    message = (
        f"the labels look shuffled: {_listed(shown)}; with these numbers the model would be right about "
        f"{(answers == after).mean():.0%} of the images instead of {(answers == labels).mean():.0%}: save them as a "
        "class map with --write-class-map FILE, look at it, and scan again with --class-map FILE"
    )
    return Doubt(Finding("IM010", message), class_map)


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (f", … ({len(items)} in all)" if len(items) > _SHOWN else "")


def _contradicted(logits: NDArray[np.float32], right: NDArray[np.bool_]) -> bool:
    """Whether the model is about as often wrong where it is sure as where it is not.

    The confidence of many networks is too large, and the scale of logits is not always that of log-probabilities. But
    what is surest is right most often with any of them, unless the labels are wrong.
    """
    wrong, count = int((~right).sum()), len(right)
    if not 0 < wrong < count:
        return False
    ordered = np.sort(logits, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    hits, accuracy = count - wrong, float(right.mean())
    told_apart = float((_ranks(margin)[right].mean() - (hits + 1) / 2) / wrong)  # the area under the ROC curve
    error = math.sqrt((1 / hits + 1 / wrong) / 12)
    limit = LABELS.limit(accuracy, logits.shape[1])
    if accuracy < LABELS.accuracy and told_apart + LABELS.errors * error < limit:
        return True
    surest = np.argsort(-margin, kind="stable")[: max(1, count // 2)]
    borne_out, claimed = float(right[surest].mean()), float(_confidence(logits)[surest].mean())
    spread = math.sqrt(borne_out * (1 - borne_out) / len(surest))
    overclaims = claimed - borne_out > LABELS.gap + LABELS.deviations * spread
    return accuracy >= LABELS.calibrated and told_apart < limit and overclaims


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values))


def _confidence(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """`[N]`, the probability of the answer."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(1 / np.exp(shifted).sum(axis=1))
