"""Options that several requests share, and the headings that the help has for options."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from ninspect.names import SKIPPABLE, TITLES, Color, Device, Layout, Objective, Preset, Resize
from ninspect.option import Option, height_and_width, memory_size, numbers, side_or_size

# The headings, in the order of the help: what everybody needs first.
INPUT, OUTPUT, GATE, MANY, PREPROCESSING, QUESTIONS_ASKED, SAFETY, EXPERTS = PANELS = (
    "Input",
    "Output",
    "Gate",
    "Several models",
    "Preprocessing",
    "Questions",
    "Safety",
    "Experts",
)
QUESTIONS_MEAN = "; ".join(f"{question}: {TITLES[question]}" for question in SKIPPABLE)

LayoutOption = Annotated[
    Layout | None, Option("Position of the channels, if the input of the model leaves it open.", panel=PREPROCESSING)
]
SizeOption = Annotated[
    tuple[int, int] | None,
    Option("Image size, if the model does not fix it.", metavar="HxW", panel=PREPROCESSING, parse=height_and_width),
]
ColorOption = Annotated[Color | None, Option("Channel order that the model expects.", panel=PREPROCESSING)]
FeedOption = Annotated[
    tuple[str, ...],
    Option(
        "Value of an input beside the image: one number, or X,X,X for its places; may be repeated.",
        metavar="NAME=VALUE",
        panel=PREPROCESSING,
    ),
]
OutputOption = Annotated[
    str | None,
    Option(
        "Name of the output with the class scores, if the model has several.",
        flags=("--logits", "--scores"),
        metavar="NAME",
        panel=INPUT,
    ),
]
ObjectiveOption = Annotated[Objective, Option("Function of the class scores that is differentiated.")]
DeviceOption = Annotated[Device, Option("Device to run on; auto: a GPU if there is a usable one.", panel=SAFETY)]
MemoryOption = Annotated[
    int | None,
    Option(
        "Stop above this much memory, such as 8G. Default: 8G, or three quarters of the memory of the machine if that "
        "is less.",
        flags=("--max-memory",),
        metavar="SIZE",
        panel=SAFETY,
        parse=memory_size,
    ),
]
# Pydantic's configuration: no unknown keys, and what is already an object is looked at all the same.
CHECKED = {"extra": "forbid", "revalidate_instances": "always"}


@dataclass(frozen=True, kw_only=True)
class PreprocessOptions:
    """How images become model inputs, as far as someone says so; the rest is found out.

    >>> PreprocessOptions(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)).scale is None
    True
    """

    __pydantic_config__: ClassVar = CHECKED

    file: Annotated[
        Path | None,
        Option(
            "How images become model inputs: a TOML file, preprocessor_config.json of Hugging Face, or config.json of "
            "timm. Default: one of them beside the model.",
            flags=("--preprocess",),
            metavar="FILE",
            panel=PREPROCESSING,
        ),
    ] = None
    preset: Annotated[
        Preset | None,
        Option(
            "Range of values that the model expects: unit: 0 to 1; imagenet, cifar10, mnist: 0 to 1, then normalized "
            "with the mean and the standard deviation of that data set; minus1_1: −1 to 1; uint8: 0 to 255. "
            "Default: inferred from labelled samples.",
            panel=PREPROCESSING,
        ),
    ] = None
    scale: Annotated[
        float | None,
        Option(
            "Model input = (pixel · scale − mean) / std, with pixels from 0 to 255. Default: 1/255.",
            panel=PREPROCESSING,
        ),
    ] = None
    mean: Annotated[
        float | tuple[float, ...] | None,
        Option("Subtracted: one number, or one per channel.", metavar="X[,X,X]", panel=PREPROCESSING, parse=numbers),
    ] = None
    std: Annotated[
        float | tuple[float, ...] | None,
        Option("Divisor: one number, or one per channel.", metavar="X[,X,X]", panel=PREPROCESSING, parse=numbers),
    ] = None
    layout: LayoutOption = None
    color: ColorOption = None
    size: SizeOption = None
    resize: Annotated[
        Resize | None, Option("How images of another size are resized; none: refuse them.", panel=PREPROCESSING)
    ] = None
    resize_to: Annotated[
        int | tuple[int, int] | None,
        Option(
            "Resize to this first, the shorter side or HxW, and cut out the middle.",
            metavar="SIDE|HxW",
            panel=PREPROCESSING,
            parse=side_or_size,
        ),
    ] = None
    feed: FeedOption = ()
