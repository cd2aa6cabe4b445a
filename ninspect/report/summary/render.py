"""The summary in each of the formats, in pieces: of many results, one at a time is held."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib import import_module

from ninspect.report.summary.row import Row
from ninspect.report.summary.text import text_summary


def render_summary(
    rows: Sequence[Row], format_: str, rate: float | None = None, width: int | None = None
) -> Iterator[str]:
    """The summary in one of `ninspect.names.FORMATS`.

    Args:
        rows: of the models, the worst first.
        format_: its name. As JSON it is a line for each result, and SARIF has all findings; the others have the rows.
        rate: say which models are discoveries at this rate of false ones.
        width: of text.
    """
    if format_ == "json":
        yield from (json.dumps(row.result().facts(), allow_nan=False) + "\n" for row in rows)
    elif format_ == "sarif":
        from ninspect.report.sarif import sarif_summary

        yield sarif_summary(row.result() for row in rows)
    elif format_ == "text":
        yield text_summary(rows, rate, width)
    else:
        summary = getattr(import_module(f"ninspect.report.summary.{format_}"), f"{format_}_summary")
        yield str(summary(rows, rate))
