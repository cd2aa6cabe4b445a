"""The settings that say how pixels become the model's input."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Field, ValidationError

from ninspect.errors import UsageError
from ninspect.files import reason
from ninspect.names import Color, Layout, Preset, Resize

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
MNIST_MEAN, MNIST_STD = (0.1307,), (0.3081,)
# What takes pixels in 0–255 to the range that a model expects; channels in RGB order. Of equally good ones the first;
# those with a mean for each channel are for images with so many.
PRESETS: dict[Preset, dict[str, float | tuple[float, ...]]] = {
    "unit": {"scale": 1 / 255, "mean": 0.0, "std": 1.0},
    "imagenet": {"scale": 1 / 255, "mean": IMAGENET_MEAN, "std": IMAGENET_STD},
    "minus1_1": {"scale": 1 / 127.5, "mean": 1.0, "std": 1.0},
    "uint8": {"scale": 1.0, "mean": 0.0, "std": 1.0},
    "cifar10": {"scale": 1 / 255, "mean": CIFAR10_MEAN, "std": CIFAR10_STD},
    "mnist": {"scale": 1 / 255, "mean": MNIST_MEAN, "std": MNIST_STD},
}


def _nonzero(value: float) -> float:
    if value == 0:
        raise ValueError("zero")
    return value


Finite = Annotated[float, AllowInfNan(False)]
NonZero = Annotated[Finite, AfterValidator(_nonzero)]
# No classifier of photographs comes near this; a larger one would only fill the memory.
Side = Annotated[int, Field(gt=0, le=8192)]


class Preprocess(BaseModel):
    """How the model wants its images: `model input = (pixel · scale − mean) / std`, with `pixel` in 0–255.

    A list for `mean` or `std` holds one number per channel, in the order that the model expects (B, G, R for `bgr`).
    With layout `flat` the H·W·C values are in row-major order, channels last, reshaped to the model's input shape; with
    `flat_chw` the C·H·W values, channels first.
    Images are resized to the size that the model wants; with `resize_to` to another one first, the shorter side or
    height and width, and then the middle is cut out.

    >>> Preprocess.preset("imagenet").mean
    (0.485, 0.456, 0.406)
    >>> Preprocess(color="bgr").with_preset("imagenet").mean
    (0.406, 0.456, 0.485)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Each description completes the sentence "<value> is not ..." for a person whose value was refused.
    scale: NonZero = Field(1 / 255, description="a finite number other than 0")
    mean: Finite | Annotated[tuple[Finite, ...], Field(min_length=1)] = Field(
        0.0, description="a finite number, or a list with one per channel"
    )
    std: NonZero | Annotated[tuple[NonZero, ...], Field(min_length=1)] = Field(
        1.0, description="a finite number other than 0, or a list with one per channel"
    )
    layout: Layout | None = Field(None, description="NCHW, NHWC, flat or flat_chw")
    color: Color | None = Field(None, description="rgb, bgr or gray")
    size: tuple[Side, Side] | None = Field(None, description="a [height, width] in pixels, each at most 8192")
    resize: Resize = Field("bilinear", description="bilinear, bicubic, nearest, lanczos or none")
    resize_to: Side | tuple[Side, Side] | None = Field(
        None, description="the shorter side, or a [height, width], in pixels, each at most 8192"
    )
    feed: dict[str, Finite | Annotated[tuple[Finite, ...], Field(min_length=1)]] | None = Field(
        None, description="a table with a finite number, or a list of them, for the name of each further input"
    )

    @classmethod
    def from_toml(cls, path: Path) -> Preprocess:
        """Reads the settings from a TOML file whose keys are the fields of this class.

        Raises:
            UsageError: the file is missing or is not TOML, a key is unknown, or a value is out of range.
        """
        if not path.is_file():
            raise UsageError(f"{path} is not a file; give a TOML file with the preprocessing of the model")
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{path} is not valid TOML ({reason(error)}); correct it") from error
        return cls.checked(values, where=str(path))

    def override(self, **flags: object) -> Preprocess:
        """These settings with every flag that is not None in place of its field.

        Raises:
            UsageError: a flag is unknown, or its value is out of range.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        return self.checked(self.model_dump(exclude_unset=True) | given, where="the preprocessing options")

    @property
    def ranged(self) -> bool:
        """Whether any of scale, mean and std was set; otherwise the range of values that the model expects is open."""
        return not self.model_fields_set.isdisjoint(PRESETS["unit"])

    @classmethod
    def preset(cls, name: Preset) -> Preprocess:
        """Scale, mean and std of a preset, of RGB images.

        Raises:
            UsageError: there is no such preset.
        """
        if name not in PRESETS:
            raise UsageError(f"there is no preset '{name}'; give {', '.join(PRESETS)}")
        return cls().with_preset(name)

    def with_preset(self, name: Preset) -> Preprocess:
        """These settings with scale, mean and std of a preset, in the order of the channels that `color` says."""
        values = PRESETS[name]
        if self.color == "bgr":
            values = {key: value[::-1] if isinstance(value, tuple) else value for key, value in values.items()}
        return self.override(**values)

    @classmethod
    def checked(cls, values: Mapping[str, object], where: str) -> Preprocess:
        """Settings from values that someone wrote; `where` begins the message if they are wrong.

        Raises:
            UsageError: a key is unknown, or a value is out of range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
        if name not in cls.model_fields:
            raise UsageError(f"{where}: unknown key '{name}'; the keys are {', '.join(cls.model_fields)}")
        raise UsageError(f"{where}: {name} = {values[name]!r} is not {cls.model_fields[name].description}; correct it")
