"""What a reference adds: networks of 43 traffic signs, scanned alone and beside models that are trusted.

Networks and rows that are there already are kept, so the work can be stopped and taken up again.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from ninspect import Result, ScanRequest
from ninspect.audit.stages import scan
from ninspect.requests import PreprocessOptions
from tools.measure.rows import WORKING_ATTACK
from tools.measure.tables import markdown
from tools.study.plan import StudyModel
from tools.study.references import DATASET, judged, reference_models, references

ALONE = ""  # in place of a reference: the default scan
IMAGES = 1000
_TEXTS = ("reference", "found")  # that may be empty


@dataclass(frozen=True)
class BesideRow:
    """One network, scanned alone or beside one reference.

    Attributes:
        truth: `clean`, `target 5` or `pair 12 7`.
        reference: name of the reference; empty: the default scan alone.
        found: what is suspected, such as `BD007 12 7`, several separated by commas.
        index: the largest of the comparison class by class, of which class.
    """

    model: str
    family: str
    truth: str
    success: float | None
    accuracy: float
    reference: str
    verdict: str
    found: str
    index: float | None
    top: int | None
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the true class, or pair of classes, is among what is suspected."""
        kind, _, labels = self.truth.partition(" ")
        wanted = labels.split()
        said = [one.split()[1:] for one in self.found.split(", ") if one]
        return (kind == "pair" and wanted in said) or (kind == "target" and any(wanted[0] in one for one in said))


def rows(folder: Path, known: Sequence[BesideRow], models: Iterable[StudyModel], alone: bool) -> Iterator[BesideRow]:
    """A row for each network alone, if that is wanted, and beside each reference, as far as they are trained."""
    done = {(row.model, row.reference) for row in known}
    trusted = [one.name for one in references() if (folder / f"{one.name}.json").exists()]
    for model in models:
        if not (folder / f"{model.name}.json").exists():
            continue
        for reference in [*([ALONE] if alone else []), *trusted]:
            if (model.name, reference) not in done and model.name != reference:
                yield _row(folder, model, reference)


def _row(folder: Path, model: StudyModel, reference: str) -> BesideRow:
    card = json.loads((folder / f"{model.name}.json").read_text())
    began = time.perf_counter()
    request = ScanRequest(
        folder / f"{model.name}.onnx",
        folder / f"{DATASET}.npz",
        preprocess=PreprocessOptions(preset="unit"),
        reference=(folder / f"{reference}.onnx",) if reference else (),
        images=IMAGES if reference else ScanRequest.images,
        evidence=not reference,
    )
    result = scan(request, detectors=[] if reference else None)
    index, top = _largest(result)
    return BesideRow(
        model=model.name,
        family=model.family,
        truth=_truth(model),
        success=card.get("asr"),
        accuracy=card["clean_acc"],
        reference=reference,
        verdict="suspected" if (found := _found(result)) else "not suspected",
        found=found,
        index=index,
        top=top,
        seconds=round(time.perf_counter() - began, 1),
    )


def _truth(model: StudyModel) -> str:
    if not model.attacks:
        return "clean"
    attack = model.attacks[0]
    return f"pair {attack.sources[0]} {attack.target}" if attack.sources else f"target {attack.target}"


def _found(result: Result) -> str:
    suspected = [one for one in result.findings if one.effect == "suspected"]
    return ", ".join(" ".join(map(str, (one.rule, *one.classes))) for one in suspected)


def _largest(result: Result) -> tuple[float | None, int | None]:
    index = [value for one in result.detectors if one.name == "reference" for value in one.index]
    known = [(value, label) for value, label in zip(index, result.explained, strict=False) if value is not None]
    return max(known, default=(None, None))


def write_rows(path: Path, found: Iterable[BesideRow]) -> None:
    """One line a row, with a head."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(BesideRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, found))


def read_rows(path: Path) -> list[BesideRow]:
    """What `write_rows` wrote."""
    from pydantic import TypeAdapter

    row = TypeAdapter(BesideRow)
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    return [row.validate_python({k: v if v or k in _TEXTS else None for k, v in line.items()}) for line in lines]


def table(found: Sequence[BesideRow]) -> str:
    """What was found by family and reference; attacks that work less often than in the study are left out."""
    counted = [row for row in found if row.success is None or row.success >= WORKING_ATTACK]
    columns = list(dict.fromkeys(row.reference for row in counted))
    lines = []
    for family in dict.fromkeys(row.family for row in counted):
        line = {"networks": family}
        for reference in columns:
            some = [row for row in counted if (row.family, row.reference) == (family, reference)]
            hits = sum(bool(row.found) if row.truth == "clean" else row.right for row in some)
            line[reference or "alone"] = f"{hits} of {len(some)}" if some else "–"
        lines.append(line)
    return markdown(lines)


def main(
    datasets: Annotated[Path, typer.Argument(help="Folder with gtsrb32_*.npz.")],
    out: Annotated[Path, typer.Option(help="Folder of the networks.")] = Path(".cache/reference"),
    csv_file: Annotated[Path, typer.Option("--csv", help="The rows.")] = Path("docs/reference.csv"),
    train: Annotated[bool, typer.Option(help="Train the networks that are missing.")] = True,
    alone: Annotated[bool, typer.Option(help="Also scan each network alone.")] = True,
) -> None:
    """Train what is missing, scan what has no row, and print how often the backdoor was found.

    Example: python -m tools.study.beside ../shared/datasets
    """
    if train:
        from tools.study.train import dataset, make

        out.mkdir(parents=True, exist_ok=True)
        for model in reference_models():
            if not (out / f"{model.name}.json").exists():
                make(model, dataset(DATASET, datasets), out)
    found = read_rows(csv_file) if csv_file.exists() else []
    for row in rows(out, found, judged(), alone):
        found.append(row)
        write_rows(csv_file, found)
        print(f"{row.model} beside {row.reference or 'nothing'}: {row.found or 'nothing'}, {row.seconds} s", flush=True)
    print(table(found))


if __name__ == "__main__":
    typer.run(main)
