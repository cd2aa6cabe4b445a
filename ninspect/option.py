"""What an option is, and how its text becomes a value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from ninspect.errors import UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
_UNITS = ("", "K", "M", "G", "T")  # powers of 1024


@dataclass(frozen=True)
class Option:
    """What the command line has to know of a field besides its name, type and default.

    Attributes:
        help: what it means.
        flags: its names; none: the one of the field.
        metavar: stands for the value in the help.
        min: the smallest value.
        max: the largest value.
        panel: the heading in the help that it stands under.
        parse: makes the value of a text; also given the name of the option, for the message if it cannot.
        variable: a variable of the environment besides the one that every option has.
        complete: what a shell may complete the value to, where the type does not say it.
    """

    help: str
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    panel: str | None = None
    parse: Callable[[str, str], Any] | None = None
    variable: str | None = None
    complete: tuple[str, ...] = ()

    def allows(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


@cache
def options(kind: Any) -> tuple[tuple[Field[Any], Any, Option | None], ...]:
    """Each field of a dataclass with its type and its option; one without is a group of options."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple((each, *_type_and_option(hints[each.name])) for each in fields(kind))


def _type_and_option(hint: Any) -> tuple[Any, Option | None]:
    return get_args(hint) if get_origin(hint) is Annotated else (hint, None)


def paths(group: Any) -> Iterator[Path]:
    """Every path in a dataclass of options, and in the groups within it."""
    for each in fields(group):
        value = getattr(group, each.name)
        if isinstance(value, tuple):
            yield from (entry for entry in value if isinstance(entry, Path))
        elif isinstance(value, Path):
            yield value
        elif is_dataclass(value):
            yield from paths(value)


def with_paths(group: T, change: Callable[[Path], Path]) -> T:
    """A dataclass of options with other paths, those in the groups within it included."""
    changed: dict[str, Any] = {}
    for each in fields(group):  # type: ignore[arg-type]
        value = getattr(group, each.name)
        if isinstance(value, tuple):
            changed[each.name] = tuple(change(entry) if isinstance(entry, Path) else entry for entry in value)
        elif isinstance(value, Path):
            changed[each.name] = change(value)
        elif is_dataclass(value):
            changed[each.name] = with_paths(value, change)
    return replace(group, **changed)  # type: ignore[type-var]


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """What pydantic knows of a dataclass; finding that out takes longer than any use of it."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def validated(kind: type[T], values: Mapping[str, Any], what: str) -> T:
    """A dataclass of options from values that someone wrote.

    Args:
        kind: the dataclass.
        values: by name of the field.
        what: they are, for the message.

    Raises:
        UsageError: a name is unknown, or a value is wrong.
    """
    from pydantic import ValidationError

    try:
        checked: T = adapter(kind).validate_python(dict(values))  # type: ignore[arg-type]
        return checked
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{what} is wrong in {where}: {first['msg']}") from error


# From the text of an option to its value; the name of the option is for the message where that fails.


_SWITCHES = {"false": "0", "true": "1"}


def numbers(text: str, option: str) -> float | tuple[float, ...]:
    """`0.5` or `0.485,0.456,0.406`."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (math.nan,)
    if not all(map(math.isfinite, values)):
        raise UsageError(f"{option} '{text}' is not a number or a list such as 0.485,0.456,0.406")
    return values[0] if len(values) == 1 else values


def feeds(texts: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """`meta=0.5,1` to a name and its numbers; of several texts.

    Raises:
        UsageError: a text is no such pair.
    """
    found = {}
    for text in texts:
        name, _, values = text.rpartition("=")
        if not name:
            raise UsageError(f"--feed '{text}' is not of the form NAME=VALUE, such as meta=0 or meta=0.5,1,0")
        given = numbers(_SWITCHES.get(values.lower(), values), f"--feed {name}")
        found[name] = given if isinstance(given, tuple) else (given,)
    return found


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


def side_or_size(text: str, option: str) -> int | tuple[int, int]:
    """`256`, the length of the shorter side, or `256x320`."""
    return int(text) if text.isdecimal() else height_and_width(text, option)


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
