"""The result as text for a terminal or a log."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ninspect.report.classes import HEADS, MEANING, standing_out
from ninspect.report.schema import DetectorInfo, Result
from ninspect.report.wording import (
    REFERENCE,
    asked,
    beside,
    class_name,
    detectors_shown,
    evidence,
    explained,
    explanations,
    facts,
    judgement,
    next_steps,
    number,
    ranked,
    reading,
    remarks,
    triggers_shown,
    uncovered,
)
from ninspect.text import printable

STYLES = {"clean": "bold green", "suspected": "bold red", "inconclusive": "bold yellow"}
_SEVERITIES = {"error": "red", "warning": "yellow", "note": "dim"}
_OUTCOMES = {"passed": "green", "failed": "red", "inconclusive": "yellow", "skipped": "dim"}
_MOST_ROWS = 12
PLAIN_WIDTH = 110
_TABLE_FITS = 64
_SCORES_FIT = 76  # characters; in a narrower terminal the numbers would be cut


def text_report(result: Result, details: bool = False, width: int = PLAIN_WIDTH) -> str:
    """The result as plain text of a fixed width, for logs and files."""
    stream = io.StringIO()
    print_result(result, Console(file=stream, width=width, highlight=False, color_system=None), details)
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


def print_result(result: Result, console: Console | None = None, details: bool = False) -> None:
    """Print the verdict, the classes that stand out most, and the conditions of the scan; by default on stdout.

    Args:
        result: what a scan found.
        console: where to.
        details: also the scores that each method gave the classes.
    """
    console = console or Console(highlight=False)
    headline = Text.assemble((result.verdict.upper(), STYLES[result.verdict]), "  ", printable(result.model.path))
    console.print(headline, soft_wrap=True)
    console.print(Padding(Text(printable(judgement(result))), (0, 0, 0, 2)))
    for line in uncovered(result):
        console.print(Padding(Text(printable(line), style="bold"), (0, 0, 0, 2)))
    for rules, advice in next_steps(result):
        console.print(Padding(Text(printable(f"What now ({rules}): {advice}")), (0, 0, 0, 2)))
    console.print()
    console.print(Text("Asked of the model"))
    console.print(_coverage(result))
    console.print()
    if table := _standing_out(result, narrow=console.width < _TABLE_FITS):
        console.print(table)
        console.print(Padding(Text(MEANING, style="dim"), (0, 0, 1, 2)))
    for detector in detectors_shown(result):
        if not details and detector.name != REFERENCE:
            continue
        console.print(_class_table(result, detector, with_scores=console.width >= _SCORES_FIT))
        console.print(Padding(Text(reading(result, detector), style="dim"), (0, 0, 1, 2)))
    for trigger in triggers_shown(result):
        console.print(Padding(Text(evidence(trigger)), (0, 0, 1, 2)))
    for line in beside(result):
        console.print(Padding(Text(printable(line)), (0, 0, 1, 2)))
    for text, told in zip(explanations(result), explained(result), strict=True):
        console.print(Padding(Text(printable(text), style=_SEVERITIES[told.severity]), (0, 0, 1, 2)))
    console.print(_conditions(result))
    for remark in remarks(result):
        console.print(Padding(Text(f"Note: {printable(remark)}.", style="yellow"), (0, 0, 0, 2)))


def _coverage(result: Result) -> Table:
    """What was asked of the model, and what became of it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=10, overflow="fold")
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for one in asked(result):
        grid.add_row(f"  {one.title}", Text(one.word, style=_OUTCOMES[one.outcome]), Text(printable(one.detail)))
    return grid


def _standing_out(result: Result, narrow: bool) -> Table | None:
    """The classes that stand out most, with what decides; where it is narrow, without what is compared."""
    rows = standing_out(result)
    if not rows:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, title="Classes that stand out most", title_justify="left")
    table.add_column("class", justify="right")
    known = any(row.name for row in rows)
    if known:
        table.add_column("name", no_wrap=True)
    heads = HEADS[:2] if narrow else HEADS
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("", min_width=len("suspected"))
    for row in rows:
        name = [Text(printable(row.name))] if known else []  # plain strings would be read as markup
        mark, style = ("suspected", "bold red") if row.suspected else ("", "")
        table.add_row(str(row.label), *name, *row.cells[: len(heads)], mark, style=style)
    return table


def _class_table(result: Result, detector: DetectorInfo, with_scores: bool) -> Table:
    """The classes by falling index; the head of the list when there are many."""
    columns = detector.scores if with_scores else {}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, title=f"Method {detector.name}", title_justify="left")
    table.add_column("class", justify="right")
    known = any(class_name(result, label) for label in result.explained)
    if known:
        table.add_column("name", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    table.add_column("index", justify="right")
    table.add_column("")
    order = ranked(detector)
    for i in order[:_MOST_ROWS]:
        label = result.explained[i]
        mark = "suspected" if label in result.targets else ""
        shown = [Text(printable(class_name(result, label)))] if known else []  # plain strings would be read as markup
        scores = [number(column[i], 1) for column in columns.values()]
        style = "bold red" if label in result.targets else ""
        table.add_row(str(label), *shown, *scores, number(detector.index[i], 2), mark, style=style)
    if len(order) > _MOST_ROWS:
        table.add_row("…", *("" for _ in table.columns[1:-1]), f"and {len(order) - _MOST_ROWS} more")
    return table


def _conditions(result: Result) -> Table:
    """What was scanned, with what, and how to trust it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=10)
    grid.add_column(overflow="fold")
    for name, text in facts(result):
        grid.add_row(f"  {name}", Text(printable(text)))
    return grid
