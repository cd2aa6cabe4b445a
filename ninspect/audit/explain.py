"""One class at one image, for a person to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.open import ScanOptions, chosen_classes, open_as_told
from ninspect.gradient import Objective
from ninspect.measure.features import heatmaps
from ninspect.preprocess.resolve import DEFAULT
from ninspect.samples import load_samples


@dataclass(frozen=True)
class Explanation:
    """One class explained at one image.

    Attributes:
        image: `[H, W, C]` float32 in [0, 1].
        heatmap: `[H, W]` float32 in [0, 1].
        value: of the objective.
        predicted: the class that the model answers.
        preprocess_source: where the preprocessing comes from.
    """

    image: NDArray[np.float32]
    heatmap: NDArray[np.float32]
    value: float
    predicted: int
    preprocess_source: str


def explain_image(model: Path, image: Path, label: int, options: ScanOptions, objective: Objective) -> Explanation:
    """Explain one class at one image.

    Raises:
        UsageError: a path does not exist, the class is out of range, or an option does not fit.
        ModelError: the model cannot be analysed.
    """
    network, options = open_as_told(model, replace(options, images=1))
    classes = chosen_classes([label], network.classes)
    samples = load_samples(image, image_shape=network.input_map.image_shape, preprocess=options.preprocess, limit=1)
    pixels = samples.unit_pixels
    (part,) = network.gradients(pixels, classes, objective)
    predicted = int(network.logits(pixels)[0].argmax())
    source = options.preprocess_source if options.preprocess.ranged else DEFAULT
    return Explanation(pixels[0], heatmaps(part.pixels)[0, 0], float(part.objective[0, 0]), predicted, source)
