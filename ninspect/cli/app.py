"""The commands. Everything heavy is imported inside them, so that `ninspect --help` is instant."""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ninspect.cli import about
from ninspect.cli import options as opt
from ninspect.cli.command import Command
from ninspect.cli.derive import Unfinished, from_options
from ninspect.cli.gate import gate
from ninspect.cli.output import emit, notice, write, write_summary
from ninspect.cli.repair import repair
from ninspect.cli.screen import screen
from ninspect.cli.settings import read_settings
from ninspect.dispatch import Interrupted, interruptible, perform, perform_scan
from ninspect.errors import ExitCode, InconclusiveError, UsageError, describe
from ninspect.files import replace_file
from ninspect.fleet.find import find_models, has_models
from ninspect.fleet.identity import is_model
from ninspect.fleet.manifest import Rules, read_manifest
from ninspect.fleet.remote import address_of, fetched, named
from ninspect.isolation import NONSENSE, Listener
from ninspect.progress import shown_to_people
from ninspect.requests import AugmentRequest, ExplainRequest, InfoRequest, ScanRequest
from ninspect.text import capped, printable, recorded

if TYPE_CHECKING:
    from ninspect.report import Result

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> NoReturn:
    """Run the command line; ends the process with a documented exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not every console has the characters for (x · scale − mean)
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(handlers=[logging.NullHandler()])  # what libraries log is not for the person at the terminal
    try:
        with interruptible():
            app(standalone_mode=True)
    except Interrupted as stop:
        _fail(str(stop), stop.exit_code)
    except Exception as error:
        code, message = describe(error)
        if code == ExitCode.INTERNAL and os.environ.get("NINSPECT_TRACEBACK"):
            raise
        _fail(message, code)
    sys.exit(ExitCode.CLEAN)


def _fail(message: str, code: int) -> NoReturn:
    print(f"ninspect: {printable(message)}", file=sys.stderr)
    sys.exit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        about.version()
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file with a table of options for each command. Default: tool.ninspect in pyproject.toml.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Audits ONNX image classifiers for trained-in backdoors.

    Exit codes: 0 clean, 1 suspected, 2 usage, 3 inconclusive, 4 internal error or a result that cannot be written,
    130 and 143 stopped.

    Every option of a command can also be given as an environment variable, such as NINSPECT_SCAN_ALPHA=0.05.
    """
    context.default_map, context.obj = read_settings(config, context)


@app.command(cls=Command)
@from_options
def scan(
    context: typer.Context,
    asked: Unfinished[ScanRequest],
    process: opt.LimitOptions,
    shown: opt.OutputOptions,
    pipeline: opt.PipelineOptions,
    fleet: opt.FleetOptions,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="MODEL... [SAMPLES]",
            help="ONNX files, and folders of them; a path in which there is no .onnx is the same as --samples.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Judge models, best with clean images: is a class the target of a backdoor?

    Of several models, each has a line in a summary, and the exit code is the worst: 4, 1, 3, 0 in this order.

    Example: ninspect scan model.onnx images/ --output report.html

    Example: ninspect scan models/ --samples images/ --results results/ --output summary.html
    """
    if not paths and fleet.manifest is None:
        raise UsageError("scan needs a model: give the path of an .onnx file, or of a folder of them")
    models, samples = _models_and_samples([Path(path) for path in paths or ()], asked.given("samples"))
    rules: Rules = context.obj
    if _alone(models) and fleet.engine == "local" and fleet.manifest is None and fleet.results is None:
        (request,) = rules.apply([asked.of(model=models[0], samples=samples)])
        _scan_one(request, process, shown, pipeline, fleet)
    from ninspect.cli.many import scan_many

    found = find_models(models)
    if (remark := found.remark()) and not pipeline.quiet:
        notice(remark)
    requests = rules.apply([asked.of(model=model, samples=samples) for model in found.models])
    if fleet.manifest is not None:
        listed = read_manifest(fleet.manifest)
        ruled = rules.apply([asked.of(model=model, samples=samples) for model, _ in listed])
        requests += [entry.applied(request) for (_, entry), request in zip(listed, ruled, strict=True)]
    raise typer.Exit(scan_many(requests, process, shown, pipeline, fleet))


def _alone(models: list[Path]) -> bool:
    """Whether there is one model, and no folder that may hold more."""
    return len(models) == 1 and not models[0].is_dir() and (is_model(models[0]) or address_of(models[0]) is None)


def _models_and_samples(paths: list[Path], samples: Path | None) -> tuple[list[Path], Path | None]:
    """The first path is a model; of the others, one in which there is no model is the samples."""
    first, others = paths[:1], paths[1:]
    images = [path for path in others if not is_model(path) and not has_models(path)]
    given = list(dict.fromkeys([*images, *([] if samples is None else [samples])]))
    if len(given) > 1:
        raise UsageError(f"samples were given twice, {given[0]} and {given[1]}; leave one out")
    return [*first, *(path for path in others if path not in images)], given[0] if given else None


def _scan_one(
    request: ScanRequest,
    process: opt.LimitOptions,
    shown: opt.OutputOptions,
    pipeline: opt.PipelineOptions,
    fleet: opt.FleetOptions,
) -> NoReturn:
    places, known = shown.places(), pipeline.known()
    result, code = _scanned(request, process, pipeline, fleet.max_download)
    write(result, places, shown, pipeline.verbose)
    code, reason = gate(result, code, "never" if pipeline.exit_zero else pipeline.fail_on, known)
    if reason and not pipeline.quiet:
        notice(reason)
    raise typer.Exit(code)


def _scanned(
    request: ScanRequest, process: opt.LimitOptions, told: opt.ToldOptions, most: int | None = None
) -> tuple[Result, int]:
    """The result of one model, with the command that asked for it, and the exit code of its scan."""
    with (
        fetched(request, most) as here,
        shown_to_people(in_log=True, quiet=told.quiet) as progress,
    ):
        log = notice if told.verbose else lambda line: None
        result, code = perform_scan(here, process.limits(request.memory), progress, log)
    command = ["ninspect", *map(recorded, sys.argv[1:])]
    return named(result, request, here).model_copy(update={"command": command}), code


@app.command(cls=Command)
@from_options
def diff(
    asked: Unfinished[ScanRequest],
    process: opt.LimitOptions,
    shown: opt.OutputOptions,
    told: opt.ToldOptions,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The model that is trusted.", show_default=False)],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The model that shall replace it.", show_default=False)],
) -> None:
    """Compare an update with the model that it replaces: what does the new one do that the old one does not?

    Both are scanned, the new one with the old one as a reference, and its result is shown. Exit codes: 0 nothing new,
    1 a new suspicion, 3 that cannot be told.

    Example: ninspect diff models/clean.onnx model.onnx --samples images/
    """
    from ninspect.report.difference import Difference

    places, samples = shown.places(), asked.given("samples")
    if samples is None:
        raise UsageError("diff compares what two models do on the same images; give them with --samples")
    after = asked.of(model=new, samples=samples, reference=(old, *asked.given("reference")))
    results = []
    for request in (after.of_reference(0), after):
        result, code = _scanned(request, process, told)
        if code > ExitCode.INTERNAL:  # a signal
            raise typer.Exit(code)
        results.append(result)
    found = Difference(*results)
    write(found.new, places, shown, told.verbose)
    if not told.quiet:
        notice(found.sentence)
    raise typer.Exit(found.exit_code)


@app.command(cls=Command)
@from_options
def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT...",
            help="What scan --format json wrote; of several, or of a folder of --results, the summary is shown.",
            show_default=False,
        ),
    ],
    shown: opt.OutputOptions,
    several: opt.SummaryOptions,
) -> None:
    """Show saved results again, in any format. The exit code is 0, whatever the verdict.

    Example: ninspect report result.json --format html:report.html

    Example: ninspect report results/ --output summary.html
    """
    from ninspect.report import load_result

    files = [Path(path) for path in paths]
    if len(files) == 1 and not files[0].is_dir():
        write(load_result(files[0]), shown.places(), shown)
        return
    from ninspect.fleet.store import saved_results
    from ninspect.report.summary import Row

    shown.refuse_for_several()
    places = shown.places()
    rows = []
    for path in files:
        for file in saved_results(path):
            try:
                rows.append(Row.of(load_result(file), file))
            except UsageError as error:
                if not path.is_dir():
                    raise
                notice(f"left out: {error}")  # of an older ninspect, or of something else
    if not rows:
        raise UsageError(f"there is no result in {files[0]}; give a folder that scan --results wrote")
    write_summary(rows, places, several.fdr)


@app.command(cls=Command)
@from_options
def explain(
    request: ExplainRequest,
    file: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The PNG to write.", show_default=False)],
    process: opt.LimitOptions,
) -> None:
    """Show where a class looks: the picture beside its gradient heatmap.

    Example: ninspect explain model.onnx --image stop.png --class 14 -o heatmap.png
    """
    if file.suffix.lower() not in ("", ".png"):
        raise UsageError(f"{file} would be a PNG with another ending; give a name that ends in .png")
    match _make(file, request, process):
        case {"value": float(value), "predicted": int(predicted), "image": str(image), "preprocess": str(source)}:
            shown = f"class {request.label} at {image}"
            answer = f"{shown}, {request.objective} {value:.4g}; the model answers {predicted}"
            emit(f"{printable(str(file))}: {answer}\n{printable(f'preprocessing: {source}')}\n")
        case _:
            raise InconclusiveError(NONSENSE)


@app.command(cls=Command)
@from_options
def augment(
    request: AugmentRequest,
    file: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The ONNX file to write.", show_default=False)
    ],
    process: opt.LimitOptions,
) -> None:
    """Write the model with its input gradient as one more output, in standard ONNX operators.

    Example: ninspect augment model.onnx -o gradient.onnx
    """
    match _make(file, request, process):
        case {"inputs": list(inputs), "outputs": list(outputs), "gradient": kind, "remarks": list(remarks)}:
            facts = [*(("input", name) for name in inputs), *(("output", name) for name in outputs), ("gradient", kind)]
            facts += [("remark", remark) for remark in remarks]
            emit("".join(f"{name:8}  {printable(str(value))}\n" for name, value in facts))
        case _:
            raise InconclusiveError(NONSENSE)


@app.command(cls=Command)
@from_options
def info(request: InfoRequest, process: opt.LimitOptions, format_: opt.InfoFormat = "text") -> None:
    """Show what ninspect understands of a model, and whether it can be differentiated.

    Exit code 3 where it cannot.

    Example: ninspect info model.onnx
    """
    facts = perform(request, process.limits(request.memory))
    if format_ == "json":
        import json

        short = {name: capped(value) if isinstance(value, str) else value for name, value in facts.items()}
        emit(json.dumps(short, indent=2) + "\n")
    else:
        width = min(max(map(len, facts), default=0), 20)
        emit("".join(f"{printable(name):{width}}  {printable(_plain(value))}\n" for name, value in facts.items()))
    if str(facts.get("gradient")).startswith("none"):
        raise typer.Exit(ExitCode.INCONCLUSIVE)


def _make(file: Path, request: ExplainRequest | AugmentRequest, process: opt.LimitOptions) -> dict[str, Any]:
    """Have a file written by a job, as a whole or not at all; returns the job's answer."""
    if str(file) == opt.STDOUT:
        raise UsageError("what is written is no text for stdout; give --output the name of a file")
    limits = process.limits(request.memory)
    answer: dict[str, Any] = {}
    replace_file(file, lambda stream: answer.update(perform(request, limits, Listener(write=stream.write))))
    return answer


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


app.command(cls=Command)(repair)
app.command(cls=Command)(screen)
app.command(name="version", cls=Command, hidden=True)(about.version)
app.command(name="help", cls=Command, hidden=True)(about.show_help)
for command in (about.selftest, about.doctor, about.operators, about.rules):
    app.command(cls=Command)(command)
