"""Measure how sure networks are of images that they know: below `IMAGES.known` they seem not to know them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from tools.measure.cases import open_case
from tools.measure.evaluate import with_cards
from tools.measure.tables import markdown

_IMAGES = 100
_ACCURACIES = (0.5, 0.8, 0.9)


def main(folders: Annotated[list[Path], typer.Argument(help="Folders of *.onnx with a *.json card each.")]) -> None:
    """Print, of the networks that get some share of their images right, how sure the least sure one is.

    Example: python -m tools.measure.confidence ../shared/zoo .cache/study
    """
    measured = list[tuple[float, float]]()
    for path in track([path for folder in folders for path in with_cards(folder)], "measuring"):
        card = json.loads(path.with_suffix(".json").read_text())
        if card.get("images"):
            measured.append((card["clean_acc"], open_case(path, card, _IMAGES).confidence))
    lines = []
    for least in _ACCURACIES:
        sure = [confidence for accuracy, confidence in measured if accuracy >= least]
        lines.append({"right about at least": f"{least:.0%} ({len(sure)})", "least sure": f"{min(sure):.2f}"})
    print(markdown(lines))


if __name__ == "__main__":
    typer.run(main)
