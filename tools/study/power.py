"""How well the methods find what they look for: the tables of ninspect/measure/power.py.

Weak attacks, which work on fewer than 80 % of the images, do not count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import typer

from ninspect.measure.power import Power, Rate
from ninspect.names import Question
from tools import ROOT
from tools.measure.rows import Row, read_rows
from tools.study.families import FAMILIES
from tools.study.plan import CLASSES, SIZES

Table = dict[tuple[Question, frozenset[str]], Power]
Rates = dict[tuple[Question, frozenset[str], int], tuple[Rate, ...]]

STUDY_ROWS, RESULTS_ROWS, HIDING_ROWS = (ROOT / "docs" / f"{name}.csv" for name in ("study", "results", "hiding"))
STUDY = "of the study's networks"
COMPARED = ("mmbd", "neural_cleanse", "neuroninspect")
FEWEST = 2  # networks that a rate rests on
ANSWERED_BY: dict[Question, frozenset[str]] = {
    "one-target": frozenset(["activated", "windows", "evidence"]),
    "every-class": frozenset(["all-to-all"]),
    "one-source": frozenset(["source-specific"]),
}
QUESTION_OF: dict[str, Question] = {
    "all-to-all": "every-class", "source-specific": "one-source", "source-blended": "one-source",
    "composite": "one-source",
}  # fmt: skip
_KINDS = {
    "translucent": "translucent patches", "several": "several triggers or targets", "blended": "blended noise",
    "all-to-all": "patches", "source-specific": "patches", "clean-label": "clean-label patches",
}  # fmt: skip


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
    found = {
        "one-target": _found(one_target, "one to three targets"),
        "every-class": _found(every_class, "all-to-all attacks on MNIST"),
        "one-source": _noticed(few_classes),
    }
    table: Table = {(question, methods): found[question] for question, methods in ANSWERED_BY.items()}
    for method in COMPARED:
        rows = [row for row in results if row.method == method and row.truth == "one target"]
        table["one-target", frozenset([method])] = Power(_suspected(rows), len(rows), "of other people's networks")
    return table


def rates(rows: Sequence[Row]) -> Rates:
    """What the default method found by question, kind of attack and number of classes, of attacks that work.

    Args:
        rows: of docs/study.csv and docs/hiding.csv.
    """
    groups: dict[tuple[Question, int], dict[str, list[Row]]] = {}
    for row in rows:
        if row.method == "default" and row.truth in ("one target", "all to all") and (name := attack(row)):
            question = QUESTION_OF.get(row.family, "one-target")
            groups.setdefault((question, CLASSES[row.dataset]), {}).setdefault(name, []).append(row)
    return {
        (question, ANSWERED_BY[question], classes): tuple(
            Rate(name, _noticed(own).found if question == "one-source" else _suspected(own), len(own))
            for name, own in sorted(kinds.items())
            if len(own) >= FEWEST
        )
        for (question, classes), kinds in sorted(groups.items())
    }


def attack(row: Row) -> str | None:
    """What kind of attack a network of the studies has, in a few words; None where it is no kind of its own."""
    if row.family in FAMILIES:
        return FAMILIES[row.family]
    if row.family not in ("patch", "fill", "narrow"):
        return _KINDS.get(row.family)
    if "-fill-ends-" in row.model:
        return FAMILIES["two-part"]
    sized = re.search(r"-(?:size|noise|checker|halves|photo|grey)-(\d+)-\d+$", row.model)
    small = not sized or int(sized[1]) <= SIZES[row.dataset] / 4
    return "patches up to a quarter of the side" if small else "larger patches"


def _suspected(rows: Sequence[Row]) -> int:
    return sum(row.verdict == "suspected" for row in rows)


def _found(rows: Sequence[Row], kind: str) -> Power:
    return Power(_suspected(rows), len(rows), f"{STUDY} with {kind}")


def _noticed(rows: Sequence[Row]) -> Power:
    """Triggers of one class make a model inconclusive."""
    return Power(sum(row.verdict != "clean" for row in rows), len(rows), f"{STUDY} with a source class on MNIST")


def main() -> None:
    """Print what belongs into `POWER` and `ATTACKS`.

    Example: python -m tools.study.power
    """
    study = read_rows(STUDY_ROWS)
    for (question, methods), found in power(study, read_rows(RESULTS_ROWS)).items():
        print(f'    ("{question}", frozenset({sorted(methods)})): {found!r},')
    for (question, methods, classes), kinds in rates(study + read_rows(HIDING_ROWS)).items():
        print(f'    ("{question}", frozenset({sorted(methods)}), {classes}): (')
        for rate in kinds:
            print(f'        Rate("{rate.attack}", {rate.found}, {rate.of}),')
        print("    ),")


if __name__ == "__main__":
    typer.run(main)
