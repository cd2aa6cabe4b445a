"""The image input of a file: where it is, what lies where in it, and what becomes of the inputs beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from ninspect.errors import ModelError, UsageError
from ninspect.graph.whole_numbers import as_floats
from ninspect.model.inputs import (
    MOST_VALUES,
    Feed,
    OtherInput,
    described,
    feed_within,
    has_batch_axis,
    image_and_others,
    other_input,
    sizes_of,
)
from ninspect.model.layout import FLAT, ImageLayout, count_channels, image_layout
from ninspect.model.open_axes import channels_read, side_that_fits
from ninspect.names import Color, Layout

_CHANNEL_AXES = ("c", "channel", "channels", "num_channels")


@dataclass(frozen=True)
class Said:
    """What someone says of the inputs, where the file leaves it open.

    Attributes:
        layout: as of `image_layout`.
        size: (height, width) of the images.
        color: how many channels there are.
        feed: numbers for inputs beside the image, by name: one for each, or one for each place of an image's entry.
    """

    layout: Layout | None = None
    size: tuple[int, int] | None = None
    color: Color | None = None
    feed: Mapping[str, Feed] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageInput:
    """The image input of a file.

    Attributes:
        name: of the input.
        dtype: element type that the file wants.
        batch: number of images that the file takes at a time; None if free.
        batched: whether there is a batch axis.
        layout: where height, width and channels are.
        others: the inputs beside the image.
        remarks: what a person should know of this, in sentences without their full stop.
    """

    name: str
    dtype: np.dtype[Any]
    batch: int | None
    batched: bool
    layout: ImageLayout
    others: tuple[OtherInput, ...]
    remarks: tuple[str, ...]


def take_image(proto: onnx.ModelProto, output: str | None, said: Said) -> ImageInput:
    """Find the image input, number its axes but for the batch, and let it take floats.

    Args:
        proto: the model without functions of its own; changed in place.
        output: the output that matters, if it was said.
        said: of the inputs.

    Raises:
        UsageError: what was said contradicts the model, or must be said.
        ModelError: no input is an image.
    """
    image, others = image_and_others(proto, output, said.feed)
    as_it_was = described(image)
    sizes = sizes_of(image)
    batched = sizes != said.size and has_batch_axis(image, proto.graph.output)
    layout = _layout(proto, image, batched, said)
    if math.prod(layout.input_shape) > MOST_VALUES:
        raise ModelError(f"an image of the model has more than {MOST_VALUES} values: {as_it_was}")
    for dim, size in zip(image.type.tensor_type.shape.dim[batched:], layout.input_shape, strict=True):
        dim.dim_value = size
    beside = tuple(other_input(value, image, said.feed.get(value.name)) for value in others)
    for other in beside:
        if other.value is not None:
            feed_within(proto, other, image.name)
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(image.type.tensor_type.elem_type))
    remarks = []
    if None in sizes[batched:] and said.size is None:
        height, width, channels = layout.image_shape
        taken = f"{height}x{width} pixels of {count_channels(channels)}"
        remarks.append(f"the input {as_it_was} leaves its size open, and the layers behind it take {taken}")
    if layout.name == "flat" and layout.image_shape[2] > 1 and said.layout is None:
        remarks.append(f"the input {as_it_was} is read channels last; if they come first, say --layout flat_chw")
    if not batched:
        remarks.append(f"the input {as_it_was} has no batch axis, so images go through one at a time")
    if dtype.kind in "iu":
        as_floats(proto, image)
        remarks.append(f"the input '{image.name}' takes whole numbers ({dtype}), and is differentiated as floats")
    batch = sizes[0] if batched else 1
    return ImageInput(image.name, dtype, batch, batched, layout, beside, tuple(remarks))


def _layout(proto: onnx.ModelProto, image: onnx.ValueInfoProto, batched: bool, said: Said) -> ImageLayout:
    """The layout, with the sizes of open axes that the layers behind the image, or else a person, tell."""
    sizes = list(sizes_of(image)[batched:])
    if len(sizes) != 3 or None not in sizes or said.layout in FLAT:
        return image_layout(tuple(sizes), said.layout, said.size)
    read = channels_read(proto.graph, image.name, len(sizes) + batched)
    if read is not None and sizes[read[0] - batched] is None:
        sizes[read[0] - batched] = read[1]
    elif (axis := _channel_axis(image, batched, said)) is not None and said.color is not None:
        sizes[axis] = 1 if said.color == "gray" else 3
    elif axis is not None:
        raise UsageError(f"the model leaves its channels open, {described(image)}; say with --color how many there are")
    open_axes = sizes.count(None)
    if open_axes not in (1, 2) or (open_axes == 1 and said.size is not None):
        return image_layout(tuple(sizes), said.layout, said.size)
    side = side_that_fits(proto, image.name, [*[1] * batched, *sizes], said.size)
    if side is not None and said.size is not None:
        raise UsageError(f"the model takes images of {side}x{side} pixels, not {said.size[0]}x{said.size[1]}")
    return image_layout(tuple(side if size is None else size for size in sizes), said.layout, said.size)


def _channel_axis(image: onnx.ValueInfoProto, batched: bool, said: Said) -> int | None:
    """The axis of one image that holds open channels: by the layout that was said, by its name, or by custom."""
    dims = image.type.tensor_type.shape.dim[batched:]
    if said.layout is not None:
        axis = 0 if said.layout == "NCHW" else 2
        return None if dims[axis].HasField("dim_value") else axis
    named = [i for i, dim in enumerate(dims) if dim.dim_param.lower() in _CHANNEL_AXES]
    nothing_known = not any(dim.HasField("dim_value") for dim in dims)
    return named[0] if len(named) == 1 else 0 if nothing_known else None
