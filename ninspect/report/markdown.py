"""The result as GitHub-flavoured Markdown, fit for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ninspect.report.checks import other_checks
from ninspect.report.schema import DetectorInfo, Result
from ninspect.report.wording import (
    Asked,
    asked,
    class_name,
    detectors_shown,
    evidence,
    explanations,
    facts,
    judgement,
    next_steps,
    number,
    ranked,
    reading,
    remarks,
    sentence,
    triggers_shown,
    uncovered,
)
from ninspect.text import printable

_MOST_ROWS = 5
_SIGNS = {"clean": "✅", "suspected": "❌", "inconclusive": "⚠️"}


def markdown_report(result: Result) -> str:
    """The verdict, the classes that stand out most, and the rest folded away."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield f"### {_SIGNS[result.verdict]} ninspect: {result.verdict}"
    yield ""
    yield f"Model {_text(result.model.path)}: {_text(judgement(result))}"
    yield ""
    yield from (f"**{_text(line)}**\n" for line in uncovered(result))
    yield from (f"What now ({_text(rules)}): {_text(advice)}\n" for rules, advice in next_steps(result))
    yield from ("| asked | | |", "| --- | --- | --- |")
    yield from (f"| {one.title} | {_bold(one)} | {_text(one.detail)} |" for one in asked(result))
    yield ""
    for detector in detectors_shown(result):
        yield from _table(result, detector)
    for trigger in triggers_shown(result):
        yield from (_text(evidence(trigger)), "")
    yield from (f"{_text(text)}\n" for text in explanations(result))
    for remark in remarks(result):
        yield from (f"Note: {_text(sentence(remark))}", "")
    yield from ("<details><summary>What was checked, and under which conditions</summary>", "")
    yield from ("| check | outcome | |", "| --- | --- | --- |")
    yield from (f"| {_text(check.name)} | {check.outcome} | {_text(check.detail)} |" for check in other_checks(result))
    yield from ("", "| | |", "| --- | --- |")
    yield from (f"| {name} | {_text(text)} |" for name, text in facts(result))
    yield from ("", "</details>")


def _table(result: Result, detector: DetectorInfo) -> Iterator[str]:
    known = any(class_name(result, label) for label in result.explained)
    yield f"| class |{' name |' if known else ''} index | |"
    yield f"| ---: |{' --- |' if known else ''} ---: | --- |"
    for i in ranked(detector)[:_MOST_ROWS]:
        label = result.explained[i]
        name = f" {_text(class_name(result, label))} |" if known else ""
        suspected = "**suspected**" if label in result.targets else ""
        yield f"| {label} |{name} {number(detector.index[i], 2)} | {suspected} |"
    yield from ("", _text(reading(result, detector)), "")


def _bold(one: Asked) -> str:
    return one.word if one.outcome == "passed" else f"**{one.word}**"


def _text(text: str) -> str:
    """Text that came from outside, so that it is shown as it is: no formatting, links, mentions, images or HTML."""
    escaped = re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", printable(text))
    escaped = re.sub(r"(www|:)(\.|//)", lambda match: f"{match[1]}\\{match[2]}", escaped)
    return re.sub(r"([@#])", r"`\1`", escaped)  # as code: a mention or a number of an issue would still be linked
