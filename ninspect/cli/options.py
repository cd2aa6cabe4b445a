"""Options of the command line alone: what becomes of a result, and what the process that makes it may take."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ninspect.errors import UsageError
from ninspect.isolation import Limits
from ninspect.machine import spare_memory
from ninspect.names import FORMATS, Format, Sandbox
from ninspect.option import Option
from ninspect.requests import SAFETY

DEFAULT_TIMEOUT = 3600.0
_PIPELINE = "Pipelines"

InfoFormat = Annotated[Literal["text", "json"], typer.Option("--format", help="Output format.")]


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What the worker process may take, besides memory."""

    sandbox: Annotated[
        Sandbox,
        Option(
            "auto: sandbox as far as this system allows; require: fail unless every layer is available; "
            "off: no sandbox.",
            panel=SAFETY,
            variable="NINSPECT_SANDBOX",
        ),
    ] = "auto"
    timeout: Annotated[
        float | None,
        Option(
            f"Stop after this time. Default: {DEFAULT_TIMEOUT:g}.", metavar="SECONDS", min=1.0, max=1e8, panel=SAFETY
        ),
    ] = None

    def limits(self, memory: int | None) -> Limits | None:
        """The limits of the worker process; None: there shall be none.

        Args:
            memory: bytes; None: see `spare_memory`.
        """
        if self.sandbox != "off":
            seconds = DEFAULT_TIMEOUT if self.timeout is None else self.timeout
            return Limits(self.sandbox == "require", seconds, spare_memory() if memory is None else memory)
        if self.timeout is not None:
            raise UsageError("--timeout needs the worker process; leave it out, or --sandbox off")
        return None


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where a result goes, and how it looks there."""

    format: Annotated[
        tuple[str, ...],
        Option(
            f"Output format: {', '.join(FORMATS)}; with a path: write it there. May be repeated. Default: text.",
            metavar="FORMAT[:PATH]",
        ),
    ] = ()
    file: Annotated[
        Path | None, Option("Write the result to this file instead of stdout.", flags=("-o",), metavar="FILE")
    ] = None
    pictures: Annotated[
        Path | None,
        Option(
            "Write the pictures of the result to this folder, as PNG files: heatmaps, triggers, and what triggers do.",
            metavar="FOLDER",
        ),
    ] = None

    triggers: Annotated[
        Path | None,
        Option(
            "Write the exact triggers that were found to this folder, each as an .npz with mask and pattern.",
            metavar="FOLDER",
        ),
    ] = None

    def places(self) -> dict[Path | None, Format]:
        """Where each format goes; None is stdout.

        Raises:
            UsageError: a format is unknown, two formats go to the same place, or a folder does not exist. Found out
                before a scan, not after it.
        """
        for folder in (self.pictures, self.triggers):
            if folder is not None and folder.exists() and not folder.is_dir():
                raise UsageError(f"{folder} is a file; give a folder, which is made if it is not there")
        wanted: dict[Path | None, Format] = {}
        for text in self.format or ("text",):
            name, path = _format_and_path(text)
            path = path or self.file
            if path in wanted:
                where = "stdout" if path is None else path
                raise UsageError(
                    f"{wanted[path]} and {name} both go to {where}; give one a path, as in --format {name}:FILE"
                )
            wanted[path] = name
        if self.file is not None and self.file not in wanted:
            raise UsageError(f"-o {self.file} is left without a format; every --format has a path of its own")
        for path in wanted:
            if path is not None and not path.parent.is_dir():
                raise UsageError(f"{path} cannot be written: No such file or directory")
        return wanted


def _format_and_path(text: str) -> tuple[Format, Path | None]:
    name, colon, path = text.partition(":")
    for known in FORMATS:
        if name == known and (path or not colon):
            return known, Path(path) if path else None
    raise UsageError(f"--format '{text}' is not FORMAT or FORMAT:PATH, with a format of {', '.join(FORMATS)}")


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """What a scan tells those who started it."""

    fail_on: Annotated[
        Literal["inconclusive", "suspected"],
        Option("The mildest verdict with an exit code other than 0.", panel=_PIPELINE),
    ] = "inconclusive"
    exit_zero: Annotated[bool, Option("Exit with code 0, whatever the verdict.", panel=_PIPELINE)] = False
    baseline: Annotated[
        Path | None,
        Option(
            "An earlier result, as JSON. Exit with code 0 if it says the same of the same file.",
            metavar="RESULT",
            panel=_PIPELINE,
        ),
    ] = None
    quiet: Annotated[bool, Option("Nothing on stderr but errors.", flags=("--quiet", "-q"), panel=_PIPELINE)] = False
    verbose: Annotated[
        bool, Option("Say on stderr what is being done.", flags=("--verbose", "-v"), panel=_PIPELINE)
    ] = False
