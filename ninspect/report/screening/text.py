"""A screening as text for a terminal or a log."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ninspect.report.screening.schema import Screening
from ninspect.report.screening.wording import MEANING, headline, named_class, remarks, word
from ninspect.report.text import PLAIN_WIDTH
from ninspect.report.wording import sentence
from ninspect.text import printable

_STYLES = {"found": "bold red", "inconclusive": "bold yellow", "none": "bold green"}
_MOST_ROWS = 20


def text_screening(screening: Screening, width: int | None = None) -> str:
    """The screening as plain text of a fixed width."""
    stream = io.StringIO()
    console = Console(file=stream, width=width or PLAIN_WIDTH, highlight=False, color_system=None)
    print_screening(screening, console)
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


def print_screening(screening: Screening, console: Console | None = None) -> None:
    """Print how many pictures were found, the first of them, and how sure that is; by default on stdout."""
    console = console or Console(highlight=False)
    outcome = word(screening)
    console.print(Text.assemble((outcome.upper(), _STYLES[outcome]), "  ", printable(screening.images)), soft_wrap=True)
    console.print(Padding(Text(sentence(headline(screening))), (0, 0, 0 if screening.pictures else 1, 2)))
    if screening.pictures:
        console.print(_table(screening))
        console.print(Padding(Text(MEANING, style="dim"), (0, 0, 1, 2)))
    for line in remarks(screening):
        console.print(Padding(Text(printable(line)), (0, 0, 0, 2)))


def _table(screening: Screening) -> Table:
    """The first pictures, those that were found marked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("rank", justify="right")
    table.add_column("picture", overflow="fold")
    table.add_column("answer", overflow="fold")
    for head in ("score", "moved", "kept"):
        table.add_column(head, justify="right")
    table.add_column("part")
    table.add_column("", min_width=len("found"))
    for rank, one in enumerate(screening.pictures[:_MOST_ROWS], 1):
        numbers = (f"{value:.2f}" for value in (one.score, one.moved, one.kept))
        mark, style = ("found", "bold red") if one.found else ("", "")
        name, answer = Text(printable(one.name)), Text(printable(named_class(screening, one.answer)))
        table.add_row(str(rank), name, answer, *numbers, one.part, mark, style=style)
    if (more := len(screening.pictures) - _MOST_ROWS) > 0:
        table.add_row("…", f"and {more:,} more", *("" for _ in table.columns[2:]))
    return table
