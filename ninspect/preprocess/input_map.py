"""The linear map from pixels to the model's input tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ninspect.errors import UsageError
from ninspect.model.layout import ImageLayout, count_channels
from ninspect.preprocess.settings import Preprocess

CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}


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
        if self.layout.channels_first:
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
        if self.layout.channels_first:
            x = np.moveaxis(cotangent.reshape(*leading, channels, height, width), -3, -1)
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
