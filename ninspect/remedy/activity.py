"""How far the channels of a network are driven by images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.remedy.sites import Site
from ninspect.runtime import Network, Pixels, asked_for, open_model, run


@dataclass(frozen=True, eq=False)
class Activity:
    """What the channels of all sites do, in their order.

    Attributes:
        largest: `[P]` float32, over images and places.
        mean: `[P]` float64, of the absolute values.
    """

    largest: NDArray[np.float32]
    mean: NDArray[np.float64]


def activity(network: Network, places: Sequence[Site], pixels: Pixels) -> Activity:
    """What images `[N, H, W, C]` make of the channels.

    Raises:
        ModelError: ONNX Runtime refuses the model.
    """
    names = [site.name for site in places]
    session: Any = open_model(asked_for(network.classifier.model.clone(), *names), network.device)
    total, largest, parts = np.zeros(sum(site.channels for site in places)), [], 0.0
    for part in network.plan.images(len(pixels)):
        batch = network.plan.filled(network.input_map.to_model(pixels[part]))
        values = list(_by_channel(places, run(session, names, network.classifier.feeds(batch))))
        largest.append(np.concatenate([value.max(axis=0) for value in values]))
        total += len(batch) * np.concatenate([np.abs(value).mean(axis=0, dtype=np.float64) for value in values])
        parts += len(batch)
    return Activity(np.max(largest, axis=0).astype(np.float32), total / parts)


def _by_channel(places: Sequence[Site], values: Sequence[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Each tensor as `[everything else, channels]`."""
    for site, value in zip(places, values, strict=True):
        yield np.moveaxis(value, site.axis, -1).reshape(-1, site.channels)
