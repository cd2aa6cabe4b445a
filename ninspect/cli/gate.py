"""From a result to an exit code, for pipelines that accept what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninspect.errors import ExitCode

if TYPE_CHECKING:
    from ninspect.cli.baseline import Baseline
    from ninspect.report import Result

# What fails with --fail-on, by its name: a verdict of this kind or a worse one.
FAILING = {
    "inconclusive": {ExitCode.INCONCLUSIVE, ExitCode.SUSPECTED},
    "suspected": {ExitCode.SUSPECTED},
    "never": set[ExitCode](),
}


def gate(result: Result, code: int, fail_on: str, baseline: Baseline | None) -> tuple[int, str]:
    """The exit code of a scan, and a sentence where it is not the one of the verdict.

    Args:
        result: of the scan.
        code: as the verdict has it; one that stands for something else, such as a signal, is left alone.
        fail_on: of `FAILING`.
        baseline: earlier results. What one says of the same model, images and options does not fail.
    """
    if code not in FAILING["inconclusive"]:
        return code, ""
    if code not in FAILING[fail_on]:
        return ExitCode.CLEAN, f"the verdict is {result.verdict}; the exit code is 0, as was asked for"
    if baseline is None:
        return code, ""
    news = min((_news(result, known) for known in baseline.of(result)), key=len, default=["it has no such model"])
    if news:
        return code, f"the baseline does not apply: {'; '.join(news)}"
    return (
        ExitCode.CLEAN,
        f"the verdict is {result.verdict}; the baseline says the same of this model, so the exit code is 0",
    )


def _news(result: Result, known: Result) -> list[str]:
    """What an earlier scan does not say, or was not asked: nothing, where it knew all of this."""
    news = []
    if result.model.sha256 is None or result.model.sha256 != known.model.sha256:
        changed = {file.name for file in result.model.files} & {file.name for file in known.model.files}
        before = {file.name: file.sha256 for file in known.model.files}
        other = [file.name for file in result.model.files if file.name in changed and before[file.name] != file.sha256]
        news.append(f"the model is another ({', '.join(other) or 'its files differ'})")
    if _images(result) != _images(known):
        news.append("it was scanned with other images")
    if _input(result) != _input(known):
        news.append("it was scanned with other preprocessing")
    if options := _other_options(result, known):
        news.append(f"it was scanned with other options ({', '.join(options)})")
    said = {(finding.rule, *finding.classes) for finding in known.findings}
    counting = [finding for finding in result.findings if finding.effect != "clean"]
    new = [finding.rule for finding in counting if (finding.rule, *finding.classes) not in said]
    if new or result.verdict != known.verdict:
        found = f" ({', '.join(dict.fromkeys(new))})" if new else ""
        news.append(f"it does not say what this scan found{found}")
    return news


def _images(result: Result) -> str | None:
    return None if result.samples is None else result.samples.sha256


def _input(result: Result) -> dict[str, Any]:
    """How pixels became the model's input, wherever that was said: files beside the model say it too."""
    return {} if result.preprocess is None else result.preprocess.model_dump(exclude={"source"})


# Where things lie, and what does not change a number.
_PLACES = ("model", "samples", "class_names", "device", "memory", "ignore")


def _other_options(result: Result, known: Result) -> list[str]:
    """Names of the options that differ; all that would matter, where a result has not kept its request."""
    if result.request is None or known.request is None:
        return [] if result.request == known.request else ["unknown"]
    mine, theirs = (vars(one.request) for one in (result, known))
    return [name for name in mine if name not in _PLACES and mine[name] != theirs[name]]
