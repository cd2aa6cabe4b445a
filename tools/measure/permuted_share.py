"""Measure the score of `all-to-all` on clean models, by how few images it has.

Every model has a card `*.json` beside it, as for `tools.measure.evaluate`. Gives the detector some images of some
classes, chosen at random, and prints mean, standard deviation and largest share over the models, next to what the
detector expects of clean ones.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import typer
from rich.progress import track

from ninspect.detect import AllToAll, Case
from ninspect.detect.all_to_all import Permutation
from tools.measure.cases import open_case
from tools.measure.tables import markdown

IMAGES = (2, 3, 5, 10, 20)
CLASSES = (5, 7, 10, 20, 43)
SPARE = 24  # images of each class: the prediction of some is another class


def with_few_images(case: Case) -> Iterator[tuple[int, int, Permutation]]:
    """For every number of classes and of images of each: what the detector finds with no more than those."""
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
            yield classes, images, AllToAll().best(case, case.pixels[few], labels[few])


def main(models: list[Path]) -> None:
    """Print one line for every number of classes of the model, of images and of classes with images.

    Example: python -m tools.measure.permuted_share .cache/study/*-clean-*.onnx
    """
    shares = defaultdict[tuple[int, int, int], list[float]](list)
    expected = dict[tuple[int, int, int], tuple[float, float]]()
    for path in track(models, "measuring"):
        card = json.loads(path.with_suffix(".json").read_text())
        for classes, images, found in with_few_images(open_case(path, card, SPARE * card["classes"])):
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
