"""What commands write: results to stdout or files, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ninspect.errors import ExitCode, WriteError
from ninspect.files import create_file, replace_file
from ninspect.text import printable

if TYPE_CHECKING:
    from ninspect.cli.options import OutputOptions
    from ninspect.names import Format
    from ninspect.report import Result
    from ninspect.report.summary import Row


# How the signs of a report look where there is ASCII alone.
_ASCII = str.maketrans({"─": "-", "–": "-", "−": "-", "·": "*", "×": "x", "…": "...", "≤": "<=", "≥": ">="})


def write(result: Result, outputs: Mapping[Path | None, Format], shown: OutputOptions, details: bool = False) -> None:
    """A result in each format, to its file or to stdout, and its pictures and triggers to folders."""
    from ninspect.report import print_result, render, save_pictures, save_triggers

    for file, format_ in outputs.items():
        if format_ == "text" and file is None and coloured():
            print_result(result, details=details)
        else:
            text = render(result, format_, details, columns() if file is None else None)
            emit(fitting(text) if format_ == "text" and file is None else text, file)
    if shown.pictures is not None:
        save_pictures(result, shown.pictures)
    if shown.triggers is not None:
        save_triggers(result, shown.triggers)
    if shown.write_class_map is not None:
        _write_class_map(result, shown.write_class_map)


def write_summary(rows: Iterable[Row], outputs: Mapping[Path | None, Format], rate: float | None = None) -> None:
    """What was found in several models, in each format, to its file or to stdout."""
    from ninspect.report.summary import print_summary, render_summary, with_pages, worst_first

    ordered = worst_first(rows)
    for file, format_ in outputs.items():
        if format_ == "text" and file is None and coloured():
            print_summary(ordered, rate)
            continue
        shown = with_pages(ordered, file) if format_ == "html" and file is not None else ordered
        pieces = render_summary(shown, format_, rate, columns() if file is None else None)
        emit(map(fitting, pieces) if format_ == "text" and file is None else pieces, file)


def _write_class_map(result: Result, file: Path) -> None:
    found = result.samples.class_map if result.samples else None
    if found is None:
        notice(f"{file} was not written: the labels do not look shuffled")
        return
    create_file(file, (json.dumps(found, ensure_ascii=False, indent=2) + "\n").encode())


def coloured() -> bool:
    """Whether stdout shows colours: on a terminal, and where FORCE_COLOR says so, as logs of pipelines do."""
    return sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))


def columns() -> int | None:
    """The width that COLUMNS asks for, as logs of pipelines do."""
    columns = os.environ.get("COLUMNS", "")
    return max(int(columns), 40) if columns.isdecimal() and len(columns) < 6 else None


def fitting(text: str) -> str:
    """Text as stdout can show it: under a bare C locale, no signs beyond ASCII."""
    return text if "utf" in (sys.stdout.encoding or "").lower() else text.translate(_ASCII)


def emit(text: str | Iterable[str], file: Path | None = None) -> None:
    """Text, perhaps in pieces, to stdout, or to a file that is replaced as a whole.

    Raises:
        WriteError: it cannot be written.
    """
    pieces = [text] if isinstance(text, str) else text
    if file is not None:
        replace_file(file, lambda stream: stream.writelines(piece.encode() for piece in pieces))
        return
    try:
        sys.stdout.writelines(pieces)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would try the rest again at its end
        if isinstance(error, BrokenPipeError):  # the reader of our output has left; nobody is there to tell
            raise typer.Exit(ExitCode.INTERNAL) from None
        raise WriteError(f"stdout cannot be written: {error.strerror}") from None


def notice(text: str) -> None:
    """One line on stderr."""
    print(f"ninspect: {printable(text)}", file=sys.stderr)
