"""From pixels to the model's input tensor: the user's settings, and the linear map that they describe."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from ninspect.errors import UsageError
from ninspect.model.layout import ImageLayout, count_channels
from ninspect.samples.dataset import reason

Layout = Literal["NCHW", "NHWC", "flat"]
Color = Literal["rgb", "bgr", "gray"]
Resize = Literal["bilinear", "bicubic", "nearest", "lanczos", "none"]

CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}


def _nonzero(value: float) -> float:
    if value == 0:
        raise ValueError("zero")
    return value


Finite = Annotated[float, AllowInfNan(False)]
NonZero = Annotated[Finite, AfterValidator(_nonzero)]


class Preprocess(BaseModel):
    """How the model wants its images: `model input = (pixel · scale − mean) / std`, with `pixel` in 0–255.

    A list for `mean` or `std` holds one number per channel, in the order that the model expects (B, G, R for `bgr`).
    With layout `flat` the H·W·C values are in row-major order, channels last, reshaped to the model's input shape.
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
    layout: Layout | None = Field(None, description="NCHW, NHWC or flat")
    color: Color | None = Field(None, description="rgb, bgr or gray")
    size: tuple[PositiveInt, PositiveInt] | None = Field(None, description="a [height, width] in pixels")
    resize: Resize = Field("bilinear", description="bilinear, bicubic, nearest, lanczos or none")

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
        return cls._checked(values, where=str(path))

    def override(self, **flags: object) -> Preprocess:
        """These settings with every flag that is not None in place of its field.

        Raises:
            UsageError: a flag is unknown, or its value is out of range.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        return self._checked(self.model_dump() | given, where="the preprocessing options")

    @classmethod
    def _checked(cls, values: dict[str, object], where: str) -> Preprocess:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
        if name not in cls.model_fields:
            raise UsageError(f"{where}: unknown key '{name}'; the keys are {', '.join(cls.model_fields)}")
        raise UsageError(f"{where}: {name} = {values[name]!r} is not {cls.model_fields[name].description}; correct it")


@dataclass(frozen=True, eq=False)
class InputMap:
    """The affine map from pixels to the model's input tensor, `x = L(P(pixels) · gain + offset)`, and its adjoint.

    P puts the colours in the model's order and L is the layout; both only move values.

    Attributes:
        layout: where height, width and channels are in the model's input.
        flip: the model wants BGR. Pixels are RGB everywhere in ninspect.
        gain: `[C]` float32, 255 · scale / std.
        offset: `[C]` float32, −mean / std.
        dtype: the float type of the model's input.
    """

    layout: ImageLayout
    flip: bool
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    dtype: np.dtype[np.generic]

    @classmethod
    def of(cls, preprocess: Preprocess, layout: ImageLayout, dtype: DTypeLike = np.float32) -> InputMap:
        """The map for one model.

        Args:
            preprocess: the user's settings.
            layout: the model's input, found with the same settings.
            dtype: the float type of the model's input.

        Raises:
            UsageError: the settings do not fit the number of channels.
        """
        channels = layout.image_shape[2]
        color = preprocess.color or ("gray" if channels == 1 else "rgb")
        if CHANNELS[color] != channels:
            raise UsageError(
                f"color is {color}, but the model's input has {count_channels(channels)}; set another color"
            )
        mean = _per_channel("mean", preprocess.mean, channels)
        std = _per_channel("std", preprocess.std, channels)
        return cls(
            layout=layout,
            flip=color == "bgr",
            gain=(255 * preprocess.scale / std).astype(np.float32),
            offset=(-mean / std).astype(np.float32),
            dtype=np.dtype(dtype),
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """H, W, C of one image."""
        return self.layout.image_shape

    def to_model(self, pixels: NDArray[np.float32]) -> NDArray[np.floating]:
        """The model's input for images: (pixels · 255 · scale − mean) / std.

        Args:
            pixels: `[N, H, W, C]` float32 in [0, 1], RGB or grey.

        Returns:
            `[N, *input_shape]`, contiguous, of the model's type.
        """
        x = self._model_order(pixels) * self.gain + self.offset
        if self.layout.name == "NCHW":
            x = np.moveaxis(x, -1, -3)
        x = x.reshape(len(pixels), *self.layout.input_shape)
        return np.ascontiguousarray(x, dtype=self.dtype)

    def to_pixels(self, cotangent: NDArray[np.floating]) -> NDArray[np.float32]:
        """The gradient with respect to pixels: Pᵀ(Lᵀ(x̄) · gain). This is the adjoint of `to_model`, not its inverse.

        Args:
            cotangent: `[..., N, *input_shape]`, the gradient with respect to the model's input; any leading axes.

        Returns:
            `[..., N, H, W, C]` float32.
        """
        height, width, channels = self.image_shape
        leading = cotangent.shape[: cotangent.ndim - len(self.layout.input_shape)]
        if self.layout.name == "NCHW":
            x = np.moveaxis(cotangent, -3, -1)
        else:
            x = cotangent.reshape(*leading, height, width, channels)
        return self._model_order(x.astype(np.float32, copy=False) * self.gain)

    def _model_order(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """RGB to the model's order; reversing the channels is its own inverse."""
        return x[..., ::-1] if self.flip else x


def _per_channel(name: str, value: float | tuple[float, ...], channels: int) -> NDArray[np.float64]:
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if len(values) not in (1, channels):
        raise UsageError(
            f"{name} has {len(values)} numbers, but the model's input has {count_channels(channels)}; "
            "give one per channel"
        )
    return np.broadcast_to(values, channels)
