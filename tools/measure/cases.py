"""A model as a detector gets to see it, without the rest of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ninspect import load_samples, open_network
from ninspect.detect import Case
from tools.measure.rows import card_options


def open_case(path: Path, card: dict[str, Any], images: int) -> Case:
    """A card's model with at most so many of its images, and all its classes to judge.

    Raises:
        InconclusiveError: it is not a classifier that can be analysed, or its images cannot be read.
    """
    options = card_options(card)
    network = open_network(path, options)
    samples = load_samples(
        (path.parent / card["images"]).resolve(),
        image_shape=network.input_map.image_shape,
        preprocess=options.preprocess,
        limit=images,
        seed=options.seed,
    )
    return Case(network, samples.unit_pixels, np.arange(network.classes), options.seed, lambda done, total: None)
