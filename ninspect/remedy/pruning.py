"""Pruning channels without any trigger: the dormant ones, and those that a small change of the image drives far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.model import Classifier
from ninspect.remedy.activity import Activity
from ninspect.remedy.free import FreeNetwork
from ninspect.remedy.sites import Limits, Site
from ninspect.remedy.threats import Examples

_SPREADS = (4.0, 3.0, 2.0)  # standard deviations above the mean; CLP's authors take 3
_PARTS = 16  # of the channels of a site, which are tried one after the other
_CHANGED = 0.01  # share of the answers that pruning may change
_THROUGH = ("Relu", "LeakyRelu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten", "Reshape", "Elu")


def nothing(places: Sequence[Site]) -> Limits:
    """Limits that change nothing."""
    count = sum(site.channels for site in places)
    return Limits(np.ones(count, np.float32), np.full(count, np.inf, np.float32))


def pruned(places: Sequence[Site], channels: NDArray[np.bool_]) -> Limits:
    """Limits under which the channels `[P]` are zero."""
    limits = nothing(places)
    return Limits(np.where(channels, np.float32(0), limits.scales), limits.bounds)


def without_dormant(free: FreeNetwork, seen: Activity, fit: Examples) -> Limits:
    """Limits without the channels of the last site that clean images drive least (Fine-Pruning, RAID 2018).

    As many as can go while hardly an answer changes.

    Args:
        free: the network.
        seen: what the clean images do there.
        fit: clean images.
    """
    last = free.places[-1].channels
    order = np.argsort(seen.mean[-last:], kind="stable") + len(seen.mean) - last
    best, step = nothing(free.places), math.ceil(last / _PARTS)
    for count in range(step, last, step):
        channels = np.zeros(len(seen.mean), np.bool_)
        channels[order[:count]] = True
        limits = pruned(free.places, channels)
        if np.mean(free.logits(fit.pixels, limits).argmax(axis=1) != fit.answers) > _CHANGED:
            break
        best = limits
    return best


def without_steep(classifier: Classifier, places: Sequence[Site]) -> Iterator[tuple[float, Limits]]:
    """Limits without the channels that are far steeper than others (CLP, ECCV 2022, arXiv 2208.03111).

    σ_k is the largest singular value of the weights of channel k, as a matrix of its inputs by its places, times the
    scale of a batch normalisation behind them; a channel goes where σ_k > mean + u · standard deviation in its layer.
    Sites whose layer is not found, or has one value a channel, keep all.

    Args:
        classifier: the model.
        places: its sites.

    Returns:
        Each u, and the limits for it.
    """
    values = ir.convenience.create_value_mapping(classifier.model.graph, include_subgraphs=False)
    slopes = [_slopes(values[site.name], site.channels) for site in places]
    for spread in _SPREADS:
        steep = [
            np.zeros(site.channels, np.bool_) if slope is None else slope > slope.mean() + spread * slope.std()
            for site, slope in zip(places, slopes, strict=True)
        ]
        yield spread, pruned(places, np.concatenate(steep))


def _slopes(value: ir.Value | None, channels: int) -> NDArray[np.float64] | None:
    """σ of each channel `[channels]` of a tensor; of flattened ones, that of the map that a value is from."""
    factor: NDArray[np.float64] | float = 1.0
    while value is not None and (node := value.producer()) is not None:
        weights = [None if x is None else ir.convenience.get_const_tensor(x) for x in node.inputs]
        if node.op_type == "Conv" and weights[1] is not None:
            kernel = weights[1].numpy().astype(np.float64)
            matrices = kernel.reshape(*kernel.shape[:2], -1)
            slopes = np.linalg.norm(matrices, ord=2, axis=(1, 2)) * np.abs(factor)
            return np.repeat(slopes, channels // len(slopes)) if channels % len(slopes) == 0 else None
        if node.op_type == "BatchNormalization" and weights[1] is not None and weights[4] is not None:
            epsilon = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else 1e-5
            factor = factor * weights[1].numpy() / np.sqrt(weights[4].numpy() + epsilon)
        elif node.op_type not in _THROUGH:
            return None
        value = node.inputs[0]
    return None
