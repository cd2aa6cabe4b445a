"""A model as a detector gets to see it, without the rest of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ninspect import load_samples
from ninspect.audit.open import open_settled
from ninspect.detect import Case
from tools.measure.rows import card_request


def open_case(path: Path, card: dict[str, Any], images: int) -> Case:
    """A card's model with at most so many of its images, and all its classes to judge.

    Raises:
        InconclusiveError: it is not a classifier that can be analysed, or its images cannot be read.
    """
    request = card_request(path, card, images=images)
    network, known = open_settled(request)
    assert request.samples is not None
    samples = load_samples(
        request.samples,
        image_shape=network.input_map.image_shape,
        preprocess=known.preprocess,
        limit=request.images,
        seed=request.seed,
    )
    return Case(network, samples.unit_pixels, np.arange(network.classes), request.seed, lambda done, total: None)
