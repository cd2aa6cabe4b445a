"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ninspect.errors import UsageError

if TYPE_CHECKING:
    from ninspect.detect import Detector
    from ninspect.samples import Preprocess

_INPUT = "Model input"
_LONGEST_NAMES = 1_000_000  # characters of a file that nobody vouches for


class Method(StrEnum):
    """How classes are judged; the names of the detectors."""

    ACTIVATED = "activated"
    ALL_TO_ALL = "all-to-all"
    NEURONINSPECT = "neuroninspect"
    MMBD = "mmbd"
    WEIGHTS = "weights"
    NEURAL_CLEANSE = "neural_cleanse"
    FREEEAGLE = "freeeagle"


DEFAULT_METHODS = (Method.ACTIVATED, Method.ALL_TO_ALL)

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="The ONNX file.", show_default=False)]
PreprocessFile = Annotated[
    Path | None,
    typer.Option(
        "--preprocess",
        metavar="FILE",
        help="TOML file with scale, mean, std, layout, color, size, resize. Default: preprocess.toml beside the model.",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        help="Model input = (pixel·scale − mean) / std, pixel 0–255; 1/255 if not given.", rich_help_panel=_INPUT
    ),
]
Mean = Annotated[
    str | None, typer.Option(metavar="X[,X,X]", help="Subtracted; one number or one a channel.", rich_help_panel=_INPUT)
]
Std = Annotated[
    str | None, typer.Option(metavar="X[,X,X]", help="Divided by; one number or one a channel.", rich_help_panel=_INPUT)
]
LayoutOption = Annotated[
    Literal["NCHW", "NHWC", "flat"] | None,
    typer.Option(help="Where the channels are, if the model's input does not tell.", rich_help_panel=_INPUT),
]
Color = Annotated[
    Literal["rgb", "bgr", "gray"] | None, typer.Option(help="Channel order of the model.", rich_help_panel=_INPUT)
]
Size = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Image size, if the model does not fix it.", rich_help_panel=_INPUT),
]
ResizeOption = Annotated[
    Literal["bilinear", "bicubic", "nearest", "lanczos", "none"] | None,
    typer.Option(help="How images of another size are resized; none: refuse them.", rich_help_panel=_INPUT),
]
OutputName = Annotated[
    str | None,
    typer.Option("--output", metavar="NAME", help="The class-score output, if the model has several."),
]
ClassNames = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Text file with the name of each class on a line. Default: classes.txt beside the model.",
        show_default=False,
    ),
]
PicturesFolder = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        metavar="FOLDER",
        help="Write the pictures of the result here, as PNG files: heatmaps, triggers, and what triggers do.",
        show_default=False,
    ),
]
DeviceOption = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to run.")]
InfoFormat = Annotated[Literal["text", "json"], typer.Option("--format", help="Of the result.")]
FORMATS = ("text", "json", "sarif", "junit", "markdown", "html")
FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORMAT[:PATH]",
        help=f"{', '.join(FORMATS)}; with a path: write it there. May be repeated. Default: text.",
        show_default=False,
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option("-o", metavar="FILE", help="Write the result here instead of to stdout.", show_default=False),
]
ObjectiveOption = Annotated[
    Literal["logit", "margin", "logprob", "cross_entropy"], typer.Option(help="What of the class is differentiated.")
]


def preprocessing(
    model: Path,
    file: Path | None,
    *,
    scale: float | None = None,
    mean: str | None = None,
    std: str | None = None,
    layout: str | None = None,
    color: str | None = None,
    size: str | None = None,
    resize: str | None = None,
) -> tuple[Preprocess, str]:
    """The settings from file and flags, flags winning, and where they come from."""
    from ninspect.samples import Preprocess

    beside = model.parent / "preprocess.toml"
    chosen = file or (beside if beside.is_file() else None)
    settings = Preprocess.from_toml(chosen) if chosen else Preprocess()
    flags = {
        "scale": scale,
        "mean": None if mean is None else numbers(mean, "--mean"),
        "std": None if std is None else numbers(std, "--std"),
        "layout": layout,
        "color": color,
        "size": None if size is None else _size(size),
        "resize": resize,
    }
    given = [name for name, value in flags.items() if value is not None]
    origin = [f"from {chosen}"] if chosen else []
    origin += [f"from the command line ({', '.join(given)})"] if given else []
    return settings.override(**flags), " and ".join(origin) or "defaults"


def outputs(formats: Sequence[str] | None, file: Path | None) -> dict[Path | None, str]:
    """Where each format goes; None is stdout.

    Raises:
        UsageError: a format is unknown, two formats go to the same place, or a folder does not exist. Found out before
            a scan, not after it.
    """
    wanted: dict[Path | None, str] = {}
    for text in formats or ["text"]:
        name, colon, place = text.partition(":")
        if name not in FORMATS or (colon and not place):
            raise UsageError(f"--format '{text}' is not FORMAT or FORMAT:PATH, with a format of {', '.join(FORMATS)}")
        path = Path(place) if place else file
        if path in wanted:
            where = "stdout" if path is None else path
            raise UsageError(
                f"{wanted[path]} and {name} both go to {where}; give one a path, as in --format {name}:FILE"
            )
        wanted[path] = name
    if file is not None and file not in wanted:
        raise UsageError(f"-o {file} is left without a format; every --format has a path of its own")
    for path in wanted:
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{path} cannot be written: No such file or directory")
    return wanted


def class_names(model: Path, file: Path | None) -> tuple[str, ...]:
    """The lines of the file that was given, or of the one beside the model; none where there is neither.

    Raises:
        UsageError: the file cannot be read.
    """
    beside = model.parent / "classes.txt"
    chosen = file or (beside if beside.is_file() else None)
    if chosen is None:
        return ()
    try:
        with chosen.open(encoding="utf-8") as stream:
            return tuple(line.strip() for line in stream.read(_LONGEST_NAMES).splitlines())
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{chosen} cannot be read ({why}); give a text file with a class name on each line") from error


def numbers(text: str, option: str) -> float | tuple[float, ...]:
    """`0.5` or `0.485,0.456,0.406`."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (math.nan,)
    if not all(map(math.isfinite, values)):
        raise UsageError(f"{option} '{text}' is not a number or a list such as 0.485,0.456,0.406")
    return values[0] if len(values) == 1 else values


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise UsageError(f"--size '{text}' is not of the form HEIGHTxWIDTH, such as 32x32")
    return int(height), int(width)


def detectors(methods: Sequence[Method], weights: str | None, threshold: float, chained: bool) -> list[Detector]:
    """The chosen detectors with their settings; settings of another one are refused, not ignored."""
    from ninspect.detect import MMBD, Activated, AllToAll, FreeEagle, NeuralCleanse, NeuronInspect, Weights

    if Method.NEURONINSPECT not in methods and (weights is not None or chained):
        raise UsageError("--weights and --chained belong to --method neuroninspect; add it or leave them out")
    if not {Method.ACTIVATED, Method.NEURONINSPECT} & set(methods) and threshold != Activated().threshold:
        raise UsageError(f"--threshold does not belong to --method {methods[0]}; leave it out")
    lambdas = numbers("1,1,1" if weights is None else weights, "--weights")
    if not isinstance(lambdas, tuple) or len(lambdas) != 3:
        raise UsageError(f"--weights '{weights}' is not a list of three numbers such as 1,1,1")
    makers: dict[Method, Callable[[], Detector]] = {
        Method.ACTIVATED: lambda: Activated(threshold=threshold),
        Method.ALL_TO_ALL: AllToAll,
        Method.NEURONINSPECT: lambda: NeuronInspect((lambdas[0], lambdas[1], lambdas[2]), threshold, chained),
        Method.MMBD: MMBD,
        Method.WEIGHTS: Weights,
        Method.NEURAL_CLEANSE: NeuralCleanse,
        Method.FREEEAGLE: FreeEagle,
    }
    return [makers[method]() for method in dict.fromkeys(methods)]


def class_list(text: str) -> list[int]:
    """`0,3,7-9` to [0, 3, 7, 8, 9]."""
    classes: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise UsageError(f"--classes '{text}' is not a list of classes such as 0,3,7-9")
        if dash and int(last) - int(first) > 1_000_000:
            raise UsageError(f"--classes '{text}' names more classes than any model has")
        classes += range(int(first), int(last if dash else first) + 1)
    return classes
