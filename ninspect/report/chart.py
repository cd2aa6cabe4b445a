"""The index of every class as a bar chart: positions for an inline SVG that grows and shrinks with the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ninspect.report.schema import DetectorInfo, Result
from ninspect.report.wording import class_name, named, number

HEIGHT = 220  # of the bars, in pixels; horizontal positions are per cent of the width
_HEADROOM = 1.15  # for the names above the highest bars
_MOST_LABELS = 12  # along each axis
_MOST_NAMED = 5
_LONGEST_NAME = 20  # characters
_LARGEST = 1e12


@dataclass(frozen=True)
class Bar:
    """One class; x and width in per cent, y and height in pixels from the top."""

    x: float
    width: float
    y: float
    height: float
    title: str
    suspected: bool


@dataclass(frozen=True)
class Label:
    """A text at a position: x in per cent, y in pixels."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"


@dataclass(frozen=True)
class Chart:
    """Everything to draw; the critical line is None where the index is not tested."""

    bars: list[Bar]
    zero: float
    critical: Label | None
    ticks: list[Label]
    classes: list[Label]
    names: list[Label]


def chart(result: Result, detector: DetectorInfo) -> Chart:
    """The chart of one detector, classes by number."""
    index = [None if value is None else _drawn(value) for value in detector.index]
    known = [value for value in index if value is not None]
    critical = None if detector.critical_index is None else _drawn(detector.critical_index)
    top = max([1.0, *known, critical or 0.0]) * _HEADROOM
    bottom = min([0.0, *known])

    def y(value: float) -> float:
        return round(HEIGHT * (top - value) / (top - bottom), 2)

    pitch = 100 / max(1, len(result.explained))
    every = _step(len(result.explained))
    bars, classes, names = [], [], []
    for i, (label, value) in enumerate(zip(result.explained, index, strict=True)):
        middle = round((i + 0.5) * pitch, 3)
        if i % every == 0:
            classes.append(Label(middle, HEIGHT, str(label)))
        title = f"{named(result, label)}: index {number(detector.index[i], 2)}"
        low, high = sorted((0.0, value or 0.0))
        suspected = label in result.targets
        bars.append(
            Bar(
                round((i + 0.1) * pitch, 3),
                round(0.8 * pitch, 3),
                y(high),
                round(y(low) - y(high), 2),
                title,
                suspected,
            )
        )
        if label in result.targets[:_MOST_NAMED]:
            anchor: Literal["start", "middle", "end"] = "start" if middle < 20 else "end" if middle > 80 else "middle"
            name = class_name(result, label)
            name = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
            names.append(Label(middle, y(high), f"{label} {name}".rstrip(), anchor))
    step = _step(top - bottom, 6)
    ticks = [Label(0, y(i * step), f"{i * step:g}") for i in range(math.ceil(bottom / step), int(top / step) + 1)]
    line = None if critical is None else Label(100, y(critical), f"critical {detector.critical_index:.2f}", "end")
    return Chart(bars, y(0), line, ticks, classes, names)


def _drawn(value: float) -> float:
    """The value, or the largest that the arithmetic of a chart bears."""
    return min(max(value, -_LARGEST), _LARGEST)


def _step(extent: float, most: int = _MOST_LABELS) -> int:
    """The smallest of 1, 2, 5, 10, 20, … that needs at most so many steps."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if extent <= most * step:
                return step
        power *= 10
