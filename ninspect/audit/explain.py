"""One class at one image, for a person to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.open import chosen_classes, open_settled
from ninspect.measure.features import heatmaps
from ninspect.requests import ExplainRequest
from ninspect.samples import load_samples


@dataclass(frozen=True)
class Explanation:
    """One class explained at one image.

    Attributes:
        image: `[H, W, C]` float32 in [0, 1].
        heatmap: `[H, W]` float32 in [0, 1].
        value: of the objective.
        predicted: the class that the model answers.
        name: of the image; where several were given, of the one that was taken.
        preprocess_source: where the preprocessing comes from.
    """

    image: NDArray[np.float32]
    heatmap: NDArray[np.float32]
    value: float
    predicted: int
    name: str
    preprocess_source: str


def explain_image(request: ExplainRequest) -> Explanation:
    """Explain one class at one image.

    Raises:
        UsageError: a path does not exist, the class is out of range, or an option does not fit.
        ModelError: the model cannot be analysed.
    """
    network, known = open_settled(request)
    classes = chosen_classes([request.label], network.classes)
    shape = network.input_map.image_shape
    samples = load_samples(request.image, image_shape=shape, preprocess=known.preprocess, limit=1)
    pixels = samples.unit_pixels
    (part,) = network.gradients(pixels, classes, request.objective)
    predicted = int(network.logits(pixels)[0].argmax())
    heatmap, value = heatmaps(part.pixels)[0, 0], float(part.objective[0, 0])
    return Explanation(pixels[0], heatmap, value, predicted, samples.names[0], known.source)
