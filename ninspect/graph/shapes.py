"""Shapes of the values of a graph, as far as they can be known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes

from ninspect.graph.fold import FoldConstants

# Data propagation keeps a record of every element of a vector: with a length of 2^40, a 200-byte file takes all memory.
_MAX_VECTOR = 2**20
_MOST_ROUNDS = 8  # of inferring and folding: what is folded tells new shapes
_SMALL = 1024  # numbers; a longer weight holds no shape


class ForgetShapes(ir.passes.InPlacePass):
    """Drop recorded shapes: files that were edited after export keep the old ones, and inference trusts them."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Drop those of all computed values."""
        for node in model.graph:
            for value in node.outputs:
                value.shape = None
        return ir.passes.PassResult(model, modified=True)


class InferShapes(ir.passes.InPlacePass):
    """Record the shape of every value. The function stays as it is, so this never counts as a modification."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Infer them, first without following the elements of vectors, which a hostile file can make huge."""
        _infer_shapes(model, data_prop=False)
        values = ir.convenience.create_value_mapping(model.graph, include_subgraphs=False)
        if all(_length(value) <= _MAX_VECTOR for value in values.values()):
            _infer_shapes(model, data_prop=True)
        return ir.passes.PassResult(model, modified=False)


def _infer_shapes(model: ir.Model, data_prop: bool) -> None:
    infer = passes.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=data_prop)
    infer(model)
    while _infer_group_normalization(model.graph):
        infer(model)


def _infer_group_normalization(graph: ir.Graph) -> bool:
    """Fill the one gap in onnx's shape inference, from the first node to the last; return whether there was one."""
    filled = False
    for node in graph:
        x, y = node.inputs[0] if node.inputs else None, node.outputs[0]
        if node.op_type == "GroupNormalization" and x is not None and x.shape is not None and y.shape is None:
            y.shape, y.type, filled = x.shape, x.type, True
    return filled


def _length(value: ir.Value) -> int:
    """Length of a vector, as far as it is known; 0 for everything else."""
    if value.shape is None or len(value.shape) != 1 or not isinstance(value.shape[0], int):
        return 0
    return value.shape[0]


def without_weights(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy to try shapes on: its large weights are inputs, and no computed value has a recorded shape."""
    graph = onnx.GraphProto(name=proto.graph.name, input=proto.graph.input)
    listed = {value.name for value in graph.input}
    for node in proto.graph.node:
        stored = [a.t for a in node.attribute if node.op_type == "Constant" and a.name == "value"]
        if stored and math.prod(stored[0].dims) > _SMALL:
            graph.input.append(_described(node.output[0], stored[0]))
        else:
            graph.node.append(node)
    for tensor in proto.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        elif tensor.name not in listed:
            graph.input.append(_described(tensor.name, tensor))
    graph.output.extend(onnx.ValueInfoProto(name=value.name) for value in proto.graph.output)
    return onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import, graph=graph)


def _described(name: str, tensor: onnx.TensorProto) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims)


def fits(trial: onnx.ModelProto, name: str, sizes: Sequence[int]) -> bool:
    """Whether every operator can take what it gets when an input has these sizes, as far as shapes tell.

    Args:
        trial: what `without_weights` made of a model; the input has these sizes afterwards.
        name: of the input.
        sizes: of all its axes.
    """
    (value,) = (value for value in trial.graph.input if value.name == name)
    dims = [onnx.TensorShapeProto.Dimension(dim_value=size) for size in sizes]
    value.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=dims))
    try:
        inferred = onnx.shape_inference.infer_shapes(trial, strict_mode=True)
        if all(_vector_length(value) <= _MAX_VECTOR for value in inferred.graph.value_info):
            onnx.shape_inference.infer_shapes(trial, strict_mode=True, data_prop=True)
        onnx.shape_inference.infer_shapes(_folded(trial), strict_mode=True)
    except onnx.shape_inference.InferenceError:
        return False
    return True


def _folded(trial: onnx.ModelProto) -> onnx.ModelProto:
    """With the sizes that the graph computes of those of its input, as transformers do, which onnx does not follow."""
    model = ir.from_proto(trial)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    ir.passes.PassManager([InferShapes(), FoldConstants()], steps=_MOST_ROUNDS, early_stop=True)(model)
    ForgetShapes()(model)
    return ir.to_proto(model)


def _vector_length(value: onnx.ValueInfoProto) -> int:
    dims = value.type.tensor_type.shape.dim
    return int(dims[0].dim_value) if len(dims) == 1 else 0
