"""Commands that take dataclasses: the fields of these are the options, so that none is written twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, is_dataclass
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from keyword import iskeyword
from types import GenericAlias, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from ninspect.option import Option, options


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
    return run


def _value(kind: Any, name: str, values: dict[str, Any]) -> Any:
    """A value that was parsed, or the dataclass that several make."""
    if not is_dataclass(kind):
        return tuple(map(str, values[name])) if isinstance(values[name], list) else values[name]
    assert isinstance(kind, type)
    return kind(**{f.name: _value(hint, _name(f, option), values) for f, hint, option in options(kind)})


def _parameters(parameter: Parameter) -> Iterator[Parameter]:
    if not is_dataclass(parameter.annotation):
        yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
        return
    assert isinstance(parameter.annotation, type)
    for each, hint, option in options(parameter.annotation):
        if option is None:
            yield from _parameters(Parameter(each.name, Parameter.KEYWORD_ONLY, annotation=hint))
        else:
            default = list(each.default) if isinstance(each.default, tuple) else each.default
            yield Parameter(
                _name(each, option),
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if default is MISSING else default,
                annotation=Annotated[_typer_type(hint, option), _typer_option(each, option)],
            )


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


def _typer_option(each: Field[Any], option: Option) -> Any:
    if each.default is MISSING and not each.kw_only:
        return typer.Argument(metavar=option.metavar, help=option.help, show_default=False)
    flag = f"--{each.name.replace('_', '-')}"
    flags = option.flags or (f"{flag}/--no-{flag[2:]}" if each.default is True else flag,)
    return typer.Option(
        *flags,
        metavar=option.metavar,
        help=option.help,
        show_default=each.default not in (MISSING, None, ()),
        min=option.min,
        max=option.max,
        parser=None if option.parse is None else _parser(option.parse, flags[0]),
        envvar=option.variable,
        rich_help_panel=option.panel,
    )


def _parser(parse: Callable[[str, str], Any], flag: str) -> Callable[[Any], Any]:
    return lambda text: parse(str(text), flag)  # files of options hold numbers, too
