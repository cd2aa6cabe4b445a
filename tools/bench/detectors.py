"""How much longer Neural Cleanse takes over all classes than the default detectors.

    PYTHONPATH=.:tools python tools/bench/detectors.py MODEL ... --rounds N

Every MODEL has a card `*.json` beside it, as for `tools/evaluate.py`. The two take turns on the same images; what
counts is the ratio of their times in one round. Without evidence, which is sought for three classes at most.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from evaluate import DETECTORS, card_options, markdown
from ninspect import scan

METHODS = ("default", "neural_cleanse")


def seconds(path: Path, method: str) -> float:
    """Wall time of the detectors of a method on one model."""
    card = json.loads(path.with_suffix(".json").read_text())
    options = replace(card_options(card), detectors=DETECTORS[method](), evidence=False)
    result = scan(path, (path.parent / card["images"]).resolve(), options)
    return sum(detector.seconds for detector in result.detectors)


def main(
    models: list[Path],
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 3,
) -> None:
    """Print seconds of each, and how many times the default one the other takes; medians over the rounds."""
    lines = []
    for path in models:
        times = np.array([[seconds(path, method) for method in METHODS] for _ in range(rounds)])
        default, cleanse = np.median(times, axis=0)
        ratio = np.median(times[:, 1] / times[:, 0])
        lines.append(
            {
                "model": path.stem,
                "default": f"{default:.1f} s",
                "neural_cleanse": f"{cleanse:.1f} s",
                "ratio": f"{ratio:.1f}",
            }
        )
    print(markdown(lines))


if __name__ == "__main__":
    typer.run(main)
