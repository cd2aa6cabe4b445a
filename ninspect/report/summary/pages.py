"""The report of each model, as a page that the summary leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from ninspect.files import make_folder, write_file
from ninspect.report.html import html_report
from ninspect.report.summary.row import Row


def with_pages(rows: Sequence[Row], index: Path) -> list[Row]:
    """The rows with links to reports, which are written to a folder beside the summary: `all.html`, `all-models/`.

    Raises:
        UsageError: there cannot be such a folder.
        WriteError: a report cannot be written.
    """
    folder = index.with_name(f"{index.stem}-models")
    make_folder(folder)
    linked = []
    for number, row in enumerate(rows, start=1):
        name = f"{number:0{len(str(len(rows)))}}-{row.saved.stem[:12]}.html"
        write_file(folder / name, html_report(row.result()).encode())
        linked.append(replace(row, page=f"{quote(folder.name)}/{name}"))
    return linked
