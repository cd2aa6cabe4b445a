"""How an image lies in the model's input tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ninspect.errors import ModelError, UsageError

_CHANNELS = (1, 3)
FLAT = ("flat", "flat_chw")


@dataclass(frozen=True)
class ImageLayout:
    """Where height, width and channels are in the input.

    Attributes:
        name: "NCHW", "NHWC", or "flat": the H·W·C values in this order, whatever the shape of the input is; "flat_chw":
            the C·H·W values.
        input_shape: shape of the input without the batch axis.
        image_shape: (H, W, C), C is 1 or 3.
    """

    name: str
    input_shape: tuple[int, ...]
    image_shape: tuple[int, int, int]

    @property
    def channels_first(self) -> bool:
        """Whether the values of one channel lie together."""
        return self.name in ("NCHW", "flat_chw")


def image_layout(shape: tuple[int | None, ...], layout: str | None, size: tuple[int, int] | None) -> ImageLayout:
    """Tell the layout from the input's shape and what the user says.

    Args:
        shape: of the input, without the batch axis; None where an axis is symbolic.
        layout: "NCHW", "NHWC", "flat", "flat_chw", or None: tell from the shape.
        size: (height, width) of the images or None: as the model says.

    Raises:
        UsageError: layout or size contradict the shape, or the shape leaves them open.
        ModelError: no reading of the shape is an image of 1 or 3 channels.
    """
    # A picture one pixel high is a flattened picture.
    line = len(shape) == 3 and 1 in (shape[1:] if shape[0] in _CHANNELS else shape[:2])
    if layout in FLAT or len(shape) != 3 or line:
        return _flat(shape, size, layout if layout in FLAT else "flat")
    first, last = shape[0] in _CHANNELS, shape[2] in _CHANNELS
    if layout is None:
        if first and last:
            raise UsageError(f"input shape {_text(shape)} could be NCHW or NHWC; say which with --layout")
        if not first and not last:
            raise ModelError(f"input shape {_text(shape)} has no axis of 1 or 3 channels, so it is not an image")
        layout = "NCHW" if first else "NHWC"
    channels, sides = (shape[0], shape[1:]) if layout == "NCHW" else (shape[2], shape[:2])
    if channels not in _CHANNELS:
        raise UsageError(f"input shape {_text(shape)} read as {layout} has {channels} channels, not 1 or 3")
    height, width = _sides(sides, size, shape)
    full = (channels, height, width) if layout == "NCHW" else (height, width, channels)
    return ImageLayout(layout, full, (height, width, channels))


def _sides(
    sides: tuple[int | None, ...], size: tuple[int, int] | None, shape: tuple[int | None, ...]
) -> tuple[int, int]:
    """Height and width: the model's own, where it has them, else those given."""
    wanted = size or (None, None)
    height, width = (given if own is None else own for own, given in zip(sides, wanted, strict=True))
    if height is None or width is None:
        raise UsageError(f"the model takes images of any size ({_text(shape)}); say which with --size HEIGHTxWIDTH")
    if size is not None and size != (height, width):
        raise UsageError(f"the model takes images of {height}x{width} pixels, not {size[0]}x{size[1]}")
    return height, width


def _flat(shape: tuple[int | None, ...], size: tuple[int, int] | None, name: str) -> ImageLayout:
    """A row of values; the picture's sides are those given, or those of a square."""
    if None in shape:
        raise UsageError(
            f"input shape {_text(shape)} leaves the number of pixels open; export the model with a fixed one"
        )
    sizes = tuple(int(d) for d in shape if d is not None)
    count = math.prod(sizes)
    sides = size or (sizes if len(sizes) == 2 and 1 not in sizes else None)
    for channels in _CHANNELS:
        side = math.isqrt(count // channels)
        height, width = sides or (side, side)
        if height * width * channels == count:
            return ImageLayout(name, sizes, (height, width, channels))
    hint = f"not {size[0]}x{size[1]} pixels of 1 or 3 channels" if size else "say which with --size HEIGHTxWIDTH"
    raise UsageError(f"the model takes {count} values per image; {hint}")


def _text(shape: tuple[int | None, ...]) -> str:
    return "[N, " + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def count_channels(channels: int) -> str:
    """`1 channel`, `3 channels`."""
    return "1 channel" if channels == 1 else f"{channels} channels"
