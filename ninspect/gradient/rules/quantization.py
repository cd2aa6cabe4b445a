"""Quantised networks, differentiated straight through, as they are trained (Bengio, Léonard, Courville 2013).

Rounding has no gradient of its own. The cotangent of a quantised tensor is that of the real numbers which its integers
stand for, so it has the type of a float.
"""

from __future__ import annotations

from ninspect.gradient.ops import Ops, Tensor
from ninspect.gradient.registry import Node, vjp


@vjp("QuantizeLinear")
def quantize_linear(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ where round(x / scale) + zero point is in the range of the integers, else 0."""
    x, integers = node.x, node.y.dtype
    if not integers.is_integer() or node.attribute("block_size", 0):
        raise node.refuse("it quantises to floats, or in blocks")
    parameters = [x for x in node.inputs[1:] if x is not None]
    scale, *zero = [op.cast(_along_axis(op, node, parameter), x) for parameter in parameters]
    level = op.Round(x / scale)
    for offset in zero:
        level = level + offset
    inside = op.And(op.GreaterOrEqual(level, float(integers.min)), op.LessOrEqual(level, float(integers.max)))
    return [op.cast(ybar, x) * op.cast(inside, x), *_nothing(op, ybar, parameters)]


def _along_axis(op: Ops, node: Node, parameter: Tensor) -> Tensor:
    """A scale or zero point of each slice, to broadcast against x."""
    if parameter.rank == 0 or parameter.dims == (1,):
        return parameter
    axis = node.attribute("axis", 1)
    trailing = node.x.rank - 1 - axis if axis >= 0 else -1 - axis
    return op.Unsqueeze(parameter, list(range(1, trailing + 1))) if trailing else parameter


@vjp("DequantizeLinear")
def dequantize_linear(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ."""
    return [ybar, *_nothing(op, ybar, [x for x in node.inputs[1:] if x is not None])]


def _nothing(op: Ops, ybar: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """Scales and zero points that follow the range of the image count as constants."""
    return [op.zeros(ybar, parameter) for parameter in parameters]


@vjp("DynamicQuantizeLinear")
def dynamic_quantize_linear(op: Ops, node: Node, ybar: Tensor, *_: Tensor | None) -> list[Tensor]:
    """x̄ = ȳ: the range follows the image, so nothing is cut off."""
    return [op.cast(ybar, node.x)]
