"""What other ways of searching triggers are worth: TABOR's regularisers and DeepInspect's images without data.

Each way searches the smallest trigger of every class of models whose truth is known, as evidence does; the sizes are
judged as Neural Cleanse judges them. Rows are written as they come, and what the CSV file holds is not searched again.
"""

from __future__ import annotations

import fnmatch
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from ninspect.detect import Case
from ninspect.errors import InconclusiveError
from ninspect.measure.outliers import anomaly_index
from ninspect.runtime import Pixels
from ninspect.samples.drawn import drawn, spread_over_answers
from ninspect.search.faint import faintest
from ninspect.search.inversion import WARM_START, invert, success
from tools.measure.cases import open_case
from tools.measure.kept import read_kept, write_kept
from tools.measure.penalties import Tabor, imagined
from tools.measure.rows import truth
from tools.measure.tables import markdown

SEEN, HELD_OUT, MOST_CLASSES = 32, 100, 20
INDEX = 2.0  # the anomaly index from which Neural Cleanse accuses
BEGIN = "## The search for triggers"


@dataclass(frozen=True)
class Way:
    """One way to search.

    Attributes:
        penalty: that is added to the loss.
        images: `given`, `drawn`, or `imagined` by the model itself.
        additive: the faintest pattern itself, by ‖δ‖₁, without a mask.
    """

    penalty: Tabor | None = None
    images: str = "given"
    additive: bool = False


WAYS = {
    "as it is": Way(),
    "TABOR: not large": Way(Tabor(large=1)),
    "TABOR: not scattered": Way(Tabor(scattered=1)),
    "TABOR: not blocking": Way(Tabor(blocking=0.1)),
    "TABOR: not overlaying": Way(Tabor(overlaying=0.1)),
    "TABOR: all four": Way(Tabor(1, 1, 0.1, 0.1)),
    "DeepInspect: a pattern that is added": Way(additive=True),
    "no images: drawn": Way(images="drawn"),
    "no images, DeepInspect: imagined": Way(images="imagined"),
}


@dataclass(frozen=True)
class Row:
    """What one way found in one model.

    Attributes:
        truth: `one target` or `clean`.
        first: the class with the smallest trigger,
        index: and its anomaly index.
        target: true target; None for clean models.
        size: of its trigger, relative to the median of all classes.
        success: of its trigger on held-out images.
        inside: share of its mask that lies where the true trigger does; None where that covers half of the image.
    """

    model: str
    way: str
    truth: str
    first: int
    index: float
    target: int | None = None
    size: float | None = None
    success: float | None = None
    inside: float | None = None


def measured(case: Case, way: Way, target: int | None, place: NDArray[np.bool_] | None) -> dict[str, Any]:
    """What a way finds of a model; the held-out images are real ones in every way."""
    order = np.random.default_rng(case.seed).permutation(len(case.clean()))
    images, held_out = _images(case, way, order[:SEEN]), order[SEEN:][:HELD_OUT]
    delta = faintest(case.network, images, case.classes, lambda done: None)
    if way.additive:
        sizes = np.abs(delta).sum(axis=(1, 2, 3), dtype=np.float64)
    else:
        found = invert(case.network, images, case.classes, WARM_START, case.seed, guess=delta, penalty=way.penalty)
        sizes = found.norms
    index = anomaly_index(sizes)
    facts: dict[str, Any] = {"first": int(sizes.argmin()), "index": round(float(index.max()), 3)}
    if target is None:
        return facts
    facts |= {"target": target, "size": round(float(sizes[target] / np.median(sizes)), 4)}
    pixels, answers = case.clean()[held_out], case.answers[held_out]
    if way.additive:
        others = answers != target
        after = case.network.logits(np.clip(pixels[others] + delta[target], 0, 1)).argmax(axis=1)
        weight, works = np.abs(delta[target]).max(axis=-1), float((after == target).mean())
    else:
        weight, goal = found.masks[target], np.array([target])
        works = float(success(case.network, pixels, answers, goal, [found[target]])[0])
    inside = None if place is None else round(float(weight[place].sum() / weight.sum()), 4)
    return facts | {"success": round(works, 4), "inside": inside}


def _images(case: Case, way: Way, seen: NDArray[np.int64]) -> Pixels:
    if way.images == "given":
        return case.clean()[seen]
    if way.images == "imagined":
        return imagined(case.network, SEEN, case.seed)
    pictures = drawn(10 * SEEN, case.network.input_map.image_shape, case.seed)
    return pictures[spread_over_answers(case.network.logits(pictures), SEEN)]


def rows(paths: Iterable[Path], known: Sequence[Row]) -> Iterator[Row]:
    """The rows that are missing."""
    done = {(row.model, row.way) for row in known}
    for path in paths:
        missing = [name for name in WAYS if (path.stem, name) not in done]
        if not missing:
            continue
        card = json.loads(path.with_suffix(".json").read_text())
        try:
            case = open_case(path, card, SEEN + HELD_OUT)
        except InconclusiveError:
            continue
        target = None if truth(card) == "clean" else _target(card)
        place = None if target is None else _place(path, case.clean())
        for name in missing:
            yield Row(path.stem, name, truth(card), **measured(case, WAYS[name], target, place))


def _target(card: dict[str, Any]) -> int:
    target = card["target"]
    return int(target[0] if isinstance(target, list) else target)


def _place(path: Path, images: Pixels) -> NDArray[np.bool_] | None:
    """Where the true trigger changes an image, `[H, W]`; None where that is half of it, or nobody can put it on."""
    from tools.study.repair import attacked

    for model in attacked(path.parent, path.name):
        changed = np.zeros(images.shape[1:3], np.bool_)
        for shade in (np.zeros_like(images[:1]), np.ones_like(images[:1])):
            stamped, _ = model.triggers[0](shade, np.array([_another(model.card)]))
            changed |= (np.abs(stamped - shade).max(axis=-1) > 1e-3).any(axis=0)
        return changed if changed.mean() < 0.5 else None
    return None


def _another(card: dict[str, Any]) -> int:
    """A class that the trigger is for."""
    sources = card.get("sources")
    return int(sources[0]) if sources else (_target(card) + 1) % int(card["classes"])


def chosen(folders: Sequence[Path], only: str, dataset: str) -> list[Path]:
    """Models with one target, or clean, and few classes; of one data set, if it is not empty."""
    found = []
    for path in sorted(path for folder in folders for path in folder.glob("*.onnx")):
        card = json.loads(path.with_suffix(".json").read_text())
        asked = fnmatch.fnmatch(path.stem, only) and dataset in ("", card["dataset"])
        if asked and truth(card) in ("one target", "clean") and card["classes"] <= MOST_CLASSES:
            found.append(path)
    return found


def table(found: Sequence[Row]) -> str:
    """One line for each way."""
    lines = []
    for name in dict.fromkeys(row.way for row in found):
        own = [row for row in found if row.way == name]
        attacked, clean = ([row for row in own if row.truth == kind] for kind in ("one target", "clean"))
        area = mannwhitneyu([row.index for row in attacked], [row.index for row in clean]).statistic
        lines.append(
            {
                "search": name,
                "AUC": f"{area / (len(attacked) * len(clean)):.2f}",
                f"found, index > {INDEX:g}": _count(
                    attacked, lambda row: row.index > INDEX and row.first == row.target
                ),
                "target first": _count(attacked, lambda row: row.first == row.target),
                f"false alarms, index > {INDEX:g}": _count(clean, lambda row: row.index > INDEX),
                "size": _median(row.size for row in attacked),
                "success": _median(row.success for row in attacked),
                "inside": _median(row.inside for row in attacked),
            }
        )
    return markdown(lines)


def _count(of: Sequence[Row], holds: Callable[[Row], bool]) -> str:
    return f"{sum(map(holds, of))}/{len(of)}"


def _median(values: Iterable[float | None]) -> str:
    return f"{np.median([value for value in values if value is not None]):.2f}"


def section(found: Sequence[Row], command: str) -> str:
    """The table and the words that are needed to read it, as Markdown."""
    models = {row.model: row.truth for row in found}
    attacked = sum(kind == "one target" for kind in models.values())
    return f"""{BEGIN}

Made by

    {command}

on {attacked} models with one target and {len(models) - attacked} clean ones. Every class gets a search from its
faintest pattern, on {SEEN} images; *index* is the anomaly index of the sizes, as Neural Cleanse has it. *Size* is that
of the target's trigger relative to the median of all classes, *success* is on {HELD_OUT} other images, and *inside* is
the share of its mask that lies where the true trigger does; medians. Two papers' ideas are tried: the four
regularisers of [TABOR](https://arxiv.org/abs/1908.01763), and of DeepInspect (IJCAI 2019) the pattern that is added
without a mask and the images that the model itself imagines, beside the pictures that ninspect draws where it is given
none.

{table(found)}"""


def main(
    folders: Annotated[list[Path], typer.Argument(help="Of *.onnx with a *.json card each.")],
    file: Annotated[Path, typer.Option("--csv", help="Rows that are known, and that get more.")],
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Names of models.")] = "*",
    dataset: Annotated[str, typer.Option(help="Models of this data set; empty: all.")] = "",
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="Write the table into this document.")
    ] = None,
) -> None:
    """Print one row for each way of searching triggers.

    Example: python -m tools.measure.inversions ../shared/zoo --dataset mnist --csv docs/inversions.csv
    """
    found = read_kept(file, Row)
    for row in rows(chosen(folders, only, dataset), found):
        found.append(row)
        write_kept(file, Row, found)
    text = section(found, shlex.join(["python", "-m", "tools.measure.inversions", *sys.argv[1:]]))
    print(text)
    if markdown_file:
        markdown_file.write_text(markdown_file.read_text().partition(BEGIN)[0].rstrip("\n") + f"\n\n{text}")


if __name__ == "__main__":
    typer.run(main)
