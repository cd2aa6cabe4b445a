"""Quantised networks, rewritten so that all integers come from QuantizeLinear and go to DequantizeLinear.

An integer operator stands for three others: dequantise, compute in floats, quantise again. Written out, the network has
the gradient that quantised networks are trained with, and computes the same but for the rounding of single integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape


@dataclass(frozen=True)
class _Form:
    """The inputs of an integer operator, where each tensor is followed by its scale and its zero point.

    Attributes:
        operator: the operator on floats that it stands for.
        operands: index of each operand.
        scale: index of the scale of the result.
        bias: index of the bias, which counts in products of the operands' scales.
    """

    operator: str
    operands: tuple[int, ...]
    scale: int
    bias: int | None = None


# The first two are standard, the others ONNX Runtime's own, of the domain com.microsoft.
_FORMS = {
    "QLinearConv": _Form("Conv", (0, 3), 6, 8),
    "QLinearMatMul": _Form("MatMul", (0, 3), 6),
    "QGemm": _Form("Gemm", (0, 3), 7, 6),
    "QLinearAdd": _Form("Add", (0, 3), 6),
    "QLinearAveragePool": _Form("AveragePool", (0,), 3),
    "QLinearGlobalAveragePool": _Form("GlobalAveragePool", (0,), 3),
    "QLinearLeakyRelu": _Form("LeakyRelu", (0,), 3),
    "QLinearMul": _Form("Mul", (0, 3), 6),
    "QLinearSigmoid": _Form("Sigmoid", (0,), 3),
    "QLinearSoftmax": _Form("Softmax", (0,), 3),
    "QLinearWhere": _Form("Where", (1, 4), 7),
}
# Sums of products of integers, left for a Cast and a Mul to turn into floats.
_PRODUCTS = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
INTEGER_OPERATORS = (*_FORMS, "QLinearConcat", "NhwcMaxPool", *_PRODUCTS)
# Operators that only move numbers or choose among them, so that it makes no difference when these are quantised.
_MOVING = frozenset([
    "DepthToSpace", "Expand", "Flatten", "Gather", "MaxPool", "Reshape", "Slice", "SpaceToDepth", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
])  # fmt: skip


class WriteOutIntegers(ir.passes.InPlacePass):
    """QLinearConv(q, …) → QuantizeLinear(Conv(DequantizeLinear(q, …))), and the like; unknown forms stay."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite the integer operators of a model whose nodes are sorted."""
        graph = model.graph
        modified = False
        for node in list(graph):
            tape = Tape(graph)
            result = _written_out(tape, node)
            if result is not None:
                ir.convenience.replace_nodes_and_values(graph, node, [node], [], node.outputs, [result])
                modified = True
        graph.sort()
        return ir.passes.PassResult(model, modified)


def _written_out(tape: Tape, node: ir.Node) -> ir.Value | None:
    """What replaces the result of a node; None where it stays."""
    if node.domain not in ("", "com.microsoft") or len(node.outputs) > 1:
        return None
    if node.op_type == "QLinearConcat":
        return _quantized(tape, node, _Form("Concat", tuple(range(2, len(node.inputs), 3)), 0))
    if node.op_type in _FORMS:
        return _quantized(tape, node, _FORMS[node.op_type])
    if node.op_type in _PRODUCTS:
        return _product(tape, node)
    if node.op_type == "NhwcMaxPool":
        return _moved(tape, node, "MaxPool", channels_last=True)
    if node.op_type in _MOVING:
        return _moved(tape, node, node.op_type)
    return None


def _quantized(tape: Tape, node: ir.Node, form: _Form) -> ir.Value | None:
    """Dequantise the operands, compute, quantise the result."""
    inputs = [*node.inputs, *[None] * 9]
    attributes: dict[str, Any] = {name: attribute.value for name, attribute in node.attributes.items()}
    channels_last = attributes.pop("channels_last", 0)
    operands: list[ir.Value | None] = [
        _dequantize(tape, inputs[i : i + 3], _channel_axis(form.operator, attributes) if i == 3 else None)
        for i in form.operands
    ]
    if form.bias is not None and inputs[form.bias] is not None:
        scale = tape.op("Mul", [inputs[1], inputs[4]])
        operands.append(_dequantize(tape, [inputs[form.bias], scale], 0))
    if form.operator == "Where":  # its condition is no integer
        operands.insert(0, inputs[0])
    if attributes.pop("opset", 13) < 13:
        result = _old_softmax(tape, operands, attributes)
    elif channels_last:
        result = _channels_last(tape, form.operator, operands, attributes)
    else:
        result = tape.op(form.operator, operands, attributes)
    if inputs[form.scale] is None:
        return result
    return tape.op("QuantizeLinear", [result, *inputs[form.scale : form.scale + 2]])


def _old_softmax(tape: Tape, operands: list[ir.Value | None], attributes: dict[str, Any]) -> ir.Value:
    """Until opset 12, Softmax took several axes together, from the given one to the last."""
    flat = tape.op("Flatten", operands, {"axis": attributes.get("axis", 1)})
    return tape.op("Reshape", [tape.op("Softmax", [flat]), tape.op("Shape", operands)])


def _channels_last(tape: Tape, operator: str, operands: list[ir.Value | None], attributes: dict[str, Any]) -> ir.Value:
    """An operator on images whose channels are the last axis; its weights are those of channels in front.

    Without a window, images have four axes.
    """
    x, *rest = operands
    axes = [*range(1, len(attributes.get("kernel_shape", "HW")) + 1)]
    first = tape.op("Transpose", [x], {"perm": [0, axes[-1] + 1, *axes]})
    y = tape.op(operator, [first, *rest], attributes)
    return tape.op("Transpose", [y], {"perm": [0, *(axis + 1 for axis in axes), 1]})


def _product(tape: Tape, node: ir.Node) -> ir.Value | None:
    """The integers are real numbers divided by their scale; weights count as numbers, their scale comes later.

    Both factors may follow the image, as queries and keys do.
    """
    x, weight, x_zero, weight_zero = [*node.inputs, None, None][:4]
    first, second = _quantization(x), _quantization(weight)
    if first is None:
        return None
    operator = _PRODUCTS[node.op_type]
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    node.outputs[0].type = None  # it was an integer
    real = _dequantize(tape, [x, first[0], x_zero], None)
    if second is None:
        ones = np.ones(() if weight_zero is None or weight_zero.shape is None else weight_zero.shape.numpy())
        one = tape.initializer(ir.tensor(ones.astype(np.float32)), name=f"{node.outputs[0].name}/one")
        weights = _dequantize(tape, [weight, one, weight_zero], _channel_axis(operator, {}))
        return tape.op("Div", [tape.op(operator, [real, weights], attributes), first[0]])
    product = tape.op(operator, [real, _dequantize(tape, [weight, second[0], weight_zero], None)], attributes)
    return tape.op("Div", [product, tape.op("Mul", [first[0], second[0]])])


def _moved(tape: Tape, node: ir.Node, operator: str, channels_last: bool = False) -> ir.Value | None:
    """Do to the real numbers what the node does to integers, and quantise them as before."""
    quantization = _quantization(node.inputs[0])
    if quantization is None:
        return None
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    real = _dequantize(tape, [node.inputs[0], *quantization], None)
    operands = [real, *node.inputs[1:]]
    result = (
        _channels_last(tape, operator, operands, attributes)
        if channels_last
        else tape.op(operator, operands, attributes)
    )
    return tape.op("QuantizeLinear", [result, *quantization])


def _quantization(value: ir.Value | None) -> list[ir.Value | None] | None:
    """Scale and zero point of a quantised tensor that has one of each."""
    node = None if value is None else value.producer()
    if node is None or node.op_type not in ("QuantizeLinear", "DynamicQuantizeLinear"):
        return None
    if node.op_type == "DynamicQuantizeLinear":
        return list(node.outputs[1:])
    scale, *zero = node.inputs[1:3]
    tensor = None if scale is None else scale.const_value
    return [scale, *zero] if tensor is not None and tensor.size == 1 else None


def _dequantize(tape: Tape, inputs: list[ir.Value | None], axis: int | None) -> ir.Value:
    return tape.op("DequantizeLinear", inputs, None if axis is None else {"axis": axis})


def _channel_axis(operator: str, attributes: dict[str, object]) -> int:
    """The axis of a weight along which each output channel may have its own scale."""
    if operator == "Gemm":
        return 0 if attributes.get("transB") else 1
    return 0 if operator == "Conv" else -1
