"""What commands write: results to stdout or files, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ninspect.errors import ExitCode, WriteError
from ninspect.files import create_file, write_file
from ninspect.text import printable

if TYPE_CHECKING:
    from ninspect.cli.options import OutputOptions
    from ninspect.names import Format
    from ninspect.report import Result

_SECONDS = 10  # between two lines of progress in a log

# Called with (gradients computed, gradients in total).
Progress = Callable[[int, int], None]


def write(result: Result, outputs: Mapping[Path | None, Format], shown: OutputOptions) -> None:
    """A result in each format, to its file or to stdout, and its pictures and triggers to folders."""
    from ninspect.report import print_result, render, save_pictures, save_triggers

    for file, format_ in outputs.items():
        if format_ == "text" and file is None and sys.stdout.isatty():
            print_result(result)
        else:
            emit(render(result, format_), file)
    if shown.pictures is not None:
        save_pictures(result, shown.pictures)
    if shown.triggers is not None:
        save_triggers(result, shown.triggers)
    if shown.write_class_map is not None:
        _write_class_map(result, shown.write_class_map)


def _write_class_map(result: Result, file: Path) -> None:
    found = result.samples.class_map if result.samples else None
    if found is None:
        notice(f"{file} was not written: the labels do not look shuffled")
        return
    create_file(file, (json.dumps(found, ensure_ascii=False, indent=2) + "\n").encode())


def emit(text: str, file: Path | None = None) -> None:
    """Text to stdout, or to a file that is replaced as a whole.

    Raises:
        WriteError: it cannot be written.
    """
    if file is not None:
        write_file(file, text.encode())
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would try the rest again at its end
        if isinstance(error, BrokenPipeError):  # the reader of our output has left; nobody is there to tell
            raise typer.Exit(ExitCode.INTERNAL) from None
        raise WriteError(f"stdout cannot be written: {error.strerror}") from None


def notice(text: str) -> None:
    """One line on stderr."""
    print(f"ninspect: {printable(text)}", file=sys.stderr)


@contextmanager
def show_progress(quiet: bool) -> Iterator[Progress]:
    """A bar on stderr while a person watches; in a log a line now and then."""
    if quiet:
        yield lambda done, total: None
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("explaining"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("gradients"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines() -> Progress:
    """Says how far it is, how fast, and how long it will take, every ten seconds."""
    start = last = time.monotonic()
    before = 0

    def show(done: int, total: int) -> None:
        nonlocal start, last, before
        now = time.monotonic()
        if done < before:  # another detector begins
            start = now
        before = done
        if now - last < _SECONDS:
            return
        last = now
        rate = done / max(now - start, 1e-9)
        left = (total - done) / rate if rate else 0
        notice(f"{done} of {total} gradients, {rate:.0f} a second, about {left:.0f} s left in this step")

    return show
