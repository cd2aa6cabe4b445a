"""The summary as GitHub-flavoured Markdown, fit for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ninspect.report.markdown import SIGNS, escaped
from ninspect.report.summary.row import Row, counted, p_shown


def markdown_summary(rows: Sequence[Row]) -> str:
    """A table of the models, and the reasons of those that are not clean."""
    return "\n".join(_lines(rows)) + "\n"


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    worst = rows[0].verdict if rows else "clean"
    yield f"### {SIGNS[worst]} ninspect: {counted(rows)}"
    yield ""
    yield "| verdict | model | class | p | seconds |"
    yield "| --- | --- | --- | ---: | ---: |"
    for row in rows:
        verdict = row.verdict if row.verdict == "clean" else f"**{row.verdict}**"
        yield f"| {verdict} | {escaped(row.path)} | {escaped(row.classes)} | {p_shown(row)} | {row.seconds:.1f} |"
    for row in rows:
        if row.verdict != "clean":
            yield ""
            yield f"{SIGNS[row.verdict]} {escaped(row.path)}: {escaped(row.says)}"
