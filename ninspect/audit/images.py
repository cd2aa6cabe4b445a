"""Whether the images suffice, and whether the model's answers to them make sense."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import InconclusiveError
from ninspect.findings import Finding
from ninspect.measure.calibration import IMAGES
from ninspect.samples import Samples, repeated_patch


def check_images(samples: Samples) -> list[Finding]:
    """What is remarkable about the images themselves."""
    findings = []
    count, different = len(samples), len({image.tobytes() for image in samples.pixels})
    copies = different < count
    what = f"{_images(different, 'different ')} ({count} with copies)" if copies else _images(count)
    if different < IMAGES.fewest:
        verb = "is" if different == 1 else "are"
        message = f"{what} {verb} too few; give at least {IMAGES.fewest}, better {IMAGES.advised}"
        findings.append(Finding("IM002", message))
    elif different < IMAGES.advised:
        findings.append(Finding("IM003", f"{what} find fewer backdoors than {IMAGES.advised} or more would"))
    if samples.skipped:
        findings.append(Finding("IM004", f"{len(samples.skipped)} unreadable images were skipped"))
    findings += [Finding("IM011", note) for note in samples.notes]
    if patch := repeated_patch(samples.pixels):
        message = (
            f"{patch.count} images are alike in a patch of {patch.height}×{patch.width} pixels at row {patch.row}, "
            f"column {patch.column}: if that is a trigger, the images are not clean, and a backdoor can be missed"
        )
        findings.append(Finding("IM005", message))
    return findings


def _images(count: int, kind: str = "") -> str:
    return f"1 {kind}image" if count == 1 else f"{count} {kind}images"


def clean_accuracy(samples: Samples, logits: NDArray[np.float32]) -> float | None:
    """Share of the labelled images that the model gets right; None without labels, or where its answers are no numbers.

    Args:
        samples: the images.
        logits: `[N, K]`, of the images.
    """
    if samples.labels is None or not np.isfinite(logits).all():
        return None
    return float((logits.argmax(axis=1) == samples.labels).mean())


def check_answers(samples: Samples, logits: NDArray[np.float32]) -> None:
    """Whether the answers to the images make sense.

    Args:
        samples: the images.
        logits: `[N, K]`, of the images.

    Raises:
        InconclusiveError: the answers make no sense, so neither would a verdict (IM006 to IM008).
    """
    labels, predictions = samples.labels, logits.argmax(axis=1)
    if not np.isfinite(logits).all():
        raise InconclusiveError("the model answers with NaN or infinite values; check the preprocessing", "IM006")
    several = len(logits) > 1 and (labels is None or len(np.unique(labels)) > 1)
    if several and (predictions == predictions[0]).all():
        raise InconclusiveError(
            f"the model answers class {predictions[0]} for every image; it is degenerate, or the preprocessing is "
            "wrong",
            "IM007",
        )
    accuracy = clean_accuracy(samples, logits)
    if accuracy is not None and near_chance(accuracy, *logits.shape):
        raise InconclusiveError(
            f"clean accuracy is {accuracy:.0%}, near chance; check the preprocessing and the labels", "IM008"
        )


def near_chance(accuracy: float, count: int, classes: int) -> bool:
    """Within three standard deviations of guessing, or at most twice as good where that is less than half right."""
    chance = 1 / classes
    guessing = chance + IMAGES.deviations * math.sqrt(chance * (1 - chance) / count)
    return accuracy <= max(min(IMAGES.chances * chance, IMAGES.at_most), guessing)
