"""The commands. Everything heavy is imported inside them, so that `ninspect --help` is instant."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ninspect.cli import options as opt
from ninspect.errors import ExitCode, NinspectError
from ninspect.files import write_file
from ninspect.text import capped, printable, recorded

if TYPE_CHECKING:
    from ninspect.detect import Progress
    from ninspect.model import Classifier
    from ninspect.report import Result

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> NoReturn:
    """Run the command line; ends the process with a documented exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not every console has the characters for (x · scale − mean)
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.disable()  # what libraries log is not meant for the person at the terminal
    try:
        app(standalone_mode=True)
    except NinspectError as error:
        _fail(str(error), error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # a closed folder, a name that is too long
            _fail(f"{os.fsdecode(error.filename)}: {error.strerror}", ExitCode.USAGE)
        if os.environ.get("NINSPECT_TRACEBACK"):
            raise
        _fail(
            f"internal error, please report it: {type(error).__name__}: {error} (NINSPECT_TRACEBACK=1 shows where)",
            ExitCode.INTERNAL,
        )
    sys.exit(ExitCode.CLEAN)


def _fail(message: str, code: ExitCode) -> NoReturn:
    print(f"ninspect: {printable(message)}", file=sys.stderr)
    sys.exit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"ninspect {version('ninspect')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Audits ONNX image classifiers for trained-in backdoors.

    Exit codes: 0 clean, 1 suspected, 2 usage, 3 inconclusive, 4 internal error.
    """


@app.command()
def scan(
    model: opt.ModelPath,
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples",
            "-s",
            metavar="PATH",
            help="Clean images: a folder, a folder of class folders, .npz, .npy, or MNIST IDX. Without: noise.",
            show_default=False,
        ),
    ] = None,
    preprocess: opt.PreprocessFile = None,
    scale: opt.Scale = None,
    mean: opt.Mean = None,
    std: opt.Std = None,
    layout: opt.LayoutOption = None,
    color: opt.Color = None,
    size: opt.Size = None,
    resize: opt.ResizeOption = None,
    output: opt.OutputName = None,
    class_names: opt.ClassNames = None,
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
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 0,
    device: opt.DeviceOption = "auto",
    format_: opt.FormatOption = None,
    file: opt.OutputFile = None,
    pictures: opt.PicturesFolder = None,
) -> None:
    """Judge a model, best with clean images: is a class the target of a backdoor?

    Example: ninspect scan model.onnx --samples images/ --mean 0.5 --std 0.5
    """
    from ninspect.audit import ScanOptions
    from ninspect.audit import scan as audit

    outputs = opt.outputs(format_, file)
    settings, source = opt.preprocessing(
        model, preprocess, scale=scale, mean=mean, std=std, layout=layout, color=color, size=size, resize=resize
    )
    options = ScanOptions(
        preprocess=settings,
        preprocess_source=source,
        output=output,
        classes=None if classes is None else opt.class_list(classes),
        detectors=opt.detectors(method or opt.DEFAULT_METHODS, weights, threshold, chained),
        images=images,
        seed=seed,
        alpha=alpha,
        device=device,
        class_names=opt.class_names(model, class_names),
    )
    with _progress_bar() as progress:
        result = audit(model, samples, options, progress)
    result = result.model_copy(update={"command": ["ninspect", *map(recorded, sys.argv[1:])]})
    _write(result, outputs, pictures)
    raise typer.Exit(result.exit_code)


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
    _write(load_result(result), outputs, pictures)


def _write(result: Result, outputs: Mapping[Path | None, str], pictures: Path | None) -> None:
    from ninspect.report import print_result, render, save_pictures

    for file, format_ in outputs.items():
        if format_ == "text" and file is None and sys.stdout.isatty():
            print_result(result)
        else:
            _emit(render(result, format_), file)
    if pictures is not None:
        save_pictures(result, pictures)


def _emit(text: str, file: Path | None = None) -> None:
    if file is not None:
        write_file(file, text.encode())
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has left; nobody is there to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.INTERNAL) from None


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """A bar on stderr while a person watches; nothing in a log."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
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


@app.command()
def explain(
    model: opt.ModelPath,
    image: Annotated[Path, typer.Option("--image", metavar="FILE", help="The picture.", show_default=False)],
    class_: Annotated[int, typer.Option("--class", metavar="K", help="The class to explain.", show_default=False)],
    file: Annotated[Path, typer.Option("-o", metavar="FILE", help="The PNG to write.", show_default=False)],
    preprocess: opt.PreprocessFile = None,
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
) -> None:
    """Show where a class looks: the picture beside its gradient heatmap.

    Example: ninspect explain model.onnx --image stop.png --class 14 -o heatmap.png
    """
    from ninspect.audit import ScanOptions, explain_image
    from ninspect.explain import save_overlay

    settings, source = opt.preprocessing(
        model, preprocess, scale=scale, mean=mean, std=std, layout=layout, color=color, size=size, resize=resize
    )
    options = ScanOptions(preprocess=settings, preprocess_source=source, output=output, device=device)
    explanation = explain_image(model, image, class_, options, objective)
    save_overlay(file, explanation.image, explanation.heatmap)
    answer = f"class {class_}, {objective} {explanation.value:.4g}; the model answers {explanation.predicted}"
    _emit(f"{printable(str(file))}: {answer}\n")


@app.command()
def augment(
    model: opt.ModelPath,
    file: Annotated[Path, typer.Option("-o", metavar="FILE", help="The ONNX file to write.", show_default=False)],
    layout: opt.LayoutOption = None,
    size: opt.Size = None,
    output: opt.OutputName = None,
    objective: opt.ObjectiveOption = "logit",
) -> None:
    """Write the model with its input gradient as one more output, in standard ONNX operators.

    Example: ninspect augment model.onnx -o gradient.onnx
    """
    from ninspect.gradient import gradient_kind
    from ninspect.runtime import gradient_model, save_model

    classifier = _classifier(model, layout, size, output)
    augmented = gradient_model(classifier, objective)
    save_model(augmented, file)
    facts = [("input", value.name) for value in augmented.graph.inputs]
    facts += [("output", value.name) for value in augmented.graph.outputs]
    facts += [("gradient", gradient_kind(classifier))]
    _emit("".join(f"{name:8}  {printable(str(value))}\n" for name, value in facts))


@app.command()
def info(
    model: opt.ModelPath,
    layout: opt.LayoutOption = None,
    size: opt.Size = None,
    output: opt.OutputName = None,
    format_: opt.InfoFormat = "text",
) -> None:
    """Show what ninspect understands of a model, without running it.

    Example: ninspect info model.onnx
    """
    from ninspect.gradient import gradient_kind
    from ninspect.model import describe

    classifier = _classifier(model, layout, size, output)
    facts = describe(classifier) | {"gradient": gradient_kind(classifier) or "none"}
    if format_ == "json":
        import json

        short = {name: capped(value) if isinstance(value, str) else value for name, value in facts.items()}
        _emit(json.dumps(short, indent=2) + "\n")
    else:
        width = max(map(len, facts))
        _emit("".join(f"{name:{width}}  {printable(_plain(value))}\n" for name, value in facts.items()))


def _classifier(model: Path, layout: str | None, size: str | None, output: str | None) -> Classifier:
    """The model, read as the options and the file beside it say."""
    from ninspect.model import load_classifier

    settings, _ = opt.preprocessing(model, None, layout=layout, size=size)
    return load_classifier(model, output=output, layout=settings.layout, size=settings.size)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
