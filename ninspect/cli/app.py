"""The commands. Everything heavy is imported inside them, so that `ninspect --help` is instant."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Annotated, Any, NoReturn

import typer

from ninspect.cli import about as install
from ninspect.cli import options as opt
from ninspect.cli.dispatch import Interrupted, interruptible, perform, perform_scan
from ninspect.cli.gate import gate
from ninspect.cli.output import emit, notice, show_progress, write
from ninspect.cli.settings import read_settings
from ninspect.errors import ExitCode, InconclusiveError, describe
from ninspect.files import replace_file
from ninspect.isolation import NONSENSE, Listener
from ninspect.text import capped, printable, recorded

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (install.selftest, install.doctor, install.operators, install.rules):
    app.command(rich_help_panel="About ninspect")(command)


def main() -> NoReturn:
    """Run the command line; ends the process with a documented exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not every console has the characters for (x · scale − mean)
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.disable()  # what libraries log is not meant for the person at the terminal
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
        from importlib.metadata import version

        print(f"ninspect {version('ninspect')}")
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
    context.default_map = read_settings(config, context)


@app.command()
def scan(
    model: opt.ModelPath,
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples",
            "-s",
            metavar="PATH",
            help="Clean images: a folder, class folders, CSV, npz, npy, IDX, CIFAR or parquet. Without: noise.",
            show_default=False,
        ),
    ] = None,
    preprocess: opt.PreprocessFile = None,
    preset: opt.Preset = None,
    scale: opt.Scale = None,
    mean: opt.Mean = None,
    std: opt.Std = None,
    layout: opt.LayoutOption = None,
    color: opt.Color = None,
    size: opt.Size = None,
    resize: opt.ResizeOption = None,
    output: opt.OutputName = None,
    class_names: opt.ClassNames = None,
    class_map: opt.ClassMapFile = None,
    classes: Annotated[str | None, typer.Option(metavar="LIST", help="Judge only these, such as 0,3,7-9.")] = None,
    method: Annotated[
        list[opt.Method] | None,
        typer.Option(
            help="How classes are judged (docs/method.md); may be repeated. Default: activated and all-to-all.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="X,X,X", help="Of sparse, smooth and persistent; only for neuroninspect. Default: 1,1,1."),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Heatmap value above which a pixel counts as on."),
    ] = 0.5,
    chained: Annotated[
        bool,
        typer.Option("--chained", help="Persistence as published: one chain of exclusive ors; only for neuroninspect."),
    ] = False,
    images: Annotated[int, typer.Option(min=1, help="Use at most this many, evenly over their classes.")] = 200,
    alpha: Annotated[
        float,
        typer.Option(min=0.0001, max=0.5, help="Largest probability of suspecting a clean model."),
    ] = 0.01,
    evidence: Annotated[
        bool,
        typer.Option(
            help="Search triggers for the classes that stand out most. Without, a scan is faster and finds less."
        ),
    ] = True,
    source_specific: Annotated[
        bool,
        typer.Option(
            help="Look for backdoors that work on images of one class alone, and call no model clean where that cannot "
            "be done: with few images of a class, or more than 20 classes."
        ),
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 0,
    device: opt.DeviceOption = "auto",
    sandbox: opt.SandboxOption = "auto",
    timeout: opt.Timeout = None,
    max_memory: opt.MaxMemory = None,
    format_: opt.FormatOption = None,
    file: opt.OutputFile = None,
    pictures: opt.PicturesFolder = None,
    fail_on: opt.FailOn = "inconclusive",
    exit_zero: opt.ExitZero = False,
    baseline: opt.Baseline = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Judge a model, best with clean images: is a class the target of a backdoor?

    Example: ninspect scan model.onnx --samples images/ --mean 0.5 --std 0.5
    """
    outputs = opt.outputs(format_, file)
    arguments = {
        "model": str(model),
        "samples": None if samples is None else str(samples),
        "preprocess": opt.preprocessing(
            preprocess,
            preset=preset,
            scale=scale,
            mean=mean,
            std=std,
            layout=layout,
            color=color,
            size=size,
            resize=resize,
        ),
        "output": output,
        "class_names": None if class_names is None else str(class_names),
        "class_map": None if class_map is None else str(class_map),
        "classes": None if classes is None else opt.class_list(classes),
        "methods": [*(method or opt.DEFAULT_METHODS)],
        "weights": opt.lambdas(weights),
        "threshold": threshold,
        "chained": chained,
        "images": images,
        "seed": seed,
        "alpha": alpha,
        "evidence": evidence,
        "source_specific": source_specific,
        "device": device,
        "memory": opt.memory(max_memory),
        "verbose": verbose,
    }
    readable = [*opt.readable_samples(samples), preprocess, class_names, class_map]
    limits = opt.limits(sandbox, timeout, max_memory)
    with show_progress(quiet) as progress:
        result, code = perform_scan(arguments, readable, limits, progress, notice)
    result = result.model_copy(update={"command": ["ninspect", *map(recorded, sys.argv[1:])]})
    write(result, outputs, pictures)
    code, reason = gate(result, code, "never" if exit_zero else fail_on, baseline)
    if reason and not quiet:
        notice(reason)
    raise typer.Exit(code)


@app.command()
def report(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT", help="What scan --format json wrote.", show_default=False)
    ],
    format_: opt.FormatOption = None,
    file: opt.OutputFile = None,
    pictures: opt.PicturesFolder = None,
) -> None:
    """Show a saved result again, in any format. The exit code is 0, whatever the verdict.

    Example: ninspect report result.json --format html:report.html
    """
    from ninspect.report import load_result

    outputs = opt.outputs(format_, file)
    write(load_result(result), outputs, pictures)


@app.command()
def explain(
    model: opt.ModelPath,
    image: Annotated[Path, typer.Option("--image", metavar="FILE", help="The picture.", show_default=False)],
    class_: Annotated[int, typer.Option("--class", metavar="K", help="The class to explain.", show_default=False)],
    file: Annotated[Path, typer.Option("-o", metavar="FILE", help="The PNG to write.", show_default=False)],
    preprocess: opt.PreprocessFile = None,
    preset: opt.Preset = None,
    scale: opt.Scale = None,
    mean: opt.Mean = None,
    std: opt.Std = None,
    layout: opt.LayoutOption = None,
    color: opt.Color = None,
    size: opt.Size = None,
    resize: opt.ResizeOption = None,
    output: opt.OutputName = None,
    objective: opt.ObjectiveOption = "logit",
    device: opt.DeviceOption = "auto",
    sandbox: opt.SandboxOption = "auto",
    timeout: opt.Timeout = None,
    max_memory: opt.MaxMemory = None,
) -> None:
    """Show where a class looks: the picture beside its gradient heatmap.

    Example: ninspect explain model.onnx --image stop.png --class 14 -o heatmap.png
    """
    arguments = {
        "model": str(model),
        "image": str(image),
        "label": class_,
        "objective": objective,
        "preprocess": opt.preprocessing(
            preprocess,
            preset=preset,
            scale=scale,
            mean=mean,
            std=std,
            layout=layout,
            color=color,
            size=size,
            resize=resize,
        ),
        "output": output,
        "device": device,
        "memory": opt.memory(max_memory),
    }
    limits = opt.limits(sandbox, timeout, max_memory)
    found = _make(
        file, lambda stream: perform("explain", arguments, [image, preprocess], limits, Listener(write=stream.write))
    )
    match found:
        case {"value": float(value), "predicted": int(predicted), "preprocess": str(source)}:
            answer = f"class {class_}, {objective} {value:.4g}; the model answers {predicted}"
            emit(f"{printable(str(file))}: {answer}\n{printable(f'preprocessing: {source}')}\n")
        case _:
            raise InconclusiveError(NONSENSE)


@app.command()
def augment(
    model: opt.ModelPath,
    file: Annotated[Path, typer.Option("-o", metavar="FILE", help="The ONNX file to write.", show_default=False)],
    layout: opt.LayoutOption = None,
    size: opt.Size = None,
    output: opt.OutputName = None,
    objective: opt.ObjectiveOption = "logit",
    sandbox: opt.SandboxOption = "auto",
    timeout: opt.Timeout = None,
    max_memory: opt.MaxMemory = None,
) -> None:
    """Write the model with its input gradient as one more output, in standard ONNX operators.

    Example: ninspect augment model.onnx -o gradient.onnx
    """
    arguments = {
        "model": str(model),
        "preprocess": opt.preprocessing(None, layout=layout, size=size),
        "output": output,
        "objective": objective,
    }
    limits = opt.limits(sandbox, timeout, max_memory)
    made = _make(file, lambda stream: perform("augment", arguments, [], limits, Listener(write=stream.write)))
    match made:
        case {"inputs": list(inputs), "outputs": list(outputs), "gradient": kind}:
            facts = [*(("input", name) for name in inputs), *(("output", name) for name in outputs), ("gradient", kind)]
            emit("".join(f"{name:8}  {printable(str(value))}\n" for name, value in facts))
        case _:
            raise InconclusiveError(NONSENSE)


@app.command()
def info(
    model: opt.ModelPath,
    layout: opt.LayoutOption = None,
    size: opt.Size = None,
    output: opt.OutputName = None,
    sandbox: opt.SandboxOption = "auto",
    timeout: opt.Timeout = None,
    max_memory: opt.MaxMemory = None,
    format_: opt.InfoFormat = "text",
) -> None:
    """Show what ninspect understands of a model, without running it.

    Example: ninspect info model.onnx
    """
    arguments = {
        "model": str(model),
        "preprocess": opt.preprocessing(None, layout=layout, size=size),
        "output": output,
    }
    facts = perform("info", arguments, [], opt.limits(sandbox, timeout, max_memory))
    if format_ == "json":
        import json

        short = {name: capped(value) if isinstance(value, str) else value for name, value in facts.items()}
        emit(json.dumps(short, indent=2) + "\n")
    else:
        width = min(max(map(len, facts), default=0), 20)
        emit("".join(f"{printable(name):{width}}  {printable(_plain(value))}\n" for name, value in facts.items()))


def _make(file: Path, work: Callable[[IO[bytes]], dict[str, Any]]) -> dict[str, Any]:
    """Have a file written by a job, as a whole or not at all; returns the job's answer."""
    answer: dict[str, Any] = {}
    replace_file(file, lambda stream: answer.update(work(stream)))
    return answer


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
