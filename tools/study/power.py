"""How well the methods find what they look for: the table `POWER` of ninspect/measure/power.py.

Weak attacks, which work on fewer than 80 % of the images, do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ninspect.measure.power import Power
from ninspect.names import Question
from tools import ROOT
from tools.measure.rows import Row, read_rows

Table = dict[tuple[Question, frozenset[str]], Power]

STUDY_ROWS, RESULTS_ROWS = ROOT / "docs" / "study.csv", ROOT / "docs" / "results.csv"
STUDY = "of the study's networks"
COMPARED = ("mmbd", "neural_cleanse", "neuroninspect")


def power(study: Sequence[Row], results: Sequence[Row]) -> Table:
    """What was found by question and the methods that answer it.

    Args:
        study: rows of docs/study.csv, all of the default method.
        results: rows of docs/results.csv, other people's networks.
    """
    one_source = [row for row in study if row.truth == "one target" and row.family == "source-specific"]
    one_target = [row for row in study if row.truth == "one target" and row.family not in ("source-specific", "few")]
    # More classes are not looked at, which the coverage says.
    few_classes = [row for row in one_source if row.dataset == "mnist"]
    every_class = [row for row in study if row.truth == "all to all"]
    table: Table = {
        ("one-target", frozenset(["activated", "windows", "evidence"])): _found(one_target, "one to three targets"),
        ("every-class", frozenset(["all-to-all"])): _found(every_class, "all-to-all attacks on MNIST"),
        ("one-source", frozenset(["source-specific"])): _noticed(few_classes),
    }
    for method in COMPARED:
        rows = [row for row in results if row.method == method and row.truth == "one target"]
        table["one-target", frozenset([method])] = Power(_suspected(rows), len(rows), "of other people's networks")
    return table


def _suspected(rows: Sequence[Row]) -> int:
    return sum(row.verdict == "suspected" for row in rows)


def _found(rows: Sequence[Row], kind: str) -> Power:
    return Power(_suspected(rows), len(rows), f"{STUDY} with {kind}")


def _noticed(rows: Sequence[Row]) -> Power:
    """Triggers of one class make a model inconclusive."""
    return Power(sum(row.verdict != "clean" for row in rows), len(rows), f"{STUDY} with a source class on MNIST")


def main(
    study: Annotated[Path, typer.Argument(help="What tools.measure.evaluate wrote about the study.")] = Path(
        "docs/study.csv"
    ),
    results: Annotated[Path, typer.Argument(help="What it wrote about the development set.")] = Path(
        "docs/results.csv"
    ),
) -> None:
    """Print what belongs into `POWER`.

    Example: python -m tools.study.power
    """
    for (question, methods), found in power(read_rows(study), read_rows(results)).items():
        print(f'    ("{question}", frozenset({sorted(methods)})): {found!r},')


if __name__ == "__main__":
    typer.run(main)
