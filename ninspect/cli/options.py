"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ninspect.errors import UsageError
from ninspect.isolation import Limits
from ninspect.machine import spare_memory

DEFAULT_TIMEOUT = 3600.0
_INPUT = "Model input"
_PIPELINE = "Pipelines"
_SAFETY = "Safety"
_UNITS = ("", "K", "M", "G", "T")  # powers of 1024


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
        help="TOML file, Hugging Face's preprocessor_config.json or timm's config.json. Default: one beside the model.",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]
Preset = Annotated[
    Literal["unit", "imagenet", "minus1_1", "uint8"] | None,
    typer.Option(
        help="Values that the model expects: 0 to 1, those with the ImageNet mean and std, −1 to 1, or 0 to 255. "
        "Default: what the labels of the samples tell.",
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
ClassMapFile = Annotated[
    Path | None,
    typer.Option(
        "--class-map",
        metavar="FILE",
        help="Class numbers by the names that the samples have: JSON, or a name and a number on each line.",
        show_default=False,
    ),
]
ClassNames = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A class name on each line, or JSON with id2label. Default: classes.txt or config.json beside the model.",
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
FailOn = Annotated[
    Literal["inconclusive", "suspected"],
    typer.Option(help="The mildest verdict with an exit code other than 0.", rich_help_panel=_PIPELINE),
]
ExitZero = Annotated[
    bool, typer.Option("--exit-zero", help="Exit code 0, whatever the verdict.", rich_help_panel=_PIPELINE)
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        metavar="RESULT",
        help="An earlier result, as JSON. Exit code 0 where it says the same of the same file.",
        rich_help_panel=_PIPELINE,
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.", rich_help_panel=_PIPELINE)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say on stderr what is being done.", rich_help_panel=_PIPELINE)
]
ObjectiveOption = Annotated[
    Literal["logit", "margin", "logprob", "cross_entropy"], typer.Option(help="What of the class is differentiated.")
]

SandboxOption = Annotated[
    Literal["auto", "require", "off"],
    typer.Option(
        "--sandbox",
        envvar="NINSPECT_SANDBOX",
        help="Process of its own with few rights: as few as this system can take, refuse if it cannot take all, none.",
        rich_help_panel=_SAFETY,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        max=1e8,
        metavar="SECONDS",
        help=f"Stop after this time. Default: {DEFAULT_TIMEOUT:g}.",
        rich_help_panel=_SAFETY,
        show_default=False,
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Stop above this, such as 8G. Default: 8G, or three quarters of the machine's memory if that is less.",
        rich_help_panel=_SAFETY,
        show_default=False,
    ),
]


def preprocessing(
    file: Path | None,
    *,
    preset: str | None = None,
    scale: float | None = None,
    mean: str | None = None,
    std: str | None = None,
    layout: str | None = None,
    color: str | None = None,
    size: str | None = None,
    resize: str | None = None,
) -> dict[str, Any]:
    """What `ninspect.jobs.preprocessing` wants: the file, the preset, and the values of all flags."""
    flags = {
        "scale": scale,
        "mean": None if mean is None else numbers(mean, "--mean"),
        "std": None if std is None else numbers(std, "--std"),
        "layout": layout,
        "color": color,
        "size": None if size is None else _size(size),
        "resize": resize,
    }
    return {"file": None if file is None else str(file), "preset": preset, "flags": flags}


def readable_samples(samples: Path | None) -> list[Path | None]:
    """What must be readable for these samples; some files go with others in their folder."""
    from ninspect.samples import readable

    return [] if samples is None else [*readable(samples)]


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


def lambdas(text: str | None) -> tuple[float, ...] | None:
    """`1,0.5,2`, or None where nothing was given."""
    if text is None:
        return None
    values = numbers(text, "--weights")
    if not isinstance(values, tuple) or len(values) != 3:
        raise UsageError(f"--weights '{text}' is not a list of three numbers such as 1,1,1")
    return values


def limits(sandbox: str, timeout: float | None, max_memory: str | None) -> Limits | None:
    """What the worker process may take; None: there shall be none."""
    if sandbox != "off":
        return Limits(sandbox == "require", DEFAULT_TIMEOUT if timeout is None else timeout, memory(max_memory))
    if timeout is not None:
        raise UsageError("--timeout needs the worker process; leave it out, or --sandbox off")
    return None


def memory(text: str | None) -> int:
    """`8G` to bytes."""
    if text is None:
        return spare_memory()
    size = re.fullmatch(r"([0-9]{1,6})([KMGT]?)", text.upper())
    if size is None:
        raise UsageError(f"--max-memory '{text}' is not a size such as 8G or 500M")
    return int(size[1]) << 10 * _UNITS.index(size[2])


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
