"""The result as one HTML file: no script, nothing loaded from elsewhere, readable even where styles are forbidden."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ninspect.report.chart import HEIGHT, Chart, chart
from ninspect.report.checks import other_checks
from ninspect.report.classes import HEADS, MEANING, standing_out
from ninspect.report.page import page
from ninspect.report.pictured import AttentionInfo, HeatmapInfo, PairInfo, StampInfo, TriggerInfo
from ninspect.report.schema import DetectorInfo, PreprocessInfo, Result
from ninspect.report.wording import (
    NOT_A_PROOF,
    asked,
    beside,
    class_name,
    detectors_shown,
    evidence,
    explanations,
    facts,
    named,
    named_classes,
    next_steps,
    number,
    ranked,
    reading,
    remarks,
    sentence,
    share,
    uncovered,
)
from ninspect.text import probability

_FIRST_ROWS = 12


@dataclass(frozen=True)
class _Shown:
    """A class with its pictures."""

    label: int
    suspected: bool
    heatmap: HeatmapInfo | None
    trigger: TriggerInfo | None
    stamp: StampInfo | None = None

    @property
    def source(self) -> int | None:
        """The only class that the trigger works on, or None."""
        return self.trigger.source if isinstance(self.trigger, PairInfo) else None

    @property
    def anchor(self) -> str:
        """Id of its heading."""
        return f"class-{self.label}" if self.source is None else f"class-{self.source}-to-{self.label}"


@dataclass(frozen=True)
class _Comparison:
    """A detector's classes: the chart, and positions of the classes by falling index."""

    detector: DetectorInfo
    chart: Chart
    first: list[int]
    rest: list[int]


def html_report(result: Result) -> str:
    """The result as a page that answers: is it suspected, of which class, show me, compared to what, under what."""
    shown = _shown(result)
    return page(
        "report.html",
        ["report.css"],
        [class_name, evidence, named, number, probability, reading, sentence, share],
        r=result,
        nearly=named_classes(result),
        shown=shown,
        found=bool(result.targets or named_classes(result) or result.pairs),
        others=_others(result.attention, {entry.label for entry in shown}),
        classes=standing_out(result),
        heads=HEADS,
        meaning=MEANING,
        comparisons=[_comparison(result, detector) for detector in detectors_shown(result)],
        uncovered=uncovered(result),
        beside=beside(result),
        next_steps=next_steps(result),
        explanations=explanations(result),
        remarks=remarks(result),
        asked=asked(result),
        checks=other_checks(result),
        conditions=_conditions(result),
        height=HEIGHT,
        not_a_proof=NOT_A_PROOF,
    )


def _shown(result: Result) -> list[_Shown]:
    """The suspects, then other classes with pictures of triggers and stamps."""
    heatmaps = {} if result.attention is None else {entry.label: entry for entry in result.attention.heatmaps}
    triggers = {trigger.label: trigger for trigger in result.triggers}
    stamps = {stamp.label: stamp for stamp in result.stamps}
    first = dict.fromkeys([*result.targets, *named_classes(result), *stamps, *triggers])
    labels = [label for label in first if label in {*heatmaps, *triggers, *stamps}]
    return [
        *(_Shown(pair.label, False, None, pair) for pair in result.pairs),
        *(
            _Shown(label, label in result.targets, heatmaps.get(label), triggers.get(label), stamps.get(label))
            for label in labels
        ),
    ]


def _others(attention: AttentionInfo | None, shown: set[int]) -> list[HeatmapInfo]:
    return [] if attention is None else [entry for entry in attention.heatmaps if entry.label not in shown]


def _comparison(result: Result, detector: DetectorInfo) -> _Comparison:
    order = ranked(detector)
    return _Comparison(detector, chart(result, detector), order[:_FIRST_ROWS], order[_FIRST_ROWS:])


def _conditions(result: Result) -> list[tuple[str, list[str]]]:
    """Names and lines."""
    grouped: list[tuple[str, list[str]]] = []
    for name, text in facts(result):
        if name:
            grouped.append((name, [text]))
        else:
            grouped[-1][1].append(text)
        if name == "input" and result.preprocess is not None:
            grouped[-1][1].append(_image_form(result.preprocess))
    for detector in result.detectors:
        values = ", ".join(f"{name} {_setting(value)}" for name, value in detector.settings.items())
        grouped.append((detector.name, [f"{values or 'no settings'}; {detector.seconds:.1f} s"]))
    grouped.append(("alpha", [f"{result.alpha:g}, the largest probability of suspecting a clean model"]))
    grouped.append(("versions", [", ".join(f"{name} {version}" for name, version in result.versions.items())]))
    if result.samples is not None and result.samples.skipped:
        grouped.append(("unreadable", result.samples.skipped))
    if result.command is not None:
        grouped.append(("repeat with", [shlex.join(result.command)]))
    return grouped


def _image_form(settings: PreprocessInfo) -> str:
    size = "any size" if settings.size is None else f"{settings.size[0]}×{settings.size[1]} pixels"
    resized = settings.resize
    if settings.resize_to is not None:
        sides = settings.resize_to if isinstance(settings.resize_to, tuple) else (settings.resize_to,)
        resized += f" to {'×'.join(map(str, sides))}, then the middle cut out"
    return ", ".join([settings.layout or "layout unknown", settings.color or "color unknown", size, resized])


def _setting(value: float | bool | list[float]) -> str:
    if isinstance(value, list):
        return ", ".join(f"{entry:g}" for entry in value)
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
