"""How long the default detectors take, and how much longer Neural Cleanse over all classes.

Every MODEL has a card `*.json` beside it, as for `tools.measure.evaluate`. The methods take turns on the same images;
what counts is the ratio of their times in one round. Without evidence, which is sought for three classes at most.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ninspect.audit.stages import scan
from ninspect.detect import Detector, NeuralCleanse
from ninspect.search.inversion import Inversion
from tools.measure.evaluate import DETECTORS, PUBLISHED
from tools.measure.rows import card_request
from tools.measure.tables import markdown

ALL_STEPS = Inversion(patience=Inversion.steps)
METHODS: dict[str, Callable[[], Sequence[Detector]]] = {
    "default": DETECTORS["default"],
    "neural_cleanse": DETECTORS["neural_cleanse"],
    "all 1000 steps": lambda: [NeuralCleanse(ALL_STEPS)],
    PUBLISHED: DETECTORS[PUBLISHED],
}


def seconds(path: Path, method: str) -> float:
    """Wall time of the detectors of a method on one model."""
    card = json.loads(path.with_suffix(".json").read_text())
    result = scan(card_request(path, card, evidence=False), detectors=METHODS[method]())
    return sum(detector.seconds for detector in result.detectors)


def main(
    models: list[Path],
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 3,
    method: Annotated[list[str] | None, typer.Option(help="Beside `default`; all without it.")] = None,
) -> None:
    """Print seconds of each, and how many times the default one the others take; medians over the rounds.

    Example: python -m tools.bench.detectors ../shared/zoo/NAME.onnx --rounds 3 --method neural_cleanse
    """
    methods = list(METHODS) if method is None else ["default", *(name for name in method if name != "default")]
    lines = []
    for path in models:
        times = np.array([[seconds(path, name) for name in methods] for _ in range(rounds)])
        line = {"model": path.stem}
        for name, median, ratio in zip(
            methods, np.median(times, axis=0), np.median(times / times[:, :1], axis=0), strict=True
        ):
            line[name] = f"{median:.1f} s" if name == "default" else f"{median:.1f} s ({ratio:.1f})"
        lines.append(line)
        print(line, file=sys.stderr)
    print(markdown(lines))


if __name__ == "__main__":
    typer.run(main)
