"""`ninspect screen`: which pictures carry a trigger that a scan has recovered."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ninspect.cli import options as opt
from ninspect.cli.derive import Unfinished, from_options
from ninspect.cli.output import emit, notice
from ninspect.errors import ExitCode
from ninspect.names import SCREEN_FORMATS, ScreenFormat, screen_format_of
from ninspect.option import Option
from ninspect.progress import shown_to_people
from ninspect.requests import ScreenRequest
from ninspect.requests.shared import GATE, INPUT, OUTPUT
from ninspect.screening import State, model_of, perform_screen

if TYPE_CHECKING:
    from ninspect.report.screening import Screening


@dataclass(frozen=True, kw_only=True)
class ScreenOutput:
    """Where it goes, and how it looks there."""

    format: Annotated[
        tuple[str, ...],
        Option(
            f"Output format: {', '.join(SCREEN_FORMATS)}; with a path: write it there. May be repeated. "
            "Default: what the ending of the output file says, else text.",
            metavar="FORMAT[:PATH]",
            panel=OUTPUT,
            complete=SCREEN_FORMATS,
        ),
    ] = ()
    file: Annotated[
        Path | None,
        Option(
            "Write it to this file instead of stdout. A run that is stopped can then be taken up again.",
            flags=("--output", "-o"),
            metavar="FILE",
            panel=OUTPUT,
        ),
    ] = None
    exit_zero: Annotated[bool, Option("Exit with code 0, whatever is found.", panel=GATE)] = False
    quiet: Annotated[bool, Option("Nothing on stderr but errors.", flags=("--quiet", "-q"), panel=OUTPUT)] = False

    def places(self) -> Mapping[Path | None, ScreenFormat]:
        """Where each format goes; None is stdout.

        Raises:
            UsageError: a format is unknown, or a place cannot be.
            WriteError: a place is read-only.
        """
        return opt.places_of(self.format, self.file, SCREEN_FORMATS, screen_format_of)


@from_options
def screen(
    asked: Unfinished[ScreenRequest],
    result: Annotated[
        Path,
        typer.Argument(metavar="RESULT", help="What scan --format json wrote of the model.", show_default=False),
    ],
    images: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="The pictures: a folder, or anything else that scan takes as --samples.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    process: opt.LimitOptions,
    shown: ScreenOutput,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The model, if it no longer lies where it was scanned.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
) -> None:
    """Find the pictures that carry a trigger which a scan has recovered, such as in a training set.

    Exit codes: 0 none was found, 1 some were, 3 that cannot be told.

    Example: ninspect screen result.json --images images --output found.html
    """
    places = shown.places()
    request = asked.of(model=model_of(result, model), result=result, images=images)
    state = State(_state_of(places), request)
    if state.next and not shown.quiet:
        notice(f"{state.next:,} pictures are known from a run before")
    with shown_to_people(in_log=True, quiet=shown.quiet) as progress:
        found = perform_screen(request, process.limits(request.memory), progress, state)
    for file, format_ in places.items():
        _write(found, format_, file)
    state.remove()
    raise typer.Exit(ExitCode.CLEAN if shown.exit_zero else found.exit_code)


def _state_of(places: Mapping[Path | None, ScreenFormat]) -> Path | None:
    """The file that keeps what is known of a run, beside the first output; None where all goes to stdout."""
    first = next(filter(None, places), None)
    return None if first is None else first.with_name(f".{first.name}.screen")


def _write(found: "Screening", format_: ScreenFormat, file: Path | None) -> None:
    from ninspect.cli.output import coloured, columns, fitting
    from ninspect.report.screening import print_screening, render_screening

    if format_ == "text" and file is None and coloured():
        print_screening(found)
        return
    text = render_screening(found, format_, columns() if file is None else None)
    emit(fitting(text) if format_ == "text" and file is None else text, file)
