"""From the text of an option to its value; the name of the option is for the message where that fails."""

from __future__ import annotations

import math
import re

from ninspect.errors import UsageError

_UNITS = ("", "K", "M", "G", "T")  # powers of 1024


def numbers(text: str, option: str) -> float | tuple[float, ...]:
    """`0.5` or `0.485,0.456,0.406`."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (math.nan,)
    if not all(map(math.isfinite, values)):
        raise UsageError(f"{option} '{text}' is not a number or a list such as 0.485,0.456,0.406")
    return values[0] if len(values) == 1 else values


def three_numbers(text: str, option: str) -> tuple[float, ...]:
    """`1,0.5,2`."""
    values = numbers(text, option)
    if not isinstance(values, tuple) or len(values) != 3:
        raise UsageError(f"{option} '{text}' is not a list of three numbers such as 1,1,1")
    return values


def height_and_width(text: str, option: str) -> tuple[int, int]:
    """`32x48`."""
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise UsageError(f"{option} '{text}' is not of the form HEIGHTxWIDTH, such as 32x32")
    return int(height), int(width)


def memory_size(text: str, option: str) -> int:
    """`8G` to bytes."""
    size = re.fullmatch(r"([0-9]{1,6})([KMGT]?)", text.upper())
    if size is None:
        raise UsageError(f"{option} '{text}' is not a size such as 8G or 500M")
    return int(size[1]) << 10 * _UNITS.index(size[2])


def class_list(text: str, option: str) -> tuple[int, ...]:
    """`0,3,7-9` to 0, 3, 7, 8, 9."""
    classes: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise UsageError(f"{option} '{text}' is not a list of classes such as 0,3,7-9")
        if dash and int(last) - int(first) > 1_000_000:
            raise UsageError(f"{option} '{text}' names more classes than any model has")
        classes += range(int(first), int(last if dash else first) + 1)
    return tuple(classes)
