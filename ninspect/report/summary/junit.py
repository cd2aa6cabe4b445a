"""The summary as JUnit XML: a test case a model."""

from __future__ import annotations

from collections.abc import Sequence

from ninspect.report.checks import Check
from ninspect.report.junit import VERDICTS, junit_suite
from ninspect.report.summary.row import Row


def junit_summary(rows: Sequence[Row], rate: float | None = None) -> str:
    """What speaks for a backdoor is a failure; what could not be judged, an error."""
    cases = [(row.path, Check("verdict", VERDICTS[row.verdict], row.says)) for row in rows]
    return junit_suite(cases, sum(row.seconds for row in rows))
