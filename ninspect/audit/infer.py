"""What nobody said about the preprocessing, found out by trying: which value range the model is right with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.labels import Matching
from ninspect.measure import calibration
from ninspect.names import Preset
from ninspect.preprocess import Preprocess, Resolved
from ninspect.preprocess.settings import PRESETS
from ninspect.runtime import Network
from ninspect.samples import Samples


def infer_preset(network: Network, samples: Samples, preprocess: Preprocess) -> Resolved:
    """Try every preset on labelled images.

    An image counts as right if it gets the answer that the model gives to its label, whatever number that has, so that
    labels that are numbered differently do not choose the preset.

    Args:
        network: the model.
        samples: images with labels.
        preprocess: what is known, without a value range.

    Returns:
        The settings with the preset with which the model is right most often, but with `unit` unless another is clearly
        better; with a doubt where it is not clearly better than all others.
    """
    assert samples.labels is not None
    pixels, channels = samples.unit_pixels, samples.pixels.shape[-1]
    right: dict[Preset, NDArray[np.bool_]] = {}
    for name, values in PRESETS.items():
        if np.ndim(values["mean"]) == 0 or np.size(values["mean"]) == channels:
            logits = network.with_preprocess(preprocess.with_preset(name)).logits(pixels)
            right[name] = _right(samples.labels, logits)
    ordered = sorted(right, key=lambda name: -right[name].sum())  # keeps the order of equal ones
    best = ordered[0] if _clearly(right[ordered[0]], right["unit"]) else "unit"
    following = next(name for name in ordered if name != best)
    tried = ", ".join(f"{name} {each.mean():.1%}" for name, each in right.items())
    doubt = None
    if not _clearly(right[best], right[following]):
        ahead = right[following].sum() > right[best].sum()
        first, second = (following, best) if ahead else (best, following)
        doubt = (
            f"the preprocessing was inferred as {best}, and {first} is not clearly better than {second} (answers that "
            f"go with the labels: {tried}); say which is right with --preset, or with --mean and --std"
        )
    source = f"preset {best}, inferred from the labels, with which so many answers go: {tried}"
    return Resolved(preprocess.with_preset(best), source, doubt)


def _right(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`[N]`; by the labels as they are where no two images have the same, since one alone always matches."""
    answers = logits.argmax(axis=1)
    if len(np.unique(labels)) == len(labels):
        return np.asarray(answers == labels)
    return Matching.of(labels, answers, logits.shape[1]).right(labels, answers)


def _clearly(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """McNemar's test: only images that just one of both gets right tell which is better."""
    ahead, behind = int((one & ~other).sum()), int((other & ~one).sum())
    return ahead - behind > calibration.PRESETS.clearly * math.sqrt(ahead + behind)
