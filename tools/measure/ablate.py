"""What each part of the default detector is worth, and what was left out of it, on models whose truth is known.

Every model is looked at once, see `views`; what was seen is kept in the cache folder. Then the scores are
joined in every way of the table, and each way decides by its own p-values, without evidence.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

from ninspect.detect.activated import compare, joined
from ninspect.detect.examination import judge
from ninspect.measure.outliers import robust_z
from tools.measure.evaluate import workers
from tools.measure.rows import Row, targets, truth
from tools.measure.tables import auc, markdown
from tools.measure.views import FEATURES, Seen, Wide, look

ALPHA = 0.01
MOST_CLASSES = 100  # so many kinds of ascent toward 1283 classes take hours
Columns = dict[str, NDArray[np.float64]]
NORMS = ("each", "alike")
HALF, TWICE = (tuple(f"{norm}, {far} as far" for norm in NORMS) for far in ("half", "twice"))


@dataclass(frozen=True)
class Way:
    """One way of joining what was seen.

    Attributes:
        sources: of the starts that count.
        moves: that count.
        index: `[S]` from the columns.
        looks: how many times that looks at the data.
        over: how the views are joined.
        easy: whether classes that are easy by nature have a null distribution of their own.
    """

    sources: tuple[str, ...] = ("images", "noise")
    moves: tuple[str, ...] = NORMS
    index: Callable[[Columns], NDArray[np.float64]] = joined
    looks: int = 2
    over: Callable[..., NDArray[np.float64]] = np.median
    easy: bool = True


def _mean(*names: str) -> Callable[[Columns], NDArray[np.float64]]:
    return lambda columns: np.mean([columns[name] for name in names], axis=0)


def _reached(columns: Columns) -> NDArray[np.float64]:
    return np.minimum(columns["margin"], columns["relative"])


def _in_second_look(name: str) -> Callable[[Columns], NDArray[np.float64]]:
    return lambda columns: np.maximum(_reached(columns), _mean("spot", "peak", name)(columns))


WAYS = {
    "as it is": Way(),
    "first look alone: the smaller of margin and relative": Way(index=_reached, looks=1),
    "first look: their mean": Way(index=lambda c: np.maximum(_mean("margin", "relative")(c), _mean("spot", "peak")(c))),
    "first look: margin": Way(index=lambda c: np.maximum(c["margin"], _mean("spot", "peak")(c))),
    "first look: relative": Way(index=lambda c: np.maximum(c["relative"], _mean("spot", "peak")(c))),
    "second look alone: spot and peak": Way(index=_mean("spot", "peak"), looks=1),
    "one look, the mean of all four": Way(index=_mean("margin", "relative", "spot", "peak"), looks=1),
    "margin alone": Way(index=_mean("margin"), looks=1),
    "relative alone": Way(index=_mean("relative"), looks=1),
    "spot alone": Way(index=_mean("spot"), looks=1),
    "peak alone": Way(index=_mean("peak"), looks=1),
    "the Gaussian null for every class": Way(easy=False),
    "views: their mean": Way(over=np.mean),
    "views: the smallest": Way(over=np.min),
    "views: the largest": Way(over=np.max),
    "starts: images": Way(("images",)),
    "starts: noise": Way(("noise",)),
    "starts: half image, half noise": Way(("mixtures",)),
    "starts: blurred noise": Way(("blurred noise",)),
    "starts: images and blurred noise": Way(("images", "blurred noise")),
    "starts: three times as many": Way(("three times the images", "three times the noise")),
    "starts: all four": Way(("images", "noise", "mixtures", "blurred noise")),
    "moves: each on its own": Way(moves=("each",)),
    "moves: alike": Way(moves=("alike",)),
    "moves: each, signs (L∞)": Way(moves=("signs",)),
    "moves: alike, the strongest 1 % of the values": Way(moves=("strongest alike",)),
    "moves: all four": Way(moves=(*NORMS, "signs", "strongest alike")),
    "moves: half as far": Way(moves=HALF),
    "moves: twice as far": Way(moves=TWICE),
    "moves: at all three distances": Way(moves=(*NORMS, *HALF, *TWICE)),
    **{f"{name} alone": Way(index=_mean(name), looks=1) for name in FEATURES},
    **{f"second look: spot, peak and {name}": Way(index=_in_second_look(name)) for name in FEATURES},
}


def columns(way: Way, seen: Seen) -> Columns:
    """Each score's robust z, joined over the views that count, `[S]`."""
    views = [view for view in seen.views if view.source in way.sources and view.move in way.moves]
    each = [compare([view], seen.own) | _features(view) for view in views]
    return {name: way.over([scores[name] for scores in each], axis=0) for name in each[0]}


def _features(view: Wide) -> Columns:
    return {name: robust_z(score) for name, score in zip(FEATURES, view.features, strict=True)}


def decide(way: Way, seen: Seen) -> Row:
    """What one way says of one model."""
    scores = columns(way, seen)
    easy = seen.own > np.median(seen.own) if way.easy else None
    found = judge("", np.arange(len(seen.own)), scores, way.index(scores), way.looks, easy)
    top = next(iter(found.ranked), None)
    return Row(
        model=seen.name,
        method="",
        truth=truth(seen.card),
        verdict="suspected" if found.targets(ALPHA) else "clean",
        seconds=0.0,
        target=targets(seen.card),
        top=top,
        index=None if top is None else float(found.index[top]),
        p_value=found.p_value,
    )


def line(name: str, way: Way, models: Sequence[Seen]) -> dict[str, str]:
    """One row of the table."""
    rows = [decide(way, seen) for seen in models]
    attacked, clean = ([row for row in rows if row.truth == kind] for kind in ("one target", "clean"))

    def share(of: list[Row], holds: Callable[[Row], bool]) -> str:
        return f"{sum(map(holds, of))}/{len(of)}"

    return {
        "joined": name,
        "AUC": auc(attacked, clean),
        f"found, p ≤ {ALPHA:g}": share(attacked, lambda row: row.verdict == "suspected"),
        "p ≤ 0.05": share(attacked, lambda row: (row.p_value or 1) <= 0.05),
        "target first": share(attacked, lambda row: row.top_is_target),
        f"false alarms, p ≤ {ALPHA:g}": share(clean, lambda row: row.verdict == "suspected"),
        "false, p ≤ 0.05": share(clean, lambda row: (row.p_value or 1) <= 0.05),
    }


def main(
    zoo: Annotated[Path, typer.Argument(help="Folder of *.onnx with a *.json card each.")],
    cache: Annotated[Path, typer.Option(help="Where what was seen of each model is kept.")],
    jobs: Annotated[int, typer.Option(help="Models looked at at the same time.")] = 1,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Write the table and the command.")] = None,
) -> None:
    """Print one row for each way of joining the scores.

    Example: python -m tools.measure.ablate ../shared/zoo --cache .cache/views --markdown docs/ablation.md
    """
    cache.mkdir(parents=True, exist_ok=True)
    cards = {path: json.loads(path.with_suffix(".json").read_text()) for path in sorted(zoo.glob("*.onnx"))}
    paths = [
        p for p, card in cards.items() if truth(card) in ("one target", "clean") and card["classes"] <= MOST_CLASSES
    ]
    with workers(jobs) as pool:
        futures = {pool.submit(look, path, cache): path for path in paths}
        done = {
            futures[future]: future.result()
            for future in track(as_completed(futures), "looking", len(futures), disable=not sys.stderr.isatty())
        }
    models = [seen for path in paths if (seen := done[path]) is not None]
    table = markdown([line(name, way, models) for name, way in WAYS.items()])
    text = report(table, models, shlex.join(["python", "-m", "tools.measure.ablate", *sys.argv[1:]]))
    print(text)
    if markdown_file:
        markdown_file.write_text(text)


def report(table: str, models: Sequence[Seen], command: str) -> str:
    """The table and the words that are needed to read it, as Markdown."""
    attacked = sum(truth(seen.card) == "one target" for seen in models)
    return f"""# What each part is worth

Made by

    {command}

on the models of [results.md](results.md) with at most {MOST_CLASSES} classes: {attacked} with one target, and
{len(models) - attacked} clean ones. Here `activated` decides alone, by its p-values, without `all-to-all` and without
the search for triggers. Each row changes one thing. [method.md](method.md#the-default-activated) explains the terms.

{table}
*Views* are the kinds of ascent, {{starts}} × {{moves}}. These scores are not part of the method; large values are
suspicious:

| score | definition |
| --- | --- |
| *unsigned spot* | −(sparse + smooth + persistent) of \\|g\\| at the end points, as published, instead of max(g, 0) |
| *raw L1* | mean of Σ\\|g\\| at the end points, not scaled |
| *difference, spot* and *peak* | the same features of the mean of end point − start |
| *agreement* | length of the mean of g/‖g‖₂ over the starts; 1 if all gradients are alike |
| *unlike other classes* | −(mean cosine of the class's mean of end point − start with those of the others) |
| *last layer* | mean weight of the class, as in `weights` |
"""


if __name__ == "__main__":
    typer.run(main)
