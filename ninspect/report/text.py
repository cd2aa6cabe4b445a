"""The result as text for a terminal or a log."""

from __future__ import annotations

import io
import math

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ninspect.report.result import DetectorInfo, Result, TriggerInfo
from ninspect.text import printable

_STYLES = {"clean": "bold green", "suspected": "bold red", "inconclusive": "bold yellow"}
_MOST_ROWS = 12
_PLAIN_WIDTH = 110


def text_report(result: Result) -> str:
    """The result as plain text of a fixed width, for logs and files."""
    stream = io.StringIO()
    print_result(result, Console(file=stream, width=_PLAIN_WIDTH, highlight=False, color_system=None))
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


def print_result(result: Result, console: Console | None = None) -> None:
    """Print the verdict, the classes that stand out most, and the conditions of the scan; by default on stdout."""
    console = console or Console(highlight=False)
    headline = Text.assemble((result.verdict.upper(), _STYLES[result.verdict]), "  ", printable(result.model.path))
    console.print(headline, soft_wrap=True)
    confidence = f" Confidence: {result.confidence}." if result.confidence else ""
    console.print(Padding(Text(_sentence(printable(result.reason)) + confidence), (0, 0, 1, 2)))
    for detector in result.detectors:
        if detector.skipped is None and (detector is result.detectors[0] or detector.targets):
            console.print(_class_table(result, detector))
            console.print(Padding(Text(_reading(result, detector), style="dim"), (0, 0, 1, 2)))
    for trigger in result.triggers:
        console.print(Padding(Text(_evidence(trigger)), (0, 0, 1, 2)))
    console.print(_conditions(result))
    for warning in result.warnings:
        console.print(Padding(Text(f"Warning: {printable(warning)}.", style="yellow"), (0, 0, 0, 2)))


def _sentence(text: str) -> str:
    first = text.partition(" ")[0]
    start = first.capitalize() if first.isalpha() else first  # a file name keeps its letters
    return start + text[len(first) :] + ("" if text.endswith(".") else ".")


def _class_table(result: Result, detector: DetectorInfo) -> Table:
    """The classes by falling index; the head of the list when there are many."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, title=f"Method {detector.name}", title_justify="left")
    table.add_column("class", justify="right")
    for name in detector.scores:
        table.add_column(name, justify="right")
    table.add_column("index", justify="right")
    table.add_column("")
    ranked = sorted(range(len(detector.index)), key=lambda i: -_sortable(detector.index[i]))
    for i in ranked[:_MOST_ROWS]:
        label = result.explained[i]
        mark = "suspected" if label in result.targets else ""
        cells = [_number(column[i], 1) for column in detector.scores.values()]
        style = "bold red" if label in result.targets else ""
        table.add_row(str(label), *cells, _number(detector.index[i], 2), mark, style=style)
    if len(ranked) > _MOST_ROWS:
        table.add_row("…", *("" for _ in table.columns[1:-1]), f"and {len(ranked) - _MOST_ROWS} more")
    return table


def _sortable(value: float | None) -> float:
    return -math.inf if value is None else value


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _reading(result: Result, detector: DetectorInfo) -> str:
    """What the index means, so that a number is never shown without its scale."""
    if detector.critical_index is None:
        return "The index has no meaning here." if detector.p_value is None else f"p-values from the {detector.test}."
    count = len(result.explained)
    return (
        f"Index: distance from the other classes in robust standard deviations. A clean model with {count} classes "
        f"exceeds {detector.critical_index:.2f} with probability {result.alpha:g}."
    )


def _evidence(trigger: TriggerInfo) -> str:
    """What was found when a trigger was searched for a class."""
    found = (
        f"Evidence for class {trigger.label}: the smallest trigger found covers {trigger.size:.1f} pixels and sends "
        f"{_share(trigger.success)} of {trigger.held_out} other images there; "
    )
    if trigger.control_size is None:
        return found + "for no other class one was found to compare with."
    compared = f"classes that are not suspected need {trigger.control_size:.1f} pixels (median)"
    return (
        found
        + compared
        + (". A backdoor explains that." if trigger.convincing else ". That is no proof of a backdoor.")
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"


def _conditions(result: Result) -> Table:
    """What was scanned, with what, and how to trust it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=10)
    grid.add_column(overflow="fold")
    for name, text in _facts(result):
        grid.add_row(f"  {name}", Text(printable(text)))  # plain strings would be read as markup
    return grid


def _facts(result: Result) -> list[tuple[str, str]]:
    facts = []
    model, samples, settings = result.model, result.samples, result.preprocess
    if model.sha256 is not None:
        producer = model.producer or "unknown exporter"
        shape = ", ".join("N" if d is None else str(d) for d in model.input_shape or [])
        facts.append(("model", f"{producer}, opset {model.opset}, {result.classes} classes"))
        facts.append(("", f"input '{model.input}' [{shape}] {model.layout}, logits '{model.logits}'"))
        facts.append(("", f"sha256 {model.sha256}"))
    if model.gradient is not None:
        facts.append(("gradient", model.gradient))
    if samples is not None:
        accuracy = "" if samples.clean_accuracy is None else f", clean accuracy {samples.clean_accuracy:.1%}"
        facts.append(("images", f"{samples.count} from {samples.source} ({samples.kind}){accuracy}"))
    facts.append(
        ("input", f"(pixel · {settings.scale:.4g} − {_list(settings.mean)}) / {_list(settings.std)}, {settings.source}")
    )
    facts += [
        ("also", f"{detector.name}: nothing found (p = {detector.p_value:.2g})")
        for detector in result.detectors[1:]
        if detector.p_value is not None and not detector.targets
    ]
    if result.truth_tests:
        errors = ", ".join(f"{test.name} {_scientific(test.error)}" for test in result.truth_tests)
        facts.append(("self-test", f"relative errors: {errors}"))
    provider = (result.provider or "").removesuffix("ExecutionProvider")
    facts.append(("run", f"{provider + ', ' if provider else ''}seed {result.seed}, {result.seconds:.1f} s"))
    return facts


def _list(value: float | list[float]) -> str:
    values = [value] if isinstance(value, float) else value
    return f"{values[0]:g}" if len(set(values)) == 1 else "[" + ", ".join(f"{v:g}" for v in values) + "]"


def _scientific(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.1e}"
