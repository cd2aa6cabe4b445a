"""Measure the score of `all-to-all` on clean models, by how few images it has.

    PYTHONPATH=.:tools python tools/permuted_share.py .cache/study/*-clean-*.onnx

Every model has a card `*.json` beside it, as for `tools/evaluate.py`. Gives the detector some images of some classes,
chosen at random, and prints mean, standard deviation and largest share over the models,
next to what the detector expects of clean ones.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import typer
from rich.progress import track

from measured import card_options
from ninspect import scan
from ninspect.detect import AllToAll, Case, Detection
from ninspect.detect.all_to_all import Permutation
from ninspect.detect.interface import skipped
from result_tables import markdown

IMAGES = (2, 3, 5, 10, 20)
CLASSES = (5, 7, 10, 20, 43)


@dataclass
class FewImages:
    """Runs `AllToAll` on parts of the images."""

    name: str = "few images"
    settings: dict[str, float | bool | list[float]] = field(default_factory=dict)
    found: dict[tuple[int, int], Permutation] = field(default_factory=dict)

    def detect(self, case: Case) -> Detection:
        """Remember the share for every number of images and of classes."""
        assert case.pixels is not None
        generator = np.random.default_rng(case.seed)
        labels = case.logits.argmax(axis=1)
        for images in IMAGES:
            known = [label for label in np.unique(labels) if (labels == label).sum() >= images]
            for classes in (count for count in CLASSES if count <= len(known)):
                some = [
                    generator.permutation(np.flatnonzero(labels == label))[:images]
                    for label in generator.permutation(known)[:classes]
                ]
                few = np.concatenate(some)
                self.found[images, classes] = AllToAll().best(case, case.pixels[few], labels[few])
        return skipped(self.name, case.classes, "it judges nothing")


def main(models: list[Path]) -> None:
    """Print one line for every number of classes of the model, of images and of classes with images."""
    shares = defaultdict[tuple[int, int, int], list[float]](list)
    expected = dict[tuple[int, int, int], tuple[float, float]]()
    for path in track(models, "measuring"):
        card = json.loads(path.with_suffix(".json").read_text())
        few = FewImages()
        options = replace(card_options(card), detectors=[few], evidence=False, images=24 * card["classes"])
        scan(path, (path.parent / card["images"]).resolve(), options)
        for (images, classes), found in few.found.items():
            shares[card["classes"], classes, images].append(found.share)
            expected[card["classes"], classes, images] = found.chance
    lines = [
        {
            "classes": str(case[0]),
            "with images": str(case[1]),
            "images of each": str(case[2]),
            "models": str(len(found)),
            "mean": f"{np.mean(found):.2f}",
            "deviation": f"{np.std(found):.2f}",
            "largest": f"{max(found):.2f}",
            "expected": f"{expected[case][0]:.2f} ± {expected[case][1]:.2f}",
        }
        for case, found in sorted(shares.items())
    ]
    print(markdown(lines))


if __name__ == "__main__":
    typer.run(main)
