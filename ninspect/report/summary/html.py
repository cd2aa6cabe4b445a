"""The summary as one HTML file: sorted and filtered by style sheets alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ninspect.report.page import page
from ninspect.report.summary.row import VERDICTS, Row, counted, discoveries, shown
from ninspect.report.wording import NOT_A_PROOF, sentence


def html_summary(rows: Sequence[Row], rate: float | None = None) -> str:
    """A table for each order, of which one is shown; each model leads to its own report where there is one."""
    orders = {
        "verdict": rows,
        "path": sorted(rows, key=lambda row: row.path),
        "p": sorted(rows, key=lambda row: 2.0 if row.p_value is None else row.p_value),
        "seconds": sorted(rows, key=lambda row: -row.seconds),
    }
    return page(
        "summary.html",
        ["report.css", "summary.css"],
        [shown],
        counted=counted(rows),
        counts=Counter(row.verdict for row in rows),
        verdicts=VERDICTS,
        orders=orders,
        discoveries="" if rate is None else sentence(discoveries(rows, rate)),
        not_a_proof=NOT_A_PROOF,
    )
