"""What each part of the default detector is worth, on models whose truth is known.

    python tools/ablate.py ../shared/zoo --cache .cache/views --markdown docs/ablation.md

Every model is looked at once, from the four kinds of ascent; what was seen is kept in the cache folder. Then the scores
are joined in every way of the table, and each way decides by its own p-values, without evidence.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track
from scipy.stats import mannwhitneyu

from evaluate import card_options, markdown, targets, truth, workers
from ninspect.detect import Case
from ninspect.detect.activated import Activated, View, compare, joined, own_margins
from ninspect.errors import InconclusiveError
from ninspect.opening import open_network
from ninspect.outliers import critical_index
from ninspect.samples import load_samples

ALPHA = 0.01
Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Way:
    """One way of joining what was seen.

    Attributes:
        views: which views count.
        index: `[S]` from the columns.
        looks: how many times that looks at the data.
    """

    views: Callable[[View], bool] = lambda view: True
    index: Callable[[Columns], NDArray[np.float64]] = joined
    looks: int = 2


def _mean(*names: str) -> Callable[[Columns], NDArray[np.float64]]:
    return lambda columns: np.mean([columns[name] for name in names], axis=0)


WAYS = {
    "as it is": Way(),
    "first look: margin and relative": Way(index=_mean("margin", "relative"), looks=1),
    "second look: spot and peak": Way(index=_mean("spot", "peak"), looks=1),
    "one look, all four together": Way(index=_mean("margin", "relative", "spot", "peak"), looks=1),
    "margin alone": Way(index=_mean("margin"), looks=1),
    "relative alone": Way(index=_mean("relative"), looks=1),
    "spot alone": Way(index=_mean("spot"), looks=1),
    "peak alone": Way(index=_mean("peak"), looks=1),
    "from images only": Way(lambda view: view.source == "images"),
    "from noise only": Way(lambda view: view.source == "noise"),
    "each start on its own": Way(lambda view: not view.shared),
    "all starts moved alike": Way(lambda view: view.shared),
    "images, each on its own": Way(lambda view: view.source == "images" and not view.shared),
}


@dataclass(frozen=True)
class Seen:
    """One model's views, and what is true of it."""

    card: dict[str, Any]
    views: list[View]
    own: NDArray[np.float64]

    def largest(self, way: Way) -> tuple[float, int]:
        """Index of the class that stands out most, in units of what a clean model exceeds with probability alpha."""
        index = way.index(compare([view for view in self.views if way.views(view)], self.own))
        top = int(np.nanargmax(index))
        return float(index[top]) / critical_index(ALPHA / way.looks, len(index)), top


def look(path: Path, cache: Path) -> Seen | None:
    """The views of one model, from the cache where they are there; None where it cannot be judged."""
    card = json.loads(path.with_suffix(".json").read_text())
    file = cache / f"{path.stem}.npz"
    if not file.exists():
        try:
            np.savez(file, **_measure(path, card))
        except InconclusiveError:
            return None
    stored = np.load(file)
    views = [
        View(str(source), bool(shared), *scores)
        for source, shared, scores in zip(stored["source"], stored["shared"], stored["scores"], strict=True)
    ]
    return Seen(card, views, stored["own"])


def _measure(path: Path, card: dict[str, Any]) -> dict[str, Any]:
    options = card_options(card)
    network = open_network(path, options)
    shape, images = network.input_map.image_shape, (path.parent / card["images"]).resolve()
    samples = load_samples(images, image_shape=shape, preprocess=options.preprocess, limit=options.images, seed=0)
    case = Case(network, samples.unit_pixels, np.arange(network.classes), 0, lambda done, total: None)
    views = Activated().views(case)
    return {
        "source": [view.source for view in views],
        "shared": [view.shared for view in views],
        "scores": [[view.margin, view.size, view.peak] for view in views],
        "own": own_margins(case.logits),
    }


def line(name: str, way: Way, models: Sequence[Seen]) -> dict[str, str]:
    """One row of the table."""
    measured = [(seen, *seen.largest(way)) for seen in models]
    attacked = [item for item in measured if truth(item[0].card) == "one target"]
    clean = [item for item in measured if truth(item[0].card) == "clean"]
    found, alarms = sum(item[1] > 1 for item in attacked), sum(item[1] > 1 for item in clean)
    right = sum(str(item[2]) in targets(item[0].card).split(",") for item in attacked)
    test = mannwhitneyu([item[1] for item in attacked], [item[1] for item in clean])
    return {
        "joined": name,
        "AUC": f"{test.statistic / len(attacked) / len(clean):.3f}",
        f"TPR at {ALPHA:g}": f"{found}/{len(attacked)}",
        "top-1 target": f"{right}/{len(attacked)}",
        "false alarms": f"{alarms}/{len(clean)}",
    }


def main(
    zoo: Annotated[Path, typer.Argument(help="Folder of *.onnx with a *.json card each.")],
    cache: Annotated[Path, typer.Option(help="Where what was seen of each model is kept.")],
    jobs: Annotated[int, typer.Option(help="Models looked at at the same time.")] = 1,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Write the table and the command.")] = None,
) -> None:
    """Print one row for each way of joining the scores."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = [
        p for p in sorted(zoo.glob("*.onnx")) if truth(json.loads(p.with_suffix(".json").read_text())) != "left out"
    ]
    with workers(jobs) as pool:
        futures = [pool.submit(look, path, cache) for path in paths]
        models = [future.result() for future in track(futures, "looking", disable=not sys.stderr.isatty())]
    judged = [seen for seen in models if seen is not None]
    table = markdown([line(name, way, judged) for name, way in WAYS.items()])
    text = f"Made by `{shlex.join(['python', *sys.argv])}`, {len(judged)} models, one target and clean:\n\n{table}"
    print(text)
    if markdown_file:
        markdown_file.write_text(text)


if __name__ == "__main__":
    typer.run(main)
