"""Constant folding of what gradient rules must know when the graph is built: shape arithmetic and small parameters.

Exporters compute axes, sizes and bounds with chains of Shape, Gather, Concat and the like. ONNX Runtime folds the large
constants itself; here only small results are worth having.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

_MAX_ELEMENTS = 4096
_UNKNOWN = -(2**61)  # stands for a symbolic size; any result that it touches is not a constant


def fold_constants(model: ir.Model) -> bool:
    """Replace nodes whose result is small and known by initializers; return whether anything changed."""
    graph = model.graph
    known: dict[ir.Value, NDArray[Any]] = {}
    changed = False
    for node in list(graph):
        results = _evaluate(node, known, graph.opset_imports[""])
        if results is None:
            continue
        known.update(zip(node.outputs, results, strict=True))
        if any(np.any(result == _UNKNOWN) for result in results if result.dtype == np.int64):
            continue
        if any(value.is_graph_output() for value in node.outputs):
            continue
        for value, result in zip(node.outputs, results, strict=True):
            constant = ir.Value(name=f"{value.name}/folded", const_value=ir.tensor(result))
            constant.shape, constant.type = ir.Shape(result.shape), ir.TensorType(ir.DataType.from_numpy(result.dtype))
            graph.register_initializer(constant)
            value.replace_all_uses_with(constant)
            known[constant] = result
        graph.remove(node, safe=True)
        changed = True
    return changed


def _evaluate(node: ir.Node, known: dict[ir.Value, NDArray[Any]], opset: int) -> list[NDArray[Any]] | None:
    """The outputs of a node, when they are small and follow from constants and sizes; else None."""
    if node.domain != "" or any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values()):
        return None
    if node.op_type == "Shape":
        return _shape(node)
    if node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial", "Dropout"):
        return None
    inputs = {value.name: _constant(value, known) for value in node.inputs if value is not None}
    if any(array is None for array in inputs.values()):
        return None
    partial = any(np.any(a == _UNKNOWN) for a in inputs.values() if a is not None and a.dtype == np.int64)
    # Picking some sizes out of a shape is exact even where others are unknown; arithmetic on the unknown is not.
    if partial and node.op_type not in ("Gather", "Slice", "Squeeze", "Unsqueeze", "Concat", "Identity"):
        return None
    if not all(_is_small(value) for value in node.outputs):
        return None
    try:
        results = ReferenceEvaluator(_single_node_model(node, opset)).run(None, inputs)
    except Exception:  # the reference evaluator raises whatever NumPy does; ONNX Runtime will judge such a node
        return None
    return [np.asarray(result) for result in results]


def _constant(value: ir.Value, known: dict[ir.Value, NDArray[Any]]) -> NDArray[Any] | None:
    if value in known:
        return known[value]
    tensor = value.const_value
    return tensor.numpy() if tensor is not None and tensor.size <= _MAX_ELEMENTS else None


def _shape(node: ir.Node) -> list[NDArray[Any]] | None:
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    sizes = [d if isinstance(d, int) else _UNKNOWN for d in value.shape]
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", len(sizes))
    return [np.asarray(sizes[start:end], np.int64)]


def _is_small(value: ir.Value) -> bool:
    """Whether the inferred shape promises a small result; a 200-byte file can ask for terabytes."""
    if value.shape is None or not all(isinstance(d, int) for d in value.shape):
        return False
    return math.prod(int(d) for d in value.shape if isinstance(d, int)) <= _MAX_ELEMENTS


def _single_node_model(node: ir.Node, opset: int) -> onnx.ModelProto:
    proto = ir.to_proto(node)
    empty = onnx.TypeProto()
    inputs = [onnx.ValueInfoProto(name=name, type=empty) for name in dict.fromkeys(proto.input) if name]
    outputs = [onnx.ValueInfoProto(name=name, type=empty) for name in proto.output]
    graph = onnx.helper.make_graph([proto], "node", inputs, outputs)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
