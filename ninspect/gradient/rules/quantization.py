"""Quantised networks, differentiated straight through, as they are trained (Bengio, Léonard, Courville 2013).

Rounding has no gradient of its own. The cotangent of a quantised tensor is that of its integers, taken for real
numbers, so it has the type of a float.
"""

from __future__ import annotations

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor


@vjp("QuantizeLinear", quantizes=True)
def quantize_linear(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ / scale where round(x / scale) + zero point is in the range of the integers, else 0.

    Raises:
        ModelError: it quantises to floats, or in blocks.
    """
    x, integers = node.x, node.y.dtype
    if not integers.is_integer() or node.attribute("block_size", 0):
        raise node.refuse("it quantises to floats, or in blocks")
    scale, zero = node.required(1), node.optional(2)
    step = _along_axis(op, node, scale, x)
    level = op.Round(x / step)
    if zero is not None:
        level = level + _along_axis(op, node, zero, x)
    inside = op.And(op.GreaterOrEqual(level, float(integers.min)), op.LessOrEqual(level, float(integers.max)))
    return [op.cast(ybar, x) / step * op.cast(inside, x), *_nothing(op, node, ybar)]


def _along_axis(op: Ops, node: Node, slices: Tensor, like: Tensor) -> Tensor:
    """A scale or zero point, or one of each slice, to broadcast against x, in the type of another tensor."""
    parameter = op.cast(slices, like)
    if slices.rank == 0 or slices.dims == (1,):
        return parameter
    trailing = -1 - node.axis(1)
    return op.Unsqueeze(parameter, list(range(1, trailing + 1))) if trailing else parameter


@vjp("DequantizeLinear")
def dequantize_linear(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · scale.

    Raises:
        ModelError: it is quantised in blocks.
    """
    if node.attribute("block_size", 0):
        raise node.refuse("it is quantised in blocks")
    return [ybar * _along_axis(op, node, node.required(1), ybar), *_nothing(op, node, ybar)]


def _nothing(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """Scales and zero points count as constants, also where they follow the range of the image."""
    return [None if parameter is None else op.zeros(ybar, parameter) for parameter in node.inputs[1:]]


@vjp("Round", quantizes=True)
def round_(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ: training for quantisation rounds floats, between a division and a multiplication by the scale."""
    return [ybar]


@vjp("DynamicQuantizeLinear", quantizes=True)
def dynamic_quantize_linear(op: Ops, node: Node, ybar: Tensor, *_: Tensor | None) -> list[Tensor]:
    """x̄ = ȳ / scale: the range follows the image, so nothing is cut off."""
    return [op.cast(ybar, node.x) / node.outputs[1]]
