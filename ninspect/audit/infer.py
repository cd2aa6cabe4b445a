"""What nobody said about the preprocessing, found out by trying: which value range the model is right with."""

from __future__ import annotations

import math

import numpy as np

from ninspect.measure import calibration
from ninspect.preprocess import Preprocess, Resolved
from ninspect.preprocess.settings import PRESETS
from ninspect.runtime import Network
from ninspect.samples import Samples


def infer_preset(network: Network, samples: Samples, preprocess: Preprocess) -> Resolved:
    """Try every preset on labelled images; the first wins ties.

    Args:
        network: the model.
        samples: images with labels.
        preprocess: what is known, without a value range.

    Returns:
        The settings with the preset with which the model is right most often; with a doubt where another is about as
        good.
    """
    assert samples.labels is not None
    pixels, channels = samples.unit_pixels, samples.pixels.shape[-1]
    names = [name for name, values in PRESETS.items() if np.size(values["mean"]) in (1, channels)]
    right = {}
    for name in names:
        logits = network.with_preprocess(preprocess.preset(name)).logits(pixels)
        right[name] = logits.argmax(axis=1) == samples.labels
    best, following = sorted(names, key=lambda name: -right[name].sum())[:2]  # sorted keeps the order of equal ones
    tried = ", ".join(f"{name} {right[name].mean():.1%}" for name in names)
    doubt = None
    # McNemar's test: only images that just one of both gets right tell which is better.
    ahead, behind = (right[best] & ~right[following]).sum(), (right[following] & ~right[best]).sum()
    if ahead - behind <= calibration.PRESETS.clearly * math.sqrt(ahead + behind):
        doubt = (
            f"the preprocessing was inferred, and {best} is not clearly better than {following} ({tried}); "
            "say which is right with --preset"
        )
    return Resolved(preprocess.preset(best), f"preset {best}, inferred from the labels: right about {tried}", doubt)
