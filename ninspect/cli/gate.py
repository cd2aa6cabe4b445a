"""From a result to an exit code, for pipelines that accept what is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ninspect.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from ninspect.report import Result

# What fails with --fail-on, by its name: a verdict of this kind or a worse one.
FAILING = {
    "inconclusive": {ExitCode.INCONCLUSIVE, ExitCode.SUSPECTED},
    "suspected": {ExitCode.SUSPECTED},
    "never": set[ExitCode](),
}


def gate(result: Result, code: int, fail_on: str, baseline: Path | None) -> tuple[int, str]:
    """The exit code of a scan, and a sentence where it is not the one of the verdict.

    Args:
        result: of the scan.
        code: as the verdict has it; one that stands for something else, such as a signal, is left alone.
        fail_on: of `FAILING`.
        baseline: an earlier result. What it says of the very same file is known, and does not fail.
    """
    if code not in FAILING["inconclusive"]:
        return code, ""
    if code not in FAILING[fail_on]:
        return ExitCode.CLEAN, f"the verdict is {result.verdict}; the exit code is 0, as was asked for"
    if baseline is None:
        return code, ""
    from ninspect.report import load_result

    try:
        known = load_result(baseline)
    except UsageError as error:
        return code, f"the baseline was ignored: {error}"
    if _same(result, known):
        return (
            ExitCode.CLEAN,
            f"the verdict is {result.verdict}; {baseline} says the same of this file, so the exit code is 0",
        )
    return code, ""


def _same(result: Result, known: Result) -> bool:
    """Whether an earlier scan of the same bytes said as much: the same verdict, and no class less."""
    same_file = result.model.sha256 is not None and result.model.sha256 == known.model.sha256
    return same_file and result.verdict == known.verdict and set(result.targets) <= set(known.targets)
