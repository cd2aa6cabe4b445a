"""Measure `ninspect screen` on poisoned training sets whose poison is known.

Takes networks of the study, as `tools.study.train` makes them, and with `--thin` such with a tenth of the poison. Each
is scanned; then pictures of the set that it was trained on are screened, and clean test images. A row is written as
soon as it is measured, and what the CSV file holds already is not measured again.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import ninspect
from ninspect import NinspectError, Screening
from ninspect.measure.calibration import SCREEN
from ninspect.report import load_result
from tools.measure.kept import read_kept, write_kept
from tools.measure.rows import card_request
from tools.measure.tables import markdown
from tools.models.data import Dataset, Images
from tools.models.poison import Poison
from tools.study.plan import StudyModel, backdoored_models
from tools.study.train import dataset, make

CELLS = (
    "patch size 4", "patch size 8", "fill noise 6", "fill checker 4", "fill photo 4", "fill ends",
    "translucent alpha 0.5", "blended alpha 0.2", "several targets 2", "source-specific base", "clean-label base",
    "all-to-all base",
)  # fmt: skip
THINNER = 0.1
PICTURES = 5000  # of a training set, at random


@dataclass(frozen=True)
class Row:
    """One poisoned training set.

    Attributes:
        share: of the training images, those that were relabelled, or carry the trigger with the target's own label.
        success: of the attack on test images.
        verdict: of the scan.
        recovered: the scan has a trigger of a true target with which others are found, see `Screen.control`.
        auc: area under the ROC curve, of poisoned pictures against those without a trigger.
        found: share of the poisoned pictures that is found.
        wrong: share of the others that is found; of those with a suspected answer.
        wrong_clean: the same of clean test images.
        says: why there is no answer.
    """

    model: str
    share: float
    success: float
    verdict: str
    recovered: bool
    auc: float | None = None
    found: float | None = None
    wrong: float | None = None
    wrong_answered: float | None = None
    wrong_clean: float | None = None
    wrong_clean_answered: float | None = None
    says: str = ""


def thin(model: StudyModel) -> StudyModel:
    """The same with a tenth of the poison."""
    attacks = tuple(replace(attack, fraction=THINNER * attack.fraction) for attack in model.attacks)
    return replace(model, cell=f"{model.cell} thin", attacks=attacks)


def measure(model: StudyModel, data: Dataset, folder: Path) -> Row:
    """Scan a network, and screen what it was trained on."""
    path = folder / f"{model.name}.onnx"
    card = json.loads(path.with_suffix(".json").read_text())
    saved = path.with_suffix(".result.json")
    if not saved.exists():
        ninspect.scan(card_request(path, card), progress=False).save(saved)
    result = load_result(saved)
    poison = Poison.of(data, model.attacks, model.seed)
    chosen = np.sort(np.random.default_rng(0).permutation(len(poison.labels))[:PICTURES])
    share = round(float(poison.relabelled.mean()), 4)
    known: dict[str, Any] = {"model": model.name, "share": share, "success": card["asr"], "verdict": result.verdict}
    try:
        poisoned = ninspect.screen(
            saved, poison.put_on(data.train_images, np.random.default_rng(0))[chosen], model=path, progress=False
        )
        clean = ninspect.screen(saved, data.test_images, model=path, progress=False)
    except NinspectError as error:
        return Row(**known, recovered=False, says=str(error).replace(f"{folder}/", ""))
    carriers = np.isin(chosen, np.concatenate([who for _, who in poison.stamped]))
    return Row(
        **known,
        recovered=_recovered(poisoned, model),
        **_rates(poisoned, poison.relabelled[chosen], ~carriers),
        **_wrong(clean, data.test_images),
        says="; ".join(poisoned.doubts),
    )


def _recovered(screening: Screening, model: StudyModel) -> bool:
    targets = {attack.target for attack in model.attacks}
    return any(one.label in targets and (one.control or 0) >= SCREEN.control for one in screening.suspects)


def _rates(screening: Screening, poisoned: NDArray[np.bool_], innocent: NDArray[np.bool_]) -> dict[str, Any]:
    """AUC, and shares of the pictures that are found. Those with another answer have the score 0."""
    from scipy.stats import rankdata

    scores, found, answered = np.zeros(len(poisoned)), np.zeros(len(poisoned), bool), np.zeros(len(poisoned), bool)
    for one in screening.pictures:
        scores[one.index], found[one.index], answered[one.index] = one.score, one.found, True
    ranks = rankdata(np.concatenate([scores[poisoned], scores[innocent]]))[: poisoned.sum()]
    pairs = poisoned.sum() * innocent.sum()
    auc = (ranks.sum() - poisoned.sum() * (poisoned.sum() + 1) / 2) / pairs
    rates = {"auc": auc, "found": found[poisoned].mean(), "wrong": found[innocent].mean()}
    return {name: round(float(rate), 4) for name, rate in rates.items()} | {
        "wrong_answered": round(float(found[innocent & answered].sum() / max(1, (innocent & answered).sum())), 4)
    }


def _wrong(screening: Screening, images: Images) -> dict[str, Any]:
    found, answered = len(screening.found), len(screening.pictures)
    return {
        "wrong_clean": round(found / len(images), 4),
        "wrong_clean_answered": round(found / max(1, answered), 4),
    }


def chosen_models(only: str, thinned: bool) -> Iterator[StudyModel]:
    """The networks of the study that are screened."""
    models = (model for model in backdoored_models() if f"{model.family} {model.cell}" in CELLS)
    trained = (thin(model) if thinned else model for model in models)
    return (model for model in trained if fnmatch.fnmatch(model.name, only))


def read_rows(path: Path) -> dict[str, Row]:
    """Rows by the names of their models; none where there is no file."""
    return {row.model: row for row in read_kept(path, Row)}


def table(rows: Iterable[Row]) -> str:
    """What docs/screen.md shows, one line for each set."""

    def shown(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    return markdown(
        [
            {
                "network": row.model,
                "poisoned": f"{row.share:.1%}",
                "attack works on": f"{row.success:.0%}",
                "verdict": row.verdict,
                "recovered": "yes" if row.recovered else "no",
                "AUC": shown(row.auc, 4),
                "found": shown(row.found, 3),
                "wrong": shown(row.wrong, 4),
                "of its class": shown(row.wrong_answered, 4),
                "wrong, clean": shown(row.wrong_clean, 4),
                "of its class, clean": shown(row.wrong_clean_answered, 4),
            }
            for row in rows
        ]
    )


def main(
    datasets: Annotated[Path, typer.Argument(help="Folder with mnist/ and gtsrb32_*.npz.")],
    folder: Annotated[Path, typer.Option(help="Folder of the study's networks.")] = Path(".cache/study"),
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Names of networks, such as 'mnist-*-1'.")] = "mnist-*",
    thinned: Annotated[bool, typer.Option("--thin", help="With a tenth of the poison.")] = False,
    file: Annotated[Path, typer.Option("--csv", help="Rows that are known, and that get more.")] = Path(
        "docs/screen.csv"
    ),
) -> None:
    """Train, scan and screen what is missing, and print the table.

    Example: python -m tools.study.screen ../shared/datasets --only 'mnist-*-1'
    """
    folder.mkdir(parents=True, exist_ok=True)
    for model in chosen_models(only, thinned):
        rows = read_rows(file)
        if model.name in rows:
            continue
        data = dataset(model.dataset, datasets)
        if not (folder / f"{model.name}.json").exists():
            make(model, data, folder)
        row = measure(model, data, folder)
        write_kept(file, Row, (*rows.values(), row))
        print(f"{row.model}: {row.says or row.auc}", flush=True)
    print(table(read_rows(file).values()))


if __name__ == "__main__":
    typer.run(main)
