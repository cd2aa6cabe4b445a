"""Logits that a graph does not have: made of what it has, and appended to it."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ninspect.model.order import rounding_behind


def two_classes(graph: ir.Graph, logit: ir.Value) -> ir.Value:
    """The logits 0 and z of the two classes that a single logit z tells apart, appended to a graph: `[N, 2]`."""

    def parameter(name: str, numbers: Sequence[int]) -> ir.Value:
        tensor = ir.tensor(list(numbers), dtype=ir.DataType.INT64, name=f"ninspect/{name}")
        shape, kind = ir.Shape([len(numbers)]), ir.TensorType(ir.DataType.INT64)
        value = ir.Value(name=tensor.name, shape=shape, type=kind, const_value=tensor)
        graph.register_initializer(value)
        return value

    column = ir.node("Reshape", [logit, parameter("one_logit/shape", [-1, 1])], name="ninspect/one_logit")
    both = ir.node("Pad", [column.outputs[0], parameter("two_logits/pads", [0, 1, 0, 0])], name="ninspect/two_logits")
    batch = logit.shape[0] if logit.shape is not None else "N"
    for node, width in ((column, 1), (both, 2)):
        (result,) = node.outputs
        result.name, result.shape, result.type = node.name, ir.Shape([batch, width]), logit.type
        graph.append(node)
    return both.outputs[0]


def negated(graph: ir.Graph, costs: ir.Value) -> ir.Value:
    """−c, appended to a graph: the logits that are largest where costs are smallest."""
    node = ir.node("Neg", [costs], name="ninspect/of_costs")
    (result,) = node.outputs
    result.name, result.shape, result.type = node.name, costs.shape, costs.type
    graph.append(node)
    return result


def read_back(graph: ir.Graph, integers: ir.Value) -> ir.Value:
    """What quantised scores stand for, (q − zero point) · scale, appended to a graph."""
    quantizer = rounding_behind(integers)
    assert quantizer is not None
    node = ir.node("DequantizeLinear", [integers, *quantizer.inputs[1:]], name="ninspect/read_back")
    (result,) = node.outputs
    result.name, result.shape, result.type = node.name, integers.shape, ir.TensorType(ir.DataType.FLOAT)
    graph.append(node)
    return result
