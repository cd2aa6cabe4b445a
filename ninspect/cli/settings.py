"""Options from a file and from the environment, with the names of the command line."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from ninspect.cli.command import FORMER, say_renamed
from ninspect.cli.output import notice
from ninspect.errors import UsageError
from ninspect.fleet.manifest import Rules

_PROJECT = "pyproject.toml"
_MODELS = "models"

# Of each command, the values of its options, by name without the dashes.
Tables = dict[str, dict[str, Any]]


def read_settings(file: Path | None, context: typer.Context) -> tuple[Tables, Rules]:
    """Defaults for the options of all commands, as Typer takes them: by name of the parameter; and rules for models.

    Variables such as `NINSPECT_SCAN_ALPHA` come before the file.

    Args:
        file: with tables such as `[scan]`; None: the nearest pyproject.toml with a table such as
            `[tool.ninspect.scan]`, here or in a folder above. Paths in a file are relative to its folder. Tables
            `[[models]]`, or `[[tool.ninspect.models]]`, are the rules.
        context: of the command line.

    Raises:
        UsageError: the file cannot be read, or it or a variable names a command or an option that is not there.
    """
    group = context.command
    assert isinstance(group, TyperGroup)
    path, tables = _project() if file is None else (file, _read(file))
    if file is None and context.invoked_subcommand in tables:  # a file that nobody named is not used silently
        notice(f"options from {path}: {', '.join(tables[context.invoked_subcommand])}")
    rules = Rules.of(tables.pop(_MODELS, []), path)
    settings: Tables = {}
    for name, command in group.commands.items():
        options = {flag[2:]: p for p in command.params for flag in p.opts if flag.startswith("--")}
        given = {_today(option, options): value for option, value in tables.pop(name, {}).items()}
        if unknown := [option for option in given if option not in options]:
            raise UsageError(f"{path}: {name} has no option '{unknown[0]}'; there are {', '.join(sorted(options))}")
        given = {option: _anchored(value, path.parent, options[option], command) for option, value in given.items()}
        names = {former: now for former, now in FORMER.items() if now in options} | {each: each for each in options}
        variables = {f"NINSPECT_{name}_{each.replace('-', '_')}".upper(): option for each, option in names.items()}
        if name == context.invoked_subcommand:
            _refuse_unknown(name, variables)
        for variable, option in variables.items():
            if variable in os.environ:
                text = os.environ[variable]
                given[option] = text.split() if getattr(options[option], "multiple", False) else text
        settings[name] = {str(options[option].name): value for option, value in given.items()}
    if tables:
        raise UsageError(f"{path}: '{next(iter(tables))}' is not a command; there are {', '.join(group.commands)}")
    return settings, rules


def _refuse_unknown(command: str, known: Collection[str]) -> None:
    """A variable with a slip in its name would else be an option that silently does nothing."""
    for variable in os.environ:
        if variable.startswith(f"NINSPECT_{command.upper()}_") and variable not in known:
            raise UsageError(f"{variable} is set, and {command} has no such option; ninspect {command} --help has them")


def _today(option: str, known: Collection[str]) -> str:
    """The name that an option has today."""
    now = FORMER.get(option)
    if now is None or option in known or now not in known:
        return option
    say_renamed(option, now)
    return now


def _anchored(value: Any, folder: Path, option: Any, command: Any) -> Any:
    """A path, relative to the folder of the file that names it."""
    is_path = option.name in getattr(command.callback, "paths", ())
    return str(folder / value) if is_path and isinstance(value, str) else value


def _project() -> tuple[Path, Tables]:
    """The nearest pyproject.toml that speaks of ninspect, and what it says."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / _PROJECT
        if path.is_file() and (tables := _read(path, inside_project=True)):
            return (Path(_PROJECT) if folder == here else path), tables
    return Path(_PROJECT), {}


def _read(path: Path, *, inside_project: bool = False) -> Tables:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    tables = content.get("tool", {}).get("ninspect", {}) if inside_project else content
    commands = {name: table for name, table in tables.items() if name != _MODELS} if isinstance(tables, dict) else None
    if commands is None or not all(isinstance(table, dict) for table in commands.values()):
        raise UsageError(f"{path} must have a table for each command, such as [scan], with its options")
    return tables
