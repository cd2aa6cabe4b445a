"""Activations.

At kinks the conventions are PyTorch's: Relu 0 at 0, Clip 1 at both bounds, HardSigmoid 0 at both corners.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from ninspect.gradient.registry import pointwise, vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor


def _step(op: Ops, condition: Tensor, like: Tensor) -> Tensor:
    """1 where the condition holds, else 0."""
    return op.cast(condition, like)


@pointwise("Relu", piecewise_linear=True, never_negative=True, classwise=True)
def relu(op: Ops, node: Node) -> Tensor:
    """[y > 0]."""
    return _step(op, op.Greater(node.y, 0.0), node.x)


@pointwise("LeakyRelu", piecewise_linear=True)
def leaky_relu(op: Ops, node: Node) -> Tensor:
    """1 where x > 0, else α."""
    return _slope(op, node.x, node.attribute("alpha", 0.01))


def _slope(op: Ops, x: Tensor, alpha: float) -> Tensor:
    return op.Where(op.Greater(x, 0.0), op.const(1.0, x.dtype), op.const(alpha, x.dtype))


@pointwise("ThresholdedRelu", jumps=lambda node: node.attributes.get_float("alpha", 1.0) != 0)
def thresholded_relu(op: Ops, node: Node) -> Tensor:
    """[x > α]."""
    return _step(op, op.Greater(node.x, node.attribute("alpha", 1.0)), node.x)


@vjp("PRelu", elementwise=True, piecewise_linear=True)
def prelu(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ · (1 where x > 0, else slope), slope̅ = ȳ · min(x, 0)."""
    x, slope = node.x, node.required(1)
    derivative = op.Where(op.Greater(x, 0.0), op.const(1.0, x.dtype), slope)
    return [ybar * derivative, op.unbroadcast(ybar * op.Min(x, op.const(0.0, x.dtype)), node.y.symbols, slope)]


@pointwise("Elu")
def elu(op: Ops, node: Node) -> Tensor:
    """1 where x > 0, else α·eˣ = y + α."""
    x = node.x
    alpha: float = node.attribute("alpha", 1.0)
    return op.Where(op.Greater(x, 0.0), op.const(1.0, x.dtype), node.y + alpha)


@pointwise("Celu")
def celu(op: Ops, node: Node) -> Tensor:
    """1 where x > 0, else e^(x/α)."""
    x, alpha = node.x, node.attribute("alpha", 1.0)
    return op.Where(op.Greater(x, 0.0), op.const(1.0, x.dtype), op.Exp(op.Min(x, op.const(0.0, x.dtype)) / alpha))


@pointwise("Selu")
def selu(op: Ops, node: Node) -> Tensor:
    """γ where x > 0, else γ·α·eˣ = y + γ·α."""
    x = node.x
    alpha, gamma = node.attribute("alpha", 1.6732632423543772), node.attribute("gamma", 1.0507009873554805)
    return op.Where(op.Greater(x, 0.0), op.const(gamma, x.dtype), node.y + alpha * gamma)


@pointwise("Sigmoid", never_negative=True)
def sigmoid(op: Ops, node: Node) -> Tensor:
    """y·(1 − y)."""
    return node.y * (1.0 - node.y)


@pointwise("Softplus", never_negative=True)
def softplus(op: Ops, node: Node) -> Tensor:
    """sigmoid(x)."""
    return op.Sigmoid(node.x)


@pointwise("Softsign")
def softsign(op: Ops, node: Node) -> Tensor:
    """1 / (1 + |x|)²."""
    root = 1.0 + op.Abs(node.x)
    return 1.0 / (root * root)


@pointwise("HardSigmoid", piecewise_linear=True, never_negative=True)
def hard_sigmoid(op: Ops, node: Node) -> Tensor:
    """α where 0 < y < 1, else 0."""
    inside = op.And(op.Greater(node.y, 0.0), op.Less(node.y, 1.0))
    alpha: float = node.attribute("alpha", 0.2)
    return _step(op, inside, node.x) * alpha


@pointwise("HardSwish")
def hard_swish(op: Ops, node: Node) -> Tensor:
    """0 for x ≤ −3, 1 for x ≥ 3, else x/3 + 1/2."""
    x = node.x
    ramp = op.Where(op.GreaterOrEqual(x, 3.0), op.const(1.0, x.dtype), x / 3.0 + 0.5)
    return op.Where(op.LessOrEqual(x, -3.0), op.const(0.0, x.dtype), ramp)


@vjp("Clip", elementwise=True, piecewise_linear=True)
def clip(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · [min ≤ x ≤ max]."""
    low, high = node.optional(1), node.optional(2)
    gate = ybar
    if low is not None:
        gate = gate * _step(op, op.GreaterOrEqual(node.x, low), node.x)
    if high is not None:
        gate = gate * _step(op, op.LessOrEqual(node.x, high), node.x)
    return [gate, None, None][: len(node.inputs)]


def _shrink_jumps(node: ir.Node) -> bool:
    """Beyond λ it is x − bias, so it jumps by λ − bias; with λ < 0 it never rests at 0, and jumps by the bias."""
    threshold, bias = node.attributes.get_float("lambd", 0.5), node.attributes.get_float("bias", 0.0)
    return bias != max(threshold, 0)


@pointwise("Shrink", jumps=_shrink_jumps)
def shrink(op: Ops, node: Node) -> Tensor:
    """[|x| > λ]."""
    return _step(op, op.Greater(op.Abs(node.x), node.attribute("lambd", 0.5)), node.x)


@pointwise("Swish")
def swish(op: Ops, node: Node) -> Tensor:
    """s + α·x·s·(1 − s), s = sigmoid(α·x)."""
    alpha: float = node.attribute("alpha", 1.0)
    scaled = node.x * alpha
    s = op.Sigmoid(scaled)
    return s + scaled * s * (1.0 - s)


@pointwise("Mish")
def mish(op: Ops, node: Node) -> Tensor:
    """t + x·(1 − t²)·sigmoid(x), t = tanh(softplus(x))."""
    x = node.x
    t = op.Tanh(op.Softplus(x))
    return t + x * (1.0 - t * t) * op.Sigmoid(x)


@pointwise("Gelu")
def gelu(op: Ops, node: Node) -> Tensor:
    """Φ(x) + x·φ(x) with the normal distribution's Φ and φ, or the derivative of the approximation by tanh."""
    x = node.x
    if node.attribute("approximate", "none") == "tanh":
        return _gelu_tanh(op, x)
    cumulative = (op.Erf(x * math.sqrt(0.5)) + 1.0) * 0.5
    return cumulative + x * op.Exp(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))


def _gelu_tanh(op: Ops, x: Tensor) -> Tensor:
    """y = x·(1 + t)/2, t = tanh(u), u = c·(x + a·x³): y′ = (1 + t)/2 + x/2·(1 − t²)·u′."""
    a, c = 0.044715, math.sqrt(2.0 / math.pi)
    square = x * x
    t = op.Tanh(x * (square * a + 1.0) * c)
    slope = (square * (3.0 * a) + 1.0) * c
    return (t + 1.0) * 0.5 + x * 0.5 * (1.0 - t * t) * slope
