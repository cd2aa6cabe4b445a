"""The result as GitHub-flavoured Markdown, fit for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ninspect.report.checks import other_checks
from ninspect.report.classes import HEADS, MEANING, standing_out
from ninspect.report.schema import Result
from ninspect.report.wording import (
    REFERENCE,
    Asked,
    asked,
    beside,
    detectors_shown,
    evidence,
    explanations,
    facts,
    judgement,
    named,
    next_steps,
    number,
    ranked,
    remarks,
    sentence,
    triggers_shown,
    uncovered,
)
from ninspect.text import printable

_MOST_BESIDE = 5
SIGNS = {"clean": "✅", "suspected": "❌", "inconclusive": "⚠️"}


def markdown_report(result: Result) -> str:
    """The verdict, the classes that stand out most, and the rest folded away."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield f"### {SIGNS[result.verdict]} ninspect: {result.verdict}"
    yield ""
    yield f"Model {escaped(result.model.path)}: {escaped(judgement(result))}"
    yield ""
    yield from (f"**{escaped(line)}**\n" for line in uncovered(result))
    yield from (f"What now ({escaped(rules)}): {escaped(advice)}\n" for rules, advice in next_steps(result))
    yield from ("| asked | | |", "| --- | --- | --- |")
    yield from (f"| {one.title} | {_bold(one)} | {escaped(one.detail)} |" for one in asked(result))
    yield ""
    yield from _table(result)
    for trigger in triggers_shown(result):
        yield from (escaped(evidence(trigger)), "")
    yield from (f"{escaped(text)}\n" for text in beside(result))
    yield from _side_by_side(result)
    yield from (f"{escaped(text)}\n" for text in explanations(result))
    for remark in remarks(result):
        yield from (f"Note: {escaped(sentence(remark))}", "")
    yield from ("<details><summary>What was checked, and under which conditions</summary>", "")
    yield from ("| check | outcome | |", "| --- | --- | --- |")
    yield from (
        f"| {escaped(check.name)} | {check.outcome} | {escaped(check.detail)} |" for check in other_checks(result)
    )
    yield from ("", "| | |", "| --- | --- |")
    yield from (f"| {name} | {escaped(text)} |" for name, text in facts(result))
    yield from ("", "</details>")


def _table(result: Result) -> Iterator[str]:
    rows = standing_out(result)
    if not rows:
        return
    known = any(row.name for row in rows)
    heads = ["class", *(["name"] if known else []), *HEADS, ""]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(' --- ' if head in ('name', '') else ' ---: ' for head in heads)}|"
    for row in rows:
        mark = "**suspected**" if row.suspected else ""
        yield f"| {' | '.join([str(row.label), *([escaped(row.name)] if known else []), *row.cells, mark])} |"
    yield from ("", MEANING, "")


def _side_by_side(result: Result) -> Iterator[str]:
    """The classes that the reference explains least, in the model and in the reference."""
    for detector in detectors_shown(result):
        if detector.name != REFERENCE:
            continue
        yield from (
            f"| class | {' | '.join([*detector.scores, 'index'])} |",
            "| --- |" + " ---: |" * (len(detector.scores) + 1),
        )
        for place in ranked(detector)[:_MOST_BESIDE]:
            cells = [number(column[place], 2) for column in (*detector.scores.values(), detector.index)]
            yield f"| {escaped(named(result, result.explained[place]))} | {' | '.join(cells)} |"
        yield ""


def _bold(one: Asked) -> str:
    return one.word if one.outcome == "passed" else f"**{one.word}**"


def escaped(text: str) -> str:
    """Text that came from outside, so that it is shown as it is: no formatting, links, mentions, images or HTML."""
    plain = re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", printable(text))
    plain = re.sub(r"(www|:)(\.|//)", lambda match: f"{match[1]}\\{match[2]}", plain)
    return re.sub(r"([@#])", r"`\1`", plain)  # as code: a mention or a number of an issue would still be linked
