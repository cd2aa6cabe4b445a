"""Element-wise arithmetic. `[S, *s]` times `[*s]` broadcasts, so these rules need nothing for the class axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ninspect.gradient.registry import MANY, pointwise, vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

# Arithmetic: each operand's cotangent is summed over the axes that broadcasting added.


@vjp("Add", elementwise=True, piecewise_linear=True, keeps_sign_of=MANY)
def add(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ, B̄ = ȳ."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar, node.y.symbols, a), op.unbroadcast(ybar, node.y.symbols, b)]


@vjp("Sub", elementwise=True, piecewise_linear=True)
def sub(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ, B̄ = −ȳ."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar, node.y.symbols, a), op.unbroadcast(-ybar, node.y.symbols, b)]


@vjp("Mul", elementwise=True, piecewise_linear=True)
def mul(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ·B, B̄ = ȳ·A."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar * b, node.y.symbols, a), op.unbroadcast(ybar * a, node.y.symbols, b)]


@vjp("Div", elementwise=True, piecewise_linear=True)
def div(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ/B, B̄ = −ȳ·y/B."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar / b, node.y.symbols, a), op.unbroadcast(-ybar * (node.y / b), node.y.symbols, b)]


@vjp("Pow", elementwise=True)
def power(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · p · x^(p−1), and 0 where p = 0 (not 0·∞ at x = 0); the exponent is a constant."""
    x, p = node.x, node.required(1)
    exponent = op.cast(p, x)
    slope = op.Where(op.Equal(exponent, 0.0), exponent, exponent * op.Pow(x, exponent - 1))
    return [op.unbroadcast(ybar * slope, node.y.symbols, x), None]


@vjp("Sum", elementwise=True, piecewise_linear=True)
def total(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Every summand gets ȳ."""
    return [op.unbroadcast(ybar, node.y.symbols, x) for x in node.inputs if x is not None]


@vjp("Mean", elementwise=True, piecewise_linear=True)
def average(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Every summand gets ȳ / count."""
    return [op.unbroadcast(ybar / len(node.inputs), node.y.symbols, x) for x in node.inputs if x is not None]


@vjp("Max", "Min", elementwise=True, piecewise_linear=True)
def extremum(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """ȳ goes to the operands that reach the extremum, in equal shares where several do."""
    operands, extreme = node.comparable()
    hits = [op.cast(op.Equal(x, extreme), ybar) for x in operands]
    share = ybar / (hits[0] if len(hits) == 1 else op.Sum(*hits))
    return [
        op.unbroadcast(share * hit, node.y.symbols, x)
        for hit, x in zip(hits, node.inputs, strict=True)
        if x is not None
    ]


@vjp("Where", elementwise=True)
def where(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """Ā = ȳ where the condition holds, B̄ = ȳ elsewhere."""
    condition, a, b = node.required(0), node.required(1), node.required(2)
    zero = op.const(0.0, ybar.dtype)
    return [
        None,
        op.unbroadcast(op.Where(condition, ybar, zero), node.y.symbols, a),
        op.unbroadcast(op.Where(condition, zero, ybar), node.y.symbols, b),
    ]


@vjp("Neg", elementwise=True, piecewise_linear=True)
def neg(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = −ȳ."""
    return [-ybar]


@vjp("Identity", elementwise=True, piecewise_linear=True, keeps_sign_of=1, classwise=True)
def identity(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ."""
    return [ybar]


@vjp("Cast", elementwise=True, piecewise_linear=True, classwise=True)
def cast(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ in the type of x.

    Raises:
        ModelError: x holds quantised numbers, whose scale is unknown here.
    """
    if not node.x.dtype.is_floating_point():
        raise node.refuse("it reads quantised numbers without their scale")
    return [op.cast(ybar, node.x)]


@vjp("CastLike", elementwise=True, piecewise_linear=True)
def cast_like(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ in the type of x; the second input lends its type alone."""
    other = node.required(1)
    return [op.cast(ybar, node.x), op.cast(op.zeros(ybar, other), other)]


@vjp("Dropout", elementwise=True, piecewise_linear=True, keeps_sign_of=1)
def dropout(op: Ops, node: Node, ybar: Tensor | None, *_: Tensor | None) -> Sequence[Tensor | None]:
    """x̄ = ȳ: at inference Dropout is the identity.

    Raises:
        ModelError: the node is in training mode, so its output is random.
    """
    if bool(node.constant(2, False)):
        raise node.refuse("it is in training mode; export the model for inference")
    return [ybar, None, None][: len(node.inputs)]


@vjp("Mod", elementwise=True, jumps=lambda _: True)
def mod(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """y = A − q·B with a whole number q: Ā = ȳ, B̄ = −ȳ·q."""
    a, b = node.required(0), node.required(1)
    quotient = op.Round((a - node.y) / b)
    return [op.unbroadcast(ybar, node.y.symbols, a), op.unbroadcast(-ybar * quotient, node.y.symbols, b)]


# Functions of one tensor, by their derivative.


@pointwise("Tanh")
def tanh(op: Ops, node: Node) -> Tensor:
    """1 − y²."""
    return 1.0 - node.y * node.y


@pointwise("Abs", piecewise_linear=True, never_negative=True)
def absolute(op: Ops, node: Node) -> Tensor:
    """sign(x)."""
    return op.Sign(node.x)


@pointwise("Exp", never_negative=True)
def exp(op: Ops, node: Node) -> Tensor:
    """y."""
    return node.y


@pointwise("Log")
def log(op: Ops, node: Node) -> Tensor:
    """1/x."""
    return 1.0 / node.x


@pointwise("Sqrt")
def sqrt(op: Ops, node: Node) -> Tensor:
    """1/(2y)."""
    return 0.5 / node.y


@pointwise("Reciprocal")
def reciprocal(op: Ops, node: Node) -> Tensor:
    """−y²."""
    return -(node.y * node.y)


@pointwise("Sin")
def sin(op: Ops, node: Node) -> Tensor:
    """cos(x)."""
    return op.Cos(node.x)


@pointwise("Cos")
def cos(op: Ops, node: Node) -> Tensor:
    """−sin(x)."""
    return -op.Sin(node.x)


@pointwise("Erf")
def erf(op: Ops, node: Node) -> Tensor:
    """2/√π · e^(−x²)."""
    return op.Exp(-(node.x * node.x)) * (2.0 / math.sqrt(math.pi))


@pointwise("Tan")
def tan(op: Ops, node: Node) -> Tensor:
    """1 + y²."""
    return 1.0 + node.y * node.y


@pointwise("Sinh")
def sinh(op: Ops, node: Node) -> Tensor:
    """cosh(x)."""
    return op.Cosh(node.x)


@pointwise("Cosh")
def cosh(op: Ops, node: Node) -> Tensor:
    """sinh(x)."""
    return op.Sinh(node.x)


@pointwise("Asin")
def asin(op: Ops, node: Node) -> Tensor:
    """1/√(1 − x²)."""
    return 1.0 / op.Sqrt(1.0 - node.x * node.x)


@pointwise("Acos")
def acos(op: Ops, node: Node) -> Tensor:
    """−1/√(1 − x²)."""
    return -1.0 / op.Sqrt(1.0 - node.x * node.x)


@pointwise("Atan")
def atan(op: Ops, node: Node) -> Tensor:
    """1/(1 + x²)."""
    return 1.0 / (1.0 + node.x * node.x)


@pointwise("Asinh")
def asinh(op: Ops, node: Node) -> Tensor:
    """1/√(x² + 1)."""
    return 1.0 / op.Sqrt(node.x * node.x + 1.0)


@pointwise("Acosh")
def acosh(op: Ops, node: Node) -> Tensor:
    """1/√(x² − 1)."""
    return 1.0 / op.Sqrt(node.x * node.x - 1.0)


@pointwise("Atanh")
def atanh(op: Ops, node: Node) -> Tensor:
    """1/(1 − x²)."""
    return 1.0 / (1.0 - node.x * node.x)
