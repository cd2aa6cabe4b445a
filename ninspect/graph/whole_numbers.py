"""An image input of whole numbers, made one of floats: the values are the same, and floats have a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ninspect.errors import ModelError

_FLOAT = onnx.TensorProto.FLOAT
# Integer operators that compute the same in floats, with the inputs that are numbers; others are shapes and positions.
_SAME = {
    **dict.fromkeys(("Add", "Clip", "Concat", "Max", "Min", "Mul", "Sub", "Sum"), range(99)),
    **dict.fromkeys(("Abs", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Neg"), (0,)),
    **dict.fromkeys(("Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose"), (0,)),
    **dict.fromkeys(("Unsqueeze", "Upsample"), (0,)),
    "Pad": (0, 2),
    "Where": (1, 2),
}
_COMPARING = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Shape", "Size")
_BYTES: dict[int, np.dtype[Any]] = {
    onnx.TensorProto.UINT8: np.dtype(np.uint8),
    onnx.TensorProto.INT8: np.dtype(np.int8),
}


def as_floats(proto: onnx.ModelProto, image: onnx.ValueInfoProto) -> None:
    """Let the input take floats, and everything that follows until numbers become floats by themselves.

    Quantised operators get the numbers rounded to bytes again, which is what they stand for.

    Raises:
        ModelError: an operator computes with the whole numbers as floats cannot, such as a division.
    """
    kind, graph = image.type.tensor_type.elem_type, proto.graph
    image.type.tensor_type.elem_type = _FLOAT
    floats, nodes = {image.name}, list[onnx.NodeProto]()
    for node in graph.node:
        if floats.isdisjoint(node.input):
            nodes.append(node)
        elif node.op_type == "Cast":
            if _target(node) != onnx.TensorProto.BOOL and _target(node) not in _FLOATING:
                _retarget(node)
                floats.add(node.output[0])
            nodes.append(node)
        elif node.op_type == "DequantizeLinear" and len(node.input) == 2:
            nodes.append(helper.make_node("Mul", node.input, node.output, f"{node.name}/floats"))
        elif node.op_type == "DequantizeLinear":
            x, scale, zero = node.input
            nodes += [
                helper.make_node("Cast", [zero], [f"{node.output[0]}/zero"], to=_FLOAT),
                helper.make_node("Sub", [x, f"{node.output[0]}/zero"], [f"{node.output[0]}/whole"]),
                helper.make_node("Mul", [f"{node.output[0]}/whole", scale], node.output, f"{node.name}/floats"),
            ]
        elif node.op_type in _SAME or node.op_type in _COMPARING:
            nodes += [*_operands(node, floats), node]
            floats.update(() if node.op_type in _COMPARING else node.output)
        elif kind in _BYTES and _takes_bytes(node):
            nodes += [*_rounded(graph, node, floats, _BYTES[kind]), node]
        else:
            raise ModelError(
                f"{node.op_type} (node '{node.name}') computes with the whole numbers of the input '{image.name}', "
                "which has no gradient; export the model with an input of floats"
            )
    del graph.node[:]
    graph.node.extend(nodes)
    stale = [value for value in graph.value_info if value.name in floats]
    for value in stale:
        graph.value_info.remove(value)
    for value in graph.output:
        if value.name in floats:
            value.type.tensor_type.elem_type = _FLOAT


_FLOATING = (_FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16)


def _target(node: onnx.NodeProto) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "to"), _FLOAT)


def _retarget(node: onnx.NodeProto) -> None:
    """Cast to floats instead."""
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("to", _FLOAT))


def _operands(node: onnx.NodeProto, floats: set[str]) -> list[onnx.NodeProto]:
    """Make floats of the other numbers that a node computes with."""
    casts = []
    for place in _SAME.get(node.op_type, range(2)):
        if place < len(node.input) and node.input[place] and node.input[place] not in floats:
            made = f"{node.output[0]}/operand {place}"
            casts.append(helper.make_node("Cast", [node.input[place]], [made], to=_FLOAT))
            node.input[place] = made
    return casts


def _takes_bytes(node: onnx.NodeProto) -> bool:
    return node.op_type.startswith("QLinear") or node.op_type in ("ConvInteger", "MatMulInteger", "QGemm")


def _rounded(
    graph: onnx.GraphProto, node: onnx.NodeProto, floats: set[str], kind: np.dtype[Any]
) -> list[onnx.NodeProto]:
    """Make bytes of the floats that a node takes."""
    added = []
    for place, name in enumerate(node.input):
        if name in floats:
            made = f"{node.output[0]}/byte {place}"
            for key, number in (("step", np.ones((), np.float32)), ("zero", np.zeros((), kind))):
                graph.initializer.append(numpy_helper.from_array(number, f"{made}/{key}"))
            added.append(helper.make_node("QuantizeLinear", [name, f"{made}/step", f"{made}/zero"], [made]))
            node.input[place] = made
    return added
