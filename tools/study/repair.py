"""Repairs models whose triggers are known, and measures with these triggers, on images of its own, what that did."""

from __future__ import annotations

import fnmatch
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ninspect.api import open_network
from ninspect.errors import InconclusiveError
from ninspect.mending import mend
from ninspect.progress import Silent
from ninspect.requests import RepairOptions, ScanRequest
from ninspect.samples import load_samples
from tools.measure.kept import read_kept, write_kept
from tools.measure.rows import card_request, family, truth
from tools.measure.tables import markdown
from tools.measure.triggers import Images, stamping, wanted
from tools.models.poison import Attack, stamp
from tools.study.plan import StudyModel, all_models

Stamping = Callable[[Images, NDArray[np.int64]], tuple[Images, NDArray[np.int64]]]
GIVEN, MEASURED = 1000, 2000  # images to repair with, and other ones to measure on
_SCAN_IMAGES = 200
_REPRODUCED = 0.8  # success of a trigger, as its card has it, below which it is not the one


@dataclass(frozen=True)
class Repaired:
    """One model.

    Attributes:
        kind: of attack.
        verdict: of the scan before.
        named: the scan suspected nothing, so that the repair was told the targets.
        outcome: `repaired`, or why not.
        method: that was taken.
        success_before: of the true trigger, with several the mean, on images that nothing else has seen.
        verdict_after: of the scan of the repaired model.
    """

    model: str
    kind: str
    verdict: str
    named: bool
    outcome: str
    method: str = ""
    accuracy_before: float = float("nan")
    accuracy_after: float = float("nan")
    success_before: float = float("nan")
    success_after: float = float("nan")
    verdict_after: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Attacked:
    """A model with its card, and what its trigger does to images `[N, H, W, C]` of classes `[N]`.

    Attributes:
        triggers: each gives which images it is for, the images with it, and the classes that it wants.
        targets: of the attack; None: each class has one of its own.
    """

    path: Path
    card: dict[str, Any]
    triggers: tuple[Stamping, ...]
    targets: tuple[int, ...] | None


def attacked(folder: Path, only: str = "*.onnx") -> Iterator[Attacked]:
    """The models of a folder with a trigger that can be put on images; those whose file names match a pattern."""
    planned = {model.name: model for model in all_models()}
    for path in sorted(folder.glob(only)):
        card = json.loads(path.with_suffix(".json").read_text())
        if truth(card) not in ("one target", "all to all") and card.get("family") != "source-specific":
            continue
        if path.stem in planned:
            yield _of_study(path, card, planned[path.stem])
        elif (put := stamping(card)) is not None:
            yield _of_card(path, card, put)


def _of_study(path: Path, card: dict[str, Any], model: StudyModel) -> Attacked:
    def trigger(attack: Attack) -> Stamping:
        def put(images: Images, labels: NDArray[np.int64]) -> tuple[Images, NDArray[np.int64]]:
            victims = attack.victims(labels)
            stamped = stamp(np.rint(images[victims] * 255).astype(np.uint8), attack.trigger)
            return stamped.astype(np.float32) / np.float32(255), attack.wanted(labels[victims], card["classes"])

        return put

    targets = [attack.target for attack in model.attacks]
    known = None if None in targets else tuple(sorted({int(target) for target in targets if target is not None}))
    return Attacked(path, card, tuple(map(trigger, model.attacks)), known)


def _of_card(path: Path, card: dict[str, Any], put: Callable[[Images], Images]) -> Attacked:
    def trigger(images: Images, labels: NDArray[np.int64]) -> tuple[Images, NDArray[np.int64]]:
        goals = wanted(card, labels)
        victims = goals != labels
        return put(images[victims]), goals[victims]

    target = card["target"]
    targets = None if isinstance(target, str) else tuple(target) if isinstance(target, list) else (target,)
    return Attacked(path, card, (trigger,), targets)


def repaired(model: Attacked) -> Repaired | None:
    """What came of repairing one; None where its trigger does not do what the card says."""
    request = card_request(model.path, model.card, images=_SCAN_IMAGES)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images, labels = _images(request)
        np.savez(folder / "given.npz", x=np.rint(images[:GIVEN] * 255).astype(np.uint8), y=labels[:GIVEN])
        apart = images[GIVEN:][:MEASURED], labels[GIVEN:][:MEASURED]
        before = _measured(request, model, *apart)
        if before[1] < _REPRODUCED:
            return None
        given = replace(request, samples=folder / "given.npz")
        facts: dict[str, Any] = {"model": model.path.stem, "kind": family(model.card).replace(" ", "-")}
        facts |= dict(zip(("accuracy_before", "success_before"), before, strict=True))
        found, facts["named"] = _mended(given, model.targets, folder / "repaired.onnx")
        if isinstance(found, str):
            return Repaired(**facts, verdict="", outcome=found, seconds=time.perf_counter() - start)
        facts |= {"verdict": found.before.verdict, "method": found.proof.method}
        if found.written is None:
            return Repaired(**facts, outcome=found.reason, seconds=time.perf_counter() - start)
        after = _measured(replace(request, model=folder / "repaired.onnx"), model, *apart)
        facts |= dict(zip(("accuracy_after", "success_after"), after, strict=True))
        verdict = found.after.verdict if found.after else ""
        return Repaired(**facts, outcome="repaired", verdict_after=verdict, seconds=time.perf_counter() - start)


def _images(request: ScanRequest) -> tuple[Images, NDArray[np.int64]]:
    """Images of the card in a random order, with their labels."""
    assert request.samples is not None
    shape = open_network(request).input_map.image_shape
    samples = load_samples(request.samples, image_shape=shape, limit=GIVEN + MEASURED, seed=1)
    assert samples.labels is not None
    order = np.random.default_rng(1).permutation(len(samples))
    return samples.unit_pixels[order], samples.labels[order]


def _measured(request: ScanRequest, model: Attacked, images: Images, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy, and mean success of the true triggers."""
    network = open_network(request)
    accuracy = float(np.mean(network.logits(images).argmax(axis=1) == labels))
    shares = []
    for trigger in model.triggers:
        stamped, goals = trigger(images, labels)
        shares.append(float(np.mean(network.logits(stamped).argmax(axis=1) == goals)))
    return accuracy, float(np.mean(shares))


def _mended(request: ScanRequest, targets: tuple[int, ...] | None, output: Path) -> tuple[Any, bool]:
    """The repair; where the scan suspects nothing, one that is told the targets. And whether it was told."""

    def mended(asked: ScanRequest) -> Any:
        return mend(asked, RepairOptions(), output, None, lambda: nullcontext(Silent()), lambda line: None)

    try:
        return mended(request), False
    except InconclusiveError as error:
        if targets is None:
            return str(error), False
    try:
        return mended(replace(request, classes=targets)), True
    except InconclusiveError as error:
        return str(error), True


def table(rows: list[Repaired]) -> str:
    """Kinds of attacks and what became of them."""
    lines = []
    for kind in [*sorted({row.kind for row in rows}), ""]:
        some = [row for row in rows if kind in ("", row.kind)]
        done = [row for row in some if row.outcome == "repaired"]
        # What was not repaired keeps its trigger, and its accuracy.
        left = np.array([row.success_after if row.outcome == "repaired" else row.success_before for row in some])
        drop = np.array([row.accuracy_before - row.accuracy_after if row.outcome == "repaired" else 0 for row in some])
        lines.append(
            {
                "attack": kind or "**all**",
                "models": str(len(some)),
                "repaired": str(len(done)),
                "success before": f"{np.median([row.success_before for row in some]):.3f}",
                "after, median": f"{np.median(left):.3f}",
                "below 0.2": f"{(left < 0.2).sum()} of {len(some)}",
                "accuracy lost, median": f"{np.median(drop):.4f}",
                "clean in a new scan": f"{sum(row.verdict_after == 'clean' for row in done)} of {len(done)}",
            }
        )
    return markdown(lines)


def main(
    folders: Annotated[list[Path], typer.Argument(help="Of models with cards.")],
    rows: Annotated[Path, typer.Option("--csv", help="Where rows are kept; models that it has are not done again.")],
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Names of models.")] = "*",
) -> None:
    """Repair models, keep a row for each, and print a table.

    Example: python -m tools.study.repair ../shared/zoo .cache/study --csv docs/repair.csv
    """
    known = read_kept(rows, Repaired)
    done = {row.model for row in known}
    for folder in folders:
        for model in attacked(folder):
            if model.path.stem in done or not fnmatch.fnmatch(model.path.stem, only):
                continue
            if (row := repaired(model)) is not None:
                known.append(row)
                write_kept(rows, Repaired, known)
    print(table(known))


if __name__ == "__main__":
    typer.run(main)
