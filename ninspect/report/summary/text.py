"""The summary as text for a terminal or a log."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ninspect.report.summary.row import SOURCES, Row, counted, discoveries, shown
from ninspect.report.text import PLAIN_WIDTH, STYLES
from ninspect.text import printable

_BESIDE_PATH = 70  # characters of the other columns
_MOST_SAID = 20  # models whose reasons are printed


def text_summary(rows: Sequence[Row], rate: float | None = None, width: int | None = None) -> str:
    """The summary as plain text, for logs and files; by default so wide that no path is cut."""
    stream = io.StringIO()
    width = width or max(PLAIN_WIDTH, *(len(printable(row.path)) + _BESIDE_PATH for row in rows), 0)
    print_summary(rows, rate, Console(file=stream, width=width, highlight=False, color_system=None))
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


def print_summary(rows: Sequence[Row], rate: float | None = None, console: Console | None = None) -> None:
    """Print a table of the models, the reasons of those that are not clean, and how many there are of each verdict."""
    console = console or Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("model", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column("q", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        verdict = Text(row.verdict, style=STYLES[row.verdict])
        path, classes = Text(printable(row.path)), Text(printable(row.classes))
        table.add_row(
            verdict, path, classes, shown(row.p_value), shown(row.q_value), f"{row.seconds:.1f}", SOURCES[row.source]
        )
    console.print(table)
    worth = [row for row in rows if row.remarks]
    for row in worth[:_MOST_SAID]:
        console.print(Text(printable(row.path), style=STYLES[row.verdict]), soft_wrap=True)
        for remark in row.remarks:
            console.print(Padding(Text(printable(remark)), (0, 0, 0, 2)))
    if len(worth) > _MOST_SAID:
        console.print(f"and {len(worth) - _MOST_SAID} more of which there is something to say")
    if worth:
        console.print()
    console.print(Text(counted(rows)))
    if rate is not None:
        console.print(Text(printable(discoveries(rows, rate))))
