"""Shapes of the values of a graph, as far as they can be known."""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as passes

# Data propagation keeps a record of every element of a vector: with a length of 2^40, a 200-byte file takes all memory.
_MAX_VECTOR = 2**20


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
