"""Options of the command line alone: what becomes of a result, and what the process that makes it may take."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from ninspect.dispatch import DEFAULT_TIMEOUT, limits_of
from ninspect.errors import UsageError
from ninspect.files import check_folder, check_writable
from ninspect.isolation import Limits
from ninspect.names import FORMATS, Format, Sandbox, format_of
from ninspect.option import Option, memory_size
from ninspect.requests.shared import GATE, MANY, OUTPUT, SAFETY

if TYPE_CHECKING:
    from ninspect.cli.baseline import Baseline

F = TypeVar("F", bound=str)

STDOUT = "-"

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
        return limits_of(self.sandbox, self.timeout, memory)


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where a result goes, and how it looks there."""

    format: Annotated[
        tuple[str, ...],
        Option(
            f"Output format: {', '.join(FORMATS)}; with a path: write it there. May be repeated. "
            "Default: what the ending of the output file says, else text.",
            metavar="FORMAT[:PATH]",
            panel=OUTPUT,
            complete=FORMATS,
        ),
    ] = ()
    file: Annotated[
        Path | None,
        Option(
            "Write the result to this file instead of stdout.",
            flags=("--output", "--output-file", "-o"),
            metavar="FILE",
            panel=OUTPUT,
        ),
    ] = None
    pictures: Annotated[
        Path | None,
        Option(
            "Write the pictures of the result to this folder, as PNG files: heatmaps, triggers, and what triggers do.",
            metavar="FOLDER",
            panel=OUTPUT,
        ),
    ] = None
    triggers: Annotated[
        Path | None,
        Option(
            "Write the exact triggers that were found to this folder, each as an .npz with mask and pattern.",
            metavar="FOLDER",
            panel=OUTPUT,
        ),
    ] = None

    write_class_map: Annotated[
        Path | None,
        Option(
            "If the labels look shuffled, write the numbers for which the model's answers speak to this new file, as a "
            "class map.",
            metavar="FILE",
            panel=OUTPUT,
        ),
    ] = None

    def refuse_for_several(self) -> None:
        """Refuse what is of one model.

        Raises:
            UsageError: it was asked for.
        """
        given = {
            "--pictures": self.pictures,
            "--triggers": self.triggers,
            "--write-class-map": self.write_class_map,
        }
        if wrong := [name for name, value in given.items() if value is not None]:
            raise UsageError(f"{wrong[0]} is for one model; give it to ninspect report with the result of that one")

    def places(self) -> dict[Path | None, Format]:
        """Where each format goes; None is stdout.

        Raises:
            UsageError: a format is unknown, two formats go to the same place, or a folder does not exist.
            WriteError: a place is read-only. All of this is found out before a scan, not after it.
        """
        for folder in filter(None, (self.pictures, self.triggers)):
            check_folder(folder)
        if self.write_class_map is not None and self.write_class_map.exists():
            raise UsageError(f"{self.write_class_map} exists already; name a new file for the class map, or remove it")
        wanted = places_of(self.format, self.file, FORMATS, format_of)
        if self.write_class_map is not None:
            check_writable(self.write_class_map)
        return wanted


def places_of(
    formats: Sequence[str], output: Path | None, known: Sequence[F], format_of: Callable[[str], F | None]
) -> dict[Path | None, F]:
    """Where each format goes; None is stdout.

    Args:
        formats: as they were typed, FORMAT or FORMAT:PATH.
        output: the file of the one without a path.
        known: all formats, that for a terminal first.
        format_of: what the ending of a file's name says.

    Raises:
        UsageError: a format is unknown, two go to the same place, or a folder does not exist.
        WriteError: a place is read-only.
    """
    file = None if str(output) == STDOUT else output
    default = known[0] if file is None else format_of(file.name) or known[0]
    wanted: dict[Path | None, F] = {}
    for text in formats or (default,):
        name, path = _format_and_path(text, known)
        path = None if str(path) == STDOUT else path or file
        if path in wanted:
            where = "stdout" if path is None else path
            raise UsageError(
                f"{wanted[path]} and {name} both go to {where}; give one a path, as in --format {name}:FILE"
            )
        wanted[path] = name
    if file is not None and file not in wanted:
        raise UsageError(f"--output {file} is left without a format; every --format has a path of its own")
    for path in filter(None, wanted):
        check_writable(path)
    return wanted


def _format_and_path(text: str, known: Sequence[F]) -> tuple[F, Path | None]:
    name, colon, path = text.partition(":")
    for each in known:
        if name == each and (path or not colon):
            return each, Path(path) if path else None
    raise UsageError(f"--format '{text}' is not FORMAT or FORMAT:PATH, with a format of {', '.join(known)}")


@dataclass(frozen=True, kw_only=True)
class ToldOptions:
    """What people are told while something is done."""

    quiet: Annotated[bool, Option("Nothing on stderr but errors.", flags=("--quiet", "-q"), panel=OUTPUT)] = False
    verbose: Annotated[
        bool,
        Option(
            "Say on stderr what is being done, and in text each method's scores.",
            flags=("--verbose", "-v"),
            panel=OUTPUT,
        ),
    ] = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose contradict each other; leave one out")


@dataclass(frozen=True, kw_only=True)
class PipelineOptions(ToldOptions):
    """What a scan tells those who started it."""

    fail_on: Annotated[
        Literal["inconclusive", "suspected"],
        Option("The mildest verdict with an exit code other than 0.", panel=GATE),
    ] = "inconclusive"
    exit_zero: Annotated[bool, Option("Exit with code 0, whatever the verdict.", panel=GATE)] = False
    baseline: Annotated[
        Path | None,
        Option(
            "An earlier result, as JSON, or a folder of --results. Exit with code 0 if it says the same of the same "
            "file; of several models, each is held against its own.",
            metavar="RESULT",
            panel=GATE,
        ),
    ] = None

    def known(self) -> "Baseline | None":
        """The baseline, read before the scan, so that a slip in its name costs no time.

        Raises:
            UsageError: it cannot be read, or is no result.
        """
        from ninspect.cli.baseline import Baseline

        return None if self.baseline is None else Baseline.read(self.baseline)


@dataclass(frozen=True, kw_only=True)
class SummaryOptions:
    """What a summary of several models says besides."""

    fdr: Annotated[
        float | None,
        Option(
            "Of several models, also name those that stand out if at most this share of them may be clean (Benjamini "
            "and Hochberg). The verdict of each model stays its own.",
            metavar="X",
            min=0.0001,
            max=0.5,
            panel=MANY,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class FleetOptions(SummaryOptions):
    """How several models are scanned."""

    jobs: Annotated[
        int | None,
        Option(
            "Of several models, scan this many at a time, each on its share of the cores. Default: one for each core, "
            "as far as the memory goes; on a cluster, as many as its nodes can hold.",
            min=1,
            max=1024,
            panel=MANY,
        ),
    ] = None
    results: Annotated[
        Path | None,
        Option(
            "Keep each result in this folder, as JSON. A model that has one there is not scanned again, as long as "
            "nothing has changed that it depends on.",
            metavar="FOLDER",
            panel=MANY,
        ),
    ] = None
    force: Annotated[bool, Option("Scan again what has a result.", panel=MANY)] = False
    engine: Annotated[
        Literal["local", "ray"],
        Option("Where scans run: on this machine, or on a Ray cluster (docs/fleet.md).", panel=MANY),
    ] = "local"
    address: Annotated[
        str | None,
        Option(
            "The Ray cluster, such as auto or ray://HOST:10001. Default: what RAY_ADDRESS says, else one on this "
            "machine for this run.",
            metavar="ADDRESS",
            panel=MANY,
        ),
    ] = None
    manifest: Annotated[
        Path | None,
        Option(
            "Scan the models that this file names: CSV with a header, or JSON lines, with path and perhaps samples, "
            "preprocess and class_names of each.",
            metavar="FILE",
            panel=MANY,
        ),
    ] = None

    max_download: Annotated[
        int | None,
        Option(
            "Of a model or of samples at an address such as s3://BUCKET/FOLDER, fetch at most this much. Default: 8G.",
            metavar="SIZE",
            panel=MANY,
            parse=memory_size,
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            UsageError: an option does not fit another.
        """
        if self.force and self.results is None:
            raise UsageError("--force belongs to --results; leave it out, or name the folder")
        if self.address is not None and self.engine != "ray":
            raise UsageError("--address belongs to --engine ray; add it, or leave the address out")
