"""Options from a file and from the environment, with the names of the command line."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from ninspect.cli.output import notice
from ninspect.errors import UsageError

_PROJECT = Path("pyproject.toml")

# Of each command, the values of its options, by name without the dashes.
Tables = dict[str, dict[str, Any]]


def read_settings(file: Path | None, context: typer.Context) -> Tables:
    """Defaults for the options of all commands, as Typer takes them: by name of the parameter.

    Variables such as `NINSPECT_SCAN_ALPHA` come before the file.

    Args:
        file: with tables such as `[scan]`; None: `[tool.ninspect.scan]` in pyproject.toml, if that is there.
        context: of the command line.

    Raises:
        UsageError: the file cannot be read, or it or a variable names a command or an option that is not there.
    """
    group = context.command
    assert isinstance(group, TyperGroup)
    path = file or _PROJECT
    tables = _read(path, inside_project=file is None) if file or path.is_file() else {}
    if file is None and context.invoked_subcommand in tables:  # a file that nobody named is not used silently
        notice(f"options from {path}: {', '.join(tables[context.invoked_subcommand])}")
    settings: Tables = {}
    for name, command in group.commands.items():
        options = {flag[2:]: p for p in command.params for flag in p.opts if flag.startswith("--")}
        given = tables.pop(name, {})
        if unknown := [option for option in given if option not in options]:
            raise UsageError(f"{path}: {name} has no option '{unknown[0]}'; there are {', '.join(sorted(options))}")
        variables = {f"NINSPECT_{name}_{option.replace('-', '_')}".upper(): option for option in options}
        if name == context.invoked_subcommand:
            _refuse_unknown(name, variables)
        for variable, option in variables.items():
            if variable in os.environ:
                text = os.environ[variable]
                given[option] = text.split() if getattr(options[option], "multiple", False) else text
        settings[name] = {str(options[option].name): value for option, value in given.items()}
    if tables:
        raise UsageError(f"{path}: '{next(iter(tables))}' is not a command; there are {', '.join(group.commands)}")
    return settings


def _refuse_unknown(command: str, known: Collection[str]) -> None:
    """A variable with a slip in its name would else be an option that silently does nothing."""
    for variable in os.environ:
        if variable.startswith(f"NINSPECT_{command.upper()}_") and variable not in known:
            raise UsageError(f"{variable} is set, and {command} has no such option; ninspect {command} --help has them")


def _read(path: Path, *, inside_project: bool) -> Tables:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    tables = content.get("tool", {}).get("ninspect", {}) if inside_project else content
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f"{path} must have a table for each command, such as [scan], with its options")
    return tables
