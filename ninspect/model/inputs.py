"""Which input of a file is the image, and what the others get."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ninspect.errors import ModelError, UsageError
from ninspect.model.tensors import graphs_in

# What ONNX Runtime takes from NumPy, and an image can be written in.
_IMAGE_TYPES = frozenset(
    onnx.TensorProto.DataType.Value(name)
    for name in (
        *("FLOAT", "FLOAT16", "DOUBLE"),
        *("UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64"),
    )
)
_CHANNELS = (1, 3)
MOST_VALUES = 2**24  # of one image, and of what stands beside it

Feed = float | Sequence[float]


@dataclass(frozen=True, eq=False)
class OtherInput:
    """An input beside the image.

    Attributes:
        name: of the input.
        dtype: element type.
        shape: None where there is an entry for each image; a size that is open counts as 1.
        value: what it was said to get, as an array of the shape without its open axis; None: nothing was said.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    value: NDArray[Any] | None = None

    def array(self, count: int) -> NDArray[Any]:
        """What ONNX Runtime is given with so many images; zeros, where nothing was said."""
        shape = tuple(count if size is None else size for size in self.shape)
        if self.value is None:
            return np.full(shape, "") if self.dtype == np.object_ else np.zeros(shape, self.dtype)
        return np.array(np.broadcast_to(self.value, shape))  # a number stays a tensor without axes


def image_and_others(
    proto: onnx.ModelProto, output: str | None, fed: Iterable[str]
) -> tuple[onnx.ValueInfoProto, list[onnx.ValueInfoProto]]:
    """The input that holds the image, and the others.

    Of the inputs that the outputs depend on and nobody gives a value, the one with most axes; of several such, the one
    with 1 or 3 channels.

    Args:
        proto: the model.
        output: the one that matters, if it was said.
        fed: inputs that are given a value.

    Raises:
        UsageError: no input has a name in `fed`.
        ModelError: there is no such input, or there are several.
    """
    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    listed = ", ".join(map(described, inputs)) or "none"
    if unknown := sorted({*fed} - {value.name for value in inputs}):
        raise UsageError(f"the model has no input '{unknown[0]}' to feed; its inputs are: {listed}")
    outputs = [value.name for value in proto.graph.output]
    read = _inputs_read(proto.graph, [output] if output is not None and output in outputs else outputs)
    images = [value for value in inputs if value.name in read and value.name not in fed and _can_be_image(value)]
    most = max(map(_rank, images), default=0)
    images = [value for value in images if _rank(value) == most]
    if len(images) > 1:
        images = [value for value in images if _has_channels(value)] or images
    if len(images) > 1:
        raise ModelError(
            f"several inputs of the model could be the image; give the others with --feed NAME=VALUE: {listed}"
        )
    if not images:
        types = {
            onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type) for value in inputs if _rank(value) > 2
        }
        other = f" of type {' and '.join(sorted(types))}" if types else ""
        if shapeless := [value.name for value in inputs if not value.type.tensor_type.HasField("shape")]:
            raise ModelError(f"the input '{shapeless[0]}' has no shape in the file; export the model with it")
        raise ModelError(f"no single input of the model is an image batch; its inputs are: {listed}{other}")
    return images[0], [value for value in inputs if value is not images[0]]


def _inputs_read(graph: onnx.GraphProto, outputs: Iterable[str]) -> set[str]:
    """Everything that outputs are computed from."""
    makers = {name: node for node in graph.node for name in node.output}
    read, waiting = set[str](), list(outputs)
    while waiting:
        name = waiting.pop()
        if name in read:
            continue
        read.add(name)
        if name in makers:
            waiting += _names_read(makers[name])
    return read


def _names_read(node: onnx.NodeProto) -> list[str]:
    """The inputs of a node, and all names in its branches, of which some are around them."""
    inner = onnx.ModelProto(graph=onnx.GraphProto(node=[node]))
    return [name for graph in graphs_in(inner) for each in graph.node for name in each.input] + [
        value.name for graph in graphs_in(inner) for value in graph.output
    ]


def _can_be_image(value: onnx.ValueInfoProto) -> bool:
    return value.type.tensor_type.elem_type in _IMAGE_TYPES and _rank(value) in (1, 2, 3, 4)


def _has_channels(value: onnx.ValueInfoProto) -> bool:
    dims = sizes_of(value)
    return dims[-1] in _CHANNELS or (len(dims) > 2 and dims[-3] in _CHANNELS)


def _rank(value: onnx.ValueInfoProto) -> int:
    return len(value.type.tensor_type.shape.dim) if value.type.tensor_type.HasField("shape") else -1


def sizes_of(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """The shape of a value; None where an axis is open."""
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim)


def described(value: onnx.ValueInfoProto) -> str:
    """`'x' [N, 3, ?, 32]`."""
    dims = [
        str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?" for d in value.type.tensor_type.shape.dim
    ]
    return f"'{value.name}' [{', '.join(dims)}]"


def has_batch_axis(image: onnx.ValueInfoProto, outputs: Sequence[onnx.ValueInfoProto]) -> bool:
    """Whether the first axis of the image counts images; else the input is one image, as Core ML has it.

    An axis that counts images is open, or an output has it too. An open one can still be the height of one image,
    where the last is the channels and every size of the outputs is fixed.
    """
    sizes = sizes_of(image)
    if len(sizes) == 4 or (len(sizes) > 1 and sizes[0] == 1):
        return True
    if len(sizes) == 1:
        return False
    pictured = len(sizes) == 3 and (sizes[0] == 3 or sizes[2] in _CHANNELS)
    ends = [sizes_of(value) for value in outputs if value.type.tensor_type.HasField("shape")]
    if sizes[0] is None:
        return not (pictured and ends and all(None not in end for end in ends))
    firsts = {end[0] for end in ends if end}
    return sizes[0] in firsts or (not pictured and (not ends or None in firsts))


def other_input(value: onnx.ValueInfoProto, image: onnx.ValueInfoProto, given: Feed | None) -> OtherInput:
    """What is known of an input beside the image.

    Args:
        value: the input.
        image: the image, whose open axes have their size by now.
        given: numbers for the input: one for all of it, or one for each place of an image's entry.

    Raises:
        ModelError: it is no tensor, or too large.
        UsageError: it takes no numbers, or not as many as were given.
    """
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.elem_type:
        raise ModelError(f"the input '{value.name}' of the model is no tensor, so nothing can be given to it")
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    known = {d.dim_param: size for d, size in zip(image.type.tensor_type.shape.dim, sizes_of(image), strict=True)}
    dims = enumerate(tensor.shape.dim)
    shape = tuple(
        d.dim_value if d.HasField("dim_value") else None if i == 0 else known.get(d.dim_param) or 1 for i, d in dims
    )
    entry = [1 if size is None else size for size in shape]
    if math.prod(entry) > MOST_VALUES:
        raise ModelError(f"the input {described(value)} beside the image has more than {MOST_VALUES} values")
    if given is None:
        return OtherInput(value.name, dtype, shape)
    numbers = np.atleast_1d(np.asarray(given, np.float64))
    if dtype == np.object_ or len(numbers) not in (1, math.prod(entry)):
        wanted = "text" if dtype == np.object_ else f"one number, or {math.prod(entry)}"
        raise UsageError(f"the input {described(value)} takes {wanted}; {len(numbers)} were given with --feed")
    filled = np.broadcast_to(numbers, math.prod(entry)).reshape(entry)
    return OtherInput(value.name, dtype, shape, filled.astype(dtype))


def feed_within(proto: onnx.ModelProto, other: OtherInput, image: str) -> None:
    """Put the value that an input was given into the graph, in place of the input."""
    assert other.value is not None
    graph, name = proto.graph, other.name
    kept = [value for value in graph.input if value.name != name]
    del graph.input[:]
    graph.input.extend(kept)
    if None not in other.shape:
        graph.initializer.append(numpy_helper.from_array(other.array(1), name))
        return
    shape = np.array([size for size in other.shape if size is not None], np.int64)
    stored = {"one": other.value, "first": np.zeros(1, np.int64), "rest": shape}
    graph.initializer.extend(numpy_helper.from_array(array, f"{name}/{key}") for key, array in stored.items())
    nodes = [
        helper.make_node("Shape", [image], [f"{name}/image"]),
        helper.make_node("Gather", [f"{name}/image", f"{name}/first"], [f"{name}/count"]),
        helper.make_node("Concat", [f"{name}/count", f"{name}/rest"], [f"{name}/shape"], axis=0),
        helper.make_node("Expand", [f"{name}/one", f"{name}/shape"], [name]),
    ]
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
