"""Commands that take dataclasses: the fields of these are the options, so that none is written twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, is_dataclass
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from keyword import iskeyword
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import typer

from ninspect.option import Option, options

T = TypeVar("T")


class Unfinished(Generic[T]):
    """A dataclass of options of which the command supplies the fields that have no default."""

    def __init__(self, kind: type[T], values: dict[str, Any]) -> None:
        """What was parsed.

        Args:
            kind: the dataclass.
            values: of the fields that have a default.
        """
        self._kind, self._values = kind, values

    def given(self, name: str) -> Any:
        """The value of a field."""
        return self._values[name]

    def of(self, **required: Any) -> T:
        """The dataclass, with the fields that were missing, and others in place of what was parsed."""
        return self._kind(**self._values | required)


def from_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command as Typer takes it, with the options of all its parameters that are dataclasses.

    What Typer has parsed is put together again: the command gets a request, not forty values.
    """
    wanted = signature(command, eval_str=True).parameters.values()

    @wraps(command)
    def run(**values: Any) -> None:
        command(**{each.name: _value(each.annotation, each.name, values) for each in wanted})

    seen = [option for each in wanted for option in _parameters(each)]
    run.__signature__ = Signature(seen)  # type: ignore[attr-defined]
    run.paths = [each.name for each in seen if _is_path(each.annotation)]  # type: ignore[attr-defined]
    return run


def _is_path(annotation: Any) -> bool:
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return kind is Path or Path in get_args(kind)


def _value(kind: Any, name: str, values: dict[str, Any]) -> Any:
    """A value that was parsed, or the dataclass that several make."""
    if get_origin(kind) is Unfinished:
        inner = get_args(kind)[0]
        given = {f.name: _value(hint, _name(f, option), values) for f, hint, option in options(inner) if _optional(f)}
        return Unfinished(inner, given)
    if not is_dataclass(kind):
        several = values[name]
        return tuple(map(_plain, several)) if isinstance(several, list) else several
    assert isinstance(kind, type)
    return kind(**{f.name: _value(hint, _name(f, option), values) for f, hint, option in options(kind)})


def _plain(value: Any) -> Any:
    """A value as requests have it: choices are texts."""
    return str(value) if isinstance(value, StrEnum) else value


def _parameters(parameter: Parameter) -> Iterator[Parameter]:
    unfinished = get_origin(parameter.annotation) is Unfinished
    kind = get_args(parameter.annotation)[0] if unfinished else parameter.annotation
    if not is_dataclass(kind):
        yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
        return
    assert isinstance(kind, type)
    for each, hint, option in options(kind):
        if unfinished and not _optional(each):
            continue
        if option is None:
            yield from _parameters(Parameter(each.name, Parameter.KEYWORD_ONLY, annotation=hint))
        else:
            default = list(each.default) if isinstance(each.default, tuple) else each.default
            yield Parameter(
                _name(each, option),
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if default is MISSING else default,
                annotation=Annotated[_typer_type(hint, option), _typer_option(each, hint, option)],
            )


def _optional(each: Field[Any]) -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING


def _name(each: Field[Any], option: Option | None) -> str:
    """The name of a parameter: that of its option, which no two share."""
    name = option.flags[0].lstrip("-").replace("-", "_") if option and option.flags else each.name
    return f"{name}_" if iskeyword(name) else name


def _typer_type(hint: Any, option: Option) -> Any:
    """The type of what Typer parses: of several the first, which is the one that a command line can give."""
    first = get_args(hint)[0] if get_origin(hint) in (Union, UnionType) else hint
    if option.parse is not None:
        return str
    if get_origin(first) is not tuple:
        return first
    item = get_args(first)[0]  # Typer's lists take no Literal
    choices = StrEnum("Choice", [(text, text) for text in get_args(item)]) if get_origin(item) is Literal else item
    return GenericAlias(list, (choices,))


def _typer_option(each: Field[Any], hint: Any, option: Option) -> Any:
    if each.default is MISSING and not each.kw_only:
        return typer.Argument(metavar=option.metavar, help=option.help, show_default=False)
    flag = f"--{each.name.replace('_', '-')}"
    flags = option.flags or (f"{flag}/--no-{flag[2:]}" if each.default is True else flag,)
    metavar, among = _value_shown(hint, option, flags[0])
    return typer.Option(
        *flags,
        metavar=metavar,
        help=option.help + among,
        show_default=each.default not in (MISSING, None, ()),
        min=option.min,
        max=option.max,
        parser=None if option.parse is None else _parser(option.parse, flags[0]),
        autocompletion=_completion(option.complete) if option.complete else None,
        envvar=option.variable,
        rich_help_panel=option.panel,
    )


_LETTERS = {int: "N", float: "X"}
_MOST_SHOWN = 26  # characters of choices beside an option; more of them stand in its help


def _value_shown(hint: Any, option: Option, flag: str) -> tuple[str | None, str]:
    """What stands for the value in the help, and the choices where they are too many for that."""
    kind = get_args(hint)[0] if get_origin(hint) in (Union, UnionType, tuple) else hint
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    joined = "|".join(choices)
    if choices and option.metavar is None and len(joined) <= _MOST_SHOWN:
        return joined, ""
    untold = not all(choice in option.help for choice in choices)
    metavar = option.metavar or (flag.lstrip("-").upper() if choices else _LETTERS.get(kind))
    return metavar, f" One of {', '.join(choices)}." if untold else ""


def _completion(values: tuple[str, ...]) -> Callable[[str], list[str]]:
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


def _parser(parse: Callable[[str, str], Any], flag: str) -> Callable[[Any], Any]:
    return lambda text: parse(str(text), flag)  # files of options hold numbers, too
