"""The tensors of a model as the file holds them, wherever they are, and how much data each must have."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import onnx
import onnx_ir as ir

from ninspect.findings import FindingError

Graph = onnx.GraphProto | onnx.FunctionProto

_DATA = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def graphs_in(proto: onnx.ModelProto) -> Iterator[Graph]:
    """The graph, the functions, and the graphs within their nodes."""
    return graphs_from([proto.graph, *proto.functions])


def graphs_from(roots: Iterable[Graph]) -> Iterator[Graph]:
    """Graphs, and the graphs within their nodes."""
    waiting = list(roots)
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            waiting.extend(graphs_of(node))


def graphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node has as attributes."""
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g


def tensors_in(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor: initializers, sparse ones, and attributes of nodes."""
    for graph in graphs_in(proto):
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            yield from (part for tensor in graph.sparse_initializer for part in (tensor.values, tensor.indices))
        for attribute in (attribute for node in graph.node for attribute in node.attribute):
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            sparse = [
                *attribute.sparse_tensors,
                *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
            ]
            yield from (part for tensor in sparse for part in (tensor.values, tensor.indices))


def is_external(tensor: onnx.TensorProto) -> bool:
    """Whether the data lie in another file."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def size_in_bytes(tensor: onnx.TensorProto) -> int:
    """Bytes of a tensor of its type and shape.

    Raises:
        FindingError: the type is unknown or of no fixed size, or a dimension is negative (IN001).
    """
    if min(tensor.dims, default=0) < 0:
        raise FindingError(
            "IN001", f"tensor '{tensor.name}' has a negative dimension, {list(tensor.dims)}", tensor.name
        )
    if tensor.data_type not in onnx.TensorProto.DataType.values() or tensor.data_type == onnx.TensorProto.UNDEFINED:
        raise FindingError("IN001", f"tensor '{tensor.name}' has the unknown type {tensor.data_type}", tensor.name)
    if tensor.data_type == onnx.TensorProto.STRING:
        return 0
    bits = int(8 * ir.DataType(tensor.data_type).itemsize)
    count: int = math.prod(tensor.dims)
    return -(-count * bits // 8)  # rounded up, in whole numbers: these can be large


def check_data(tensor: onnx.TensorProto) -> None:
    """Whether a tensor has one value, and as much data as its type and shape need.

    Raises:
        FindingError: it has several (IN002), or the data do not fit (IN001).
    """
    size = size_in_bytes(tensor)
    given = [name for name in ("raw_data", *_DATA) if len(getattr(tensor, name))]
    if len(given) + is_external(tensor) > 1:
        also = " and ".join([*given, *(["external data"] if is_external(tensor) else [])])
        raise FindingError("IN002", f"tensor '{tensor.name}' has both {also}", tensor.name)
    if is_external(tensor):
        return
    field = given[0] if given else "raw_data"
    expected = (
        {size} if field == "raw_data" and tensor.data_type != onnx.TensorProto.STRING else _lengths(tensor, field)
    )
    length = len(getattr(tensor, field))
    if length not in expected:
        shape = "x".join(map(str, tensor.dims)) or "one number"
        what = f"tensor '{tensor.name}' ({shape}) has {length} {'bytes' if field == 'raw_data' else 'values'} of data"
        raise FindingError("IN001", f"{what}, not {min(expected)}", tensor.name)


def _lengths(tensor: onnx.TensorProto, field: str) -> set[int]:
    """How many entries a typed field of a tensor may have; none where it is the field of another type."""
    count = math.prod(tensor.dims)
    if count and field != onnx.helper.tensor_dtype_to_field(tensor.data_type):
        return {0}
    if tensor.data_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128):
        return {2 * count}
    # Numbers of less than a byte share one.
    return {count, size_in_bytes(tensor)} if 0 < size_in_bytes(tensor) < count else {count}
