"""`ninspect repair`: a model without the triggers that a scan has found in it."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from ninspect.cli import options as opt
from ninspect.cli.derive import Unfinished, from_options
from ninspect.cli.output import emit, notice
from ninspect.errors import UsageError
from ninspect.files import check_writable, write_file
from ninspect.mending import mend
from ninspect.progress import shown_to_people
from ninspect.requests import RepairOptions, ScanRequest
from ninspect.requests.shared import OUTPUT


@from_options
def repair(
    asked: Unfinished[ScanRequest],
    options: RepairOptions,
    process: opt.LimitOptions,
    told: opt.ToldOptions,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The ONNX file.", show_default=False)],
    file: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The ONNX file to write.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the proof and both scans to this file too: .json, .html or .txt.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    format_: Annotated[
        Literal["text", "json"],
        typer.Option("--format", help="What stdout gets.", rich_help_panel=OUTPUT),
    ] = "text",
) -> None:
    """Write a model in which the triggers that a scan finds work no more, and prove it.

    Channels of the network are bounded and scaled, weights stay as they are. Nothing is written where that costs more
    accuracy than --max-drop, or does not help. Exit codes: 0 repaired, and clean in a new scan, 1 repaired, but still
    suspected, 3 not repaired, or the new scan is inconclusive.

    Example: ninspect repair model.onnx --samples images/ -o repaired.onnx
    """
    from ninspect.report.repair import render, report_format

    if str(file) == opt.STDOUT:
        raise UsageError("what is written is no text for stdout; give --output the name of a file")
    place = None if report is None else (report, report_format(report))
    if report is not None:
        check_writable(report)

    request = asked.of(model=model, samples=asked.given("samples"))

    show = partial(shown_to_people, in_log=True, quiet=told.quiet)
    log = notice if told.verbose else lambda line: None
    found = mend(request, options, file, process.limits(request.memory), show, log)
    if place is not None:
        write_file(place[0], render(found, place[1]).encode())
    emit(render(found, format_))
    raise typer.Exit(found.exit_code)
