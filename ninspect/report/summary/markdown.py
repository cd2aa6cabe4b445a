"""The summary as GitHub-flavoured Markdown, fit for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ninspect.report.markdown import SIGNS, escaped
from ninspect.report.summary.row import Row, counted, discoveries, shown


def markdown_summary(rows: Sequence[Row], rate: float | None = None) -> str:
    """A table of the models, and the reasons of those that are not clean."""
    return "\n".join(_lines(rows, rate)) + "\n"


def _lines(rows: Sequence[Row], rate: float | None) -> Iterator[str]:
    worst = rows[0].verdict if rows else "clean"
    yield f"### {SIGNS[worst]} ninspect: {counted(rows)}"
    yield ""
    yield "| verdict | model | class | p | q | seconds |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for row in rows:
        verdict = row.verdict if row.verdict == "clean" else f"**{row.verdict}**"
        cells = (verdict, escaped(row.path), escaped(row.classes), shown(row.p_value), shown(row.q_value))
        yield f"| {' | '.join(cells)} | {row.seconds:.1f} |"
    if rate is not None:
        yield from ("", escaped(discoveries(rows, rate)))
    for row in rows:
        if row.remarks:
            yield ""
            yield f"{SIGNS[row.verdict]} {escaped(row.path)}: {escaped(' '.join(row.remarks))}"
