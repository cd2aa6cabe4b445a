"""Constant folding of what gradient rules must know when the graph is built: shape arithmetic and small parameters.

Exporters compute axes, sizes and bounds with chains of Shape, Gather, Concat and the like. ONNX Runtime folds the large
constants itself; here only small results are worth having. onnx's own evaluators fold whatever they can: on a hostile
file that may take terabytes, so here only listed operators are folded.
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

# Picking some sizes out of a shape is exact even where others are unknown; anything else on the unknown is not.
_PICKING = frozenset(["Concat", "Gather", "Identity", "Slice", "Squeeze", "Unsqueeze"])
# No operator whose work can be out of proportion to the size of its result, such as a window with huge pads.
_FOLDABLE = _PICKING | frozenset([
    "Abs", "Add", "And", "Cast", "Ceil", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten", "Floor", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "MatMul", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Range",
    "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Round",
    "ScatterElements", "ScatterND", "Sign", "Size", "Split", "Sqrt", "Sub", "Sum", "Tile", "Transpose", "Where",
])  # fmt: skip


class FoldConstants(ir.passes.InPlacePass):
    """Reshape(x, Concat(Shape(x)[0], [−1])) → Reshape(x, [2, −1]): small results that are known become constants."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace every node whose outputs all are small and known, but not the outputs of the model."""
        graph = model.graph
        known: dict[ir.Value, NDArray[Any]] = {}
        modified = False
        for node in list(graph):
            results = _evaluate(node, known, graph.opset_imports[""])
            if results is None:
                continue
            known.update(zip(node.outputs, results, strict=True))
            if any(map(_is_partial, results)) or any(value.is_graph_output() for value in node.outputs):
                continue
            constants = [_constant_value(value, result) for value, result in zip(node.outputs, results, strict=True)]
            ir.convenience.replace_all_uses_with(node.outputs, constants)
            graph.remove(node, safe=True)
            for constant, result in zip(constants, results, strict=True):
                graph.register_initializer(constant)
                known[constant] = result
            modified = True
        return ir.passes.PassResult(model, modified)


def _constant_value(value: ir.Value, result: NDArray[Any]) -> ir.Value:
    """A constant that takes the place, and the name, of a computed value."""
    return ir.Value(
        name=value.name,
        shape=ir.Shape(result.shape),
        type=ir.TensorType(ir.DataType.from_numpy(result.dtype)),
        const_value=ir.tensor(result, name=value.name),
    )


def _evaluate(node: ir.Node, known: dict[ir.Value, NDArray[Any]], opset: int) -> list[NDArray[Any]] | None:
    """The outputs of a node, when they are small and follow from constants and sizes; else None."""
    if node.domain == "" and node.op_type == "Shape":
        return _shape(node)
    if node.domain != "" or node.op_type not in _FOLDABLE or not all(map(_is_small, node.outputs)):
        return None
    inputs: dict[str, NDArray[Any]] = {}
    for index, value in enumerate(node.inputs):
        if value is None:
            continue
        array = known.get(value, _small_constant(value))
        # Every input of Concat is data; the further inputs of the others say what to pick.
        may_be_partial = node.op_type == "Concat" or (node.op_type in _PICKING and index == 0)
        if array is None or (_is_partial(array) and not may_be_partial):
            return None
        inputs[str(value.name)] = array
    try:
        results = ReferenceEvaluator(_single_node_model(node, opset)).run(None, inputs)
    except Exception:  # the reference evaluator raises whatever NumPy does; ONNX Runtime will judge such a node
        return None
    return [np.asarray(result) for result in results]


def _is_partial(array: NDArray[Any]) -> bool:
    return array.dtype == np.int64 and bool(np.any(array == _UNKNOWN))


def _small_constant(value: ir.Value) -> NDArray[Any] | None:
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
