"""A screening as comma-separated values, a row for each picture by falling score."""

from __future__ import annotations

import csv
import io

from ninspect.report.screening.schema import Screening
from ninspect.text import printable

HEAD = ("rank", "picture", "answer", "score", "found", "part", "moved", "kept")


def csv_screening(screening: Screening) -> str:
    """Rank, name, answer, score, 1 if it was found, and what became of the exchanged part."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEAD)
    for rank, one in enumerate(screening.pictures, 1):
        scores = (f"{one.score:.4f}", int(one.found), one.part, f"{one.moved:.4f}", f"{one.kept:.4f}")
        rows.writerow((rank, _cell(one.name), one.answer, *scores))
    return text.getvalue()


def _cell(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    shown = printable(name)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
