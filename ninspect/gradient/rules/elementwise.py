"""Element-wise operators. `[S, *s]` times `[*s]` broadcasts, so these rules need nothing for the class axis.

At kinks the conventions are PyTorch's: Relu 0 at 0, Clip 1 at both bounds, Abs 0 at 0, HardSigmoid 0 at both corners.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ninspect.gradient.ops import Ops, Tensor
from ninspect.gradient.registry import Node, vjp


def pointwise(*operators: str) -> Callable[[Callable[[Ops, Node], Tensor]], Callable[[Ops, Node], Tensor]]:
    """Register y = f(x) by its derivative f'(x): x̄ = ȳ · f'(x)."""

    def register(derivative: Callable[[Ops, Node], Tensor]) -> Callable[[Ops, Node], Tensor]:
        @vjp(*operators)
        def rule(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
            return [ybar * derivative(op, node)]

        return derivative

    return register


# Arithmetic: each operand's cotangent is summed over the axes that broadcasting added.


@vjp("Add")
def add(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ, B̄ = ȳ."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar, node.y.symbols, a), op.unbroadcast(ybar, node.y.symbols, b)]


@vjp("Sub")
def sub(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ, B̄ = −ȳ."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar, node.y.symbols, a), op.unbroadcast(-ybar, node.y.symbols, b)]


@vjp("Mul")
def mul(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ·B, B̄ = ȳ·A."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar * b, node.y.symbols, a), op.unbroadcast(ybar * a, node.y.symbols, b)]


@vjp("Div")
def div(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ/B, B̄ = −ȳ·y/B."""
    a, b = node.required(0), node.required(1)
    return [op.unbroadcast(ybar / b, node.y.symbols, a), op.unbroadcast(-ybar * (node.y / b), node.y.symbols, b)]


@vjp("Pow")
def power(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · p · x^(p−1), and 0 where p = 0 (not 0·∞ at x = 0); the exponent is a constant."""
    x, p = node.x, node.required(1)
    exponent = op.cast(p, x)
    slope = op.Where(op.Equal(exponent, 0.0), exponent, exponent * op.Pow(x, exponent - 1))
    return [op.unbroadcast(ybar * slope, node.y.symbols, x), None]


@vjp("Sum")
def total(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Every summand gets ȳ."""
    return [op.unbroadcast(ybar, node.y.symbols, x) for x in node.inputs if x is not None]


@vjp("Mean")
def average(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Every summand gets ȳ / count."""
    return [op.unbroadcast(ybar / len(node.inputs), node.y.symbols, x) for x in node.inputs if x is not None]


@vjp("Max", "Min")
def extremum(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """ȳ goes to the operands that reach the extremum, in equal shares where several do."""
    hits = [op.cast(op.Equal(x, node.y), ybar) for x in node.inputs if x is not None]
    share = ybar / (hits[0] if len(hits) == 1 else op.Sum(*hits))
    return [
        op.unbroadcast(share * hit, node.y.symbols, x)
        for hit, x in zip(hits, node.inputs, strict=True)
        if x is not None
    ]


@vjp("Where")
def where(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """Ā = ȳ where the condition holds, B̄ = ȳ elsewhere."""
    condition, a, b = node.required(0), node.required(1), node.required(2)
    zero = op.const(0.0, ybar.dtype)
    return [
        None,
        op.unbroadcast(op.Where(condition, ybar, zero), node.y.symbols, a),
        op.unbroadcast(op.Where(condition, zero, ybar), node.y.symbols, b),
    ]


@vjp("Neg")
def neg(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = −ȳ."""
    return [-ybar]


@vjp("Identity")
def identity(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ."""
    return [ybar]


@vjp("Cast")
def cast(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ in the type of x."""
    return [op.cast(ybar, node.x)]


@vjp("CastLike")
def cast_like(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ in the type of x; the second input lends its type alone."""
    return [op.cast(ybar, node.x), op.zeros(ybar, like=node.required(1))]


@vjp("Dropout")
def dropout(op: Ops, node: Node, ybar: Tensor | None, *_: Tensor | None) -> Sequence[Tensor | None]:
    """x̄ = ȳ: at inference Dropout is the identity.

    Raises:
        ModelError: the node is in training mode, so its output is random.
    """
    if bool(node.constant(2, False)):
        raise node.refuse("it is in training mode; export the model for inference")
    return [ybar, None, None][: len(node.inputs)]


# Functions of one tensor, by their derivative.


def _step(op: Ops, condition: Tensor, like: Tensor) -> Tensor:
    """1 where the condition holds, else 0."""
    return op.cast(condition, like)


@pointwise("Relu")
def relu(op: Ops, node: Node) -> Tensor:
    """[y > 0]."""
    return _step(op, op.Greater(node.y, 0.0), node.x)


@pointwise("LeakyRelu")
def leaky_relu(op: Ops, node: Node) -> Tensor:
    """1 where x > 0, else α."""
    return _slope(op, node.x, node.attribute("alpha", 0.01))


def _slope(op: Ops, x: Tensor, alpha: float) -> Tensor:
    return op.Where(op.Greater(x, 0.0), op.const(1.0, x.dtype), op.const(alpha, x.dtype))


@pointwise("ThresholdedRelu")
def thresholded_relu(op: Ops, node: Node) -> Tensor:
    """[x > α]."""
    return _step(op, op.Greater(node.x, node.attribute("alpha", 1.0)), node.x)


@vjp("PRelu")
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


@pointwise("Sigmoid")
def sigmoid(op: Ops, node: Node) -> Tensor:
    """y·(1 − y)."""
    return node.y * (1.0 - node.y)


@pointwise("Tanh")
def tanh(op: Ops, node: Node) -> Tensor:
    """1 − y²."""
    return 1.0 - node.y * node.y


@pointwise("Softplus")
def softplus(op: Ops, node: Node) -> Tensor:
    """Sigmoid of x."""
    return op.Sigmoid(node.x)


@pointwise("Softsign")
def softsign(op: Ops, node: Node) -> Tensor:
    """1 / (1 + |x|)²."""
    root = 1.0 + op.Abs(node.x)
    return 1.0 / (root * root)


@pointwise("HardSigmoid")
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


@vjp("Clip")
def clip(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · [min ≤ x ≤ max]."""
    low, high = node.optional(1), node.optional(2)
    gate = ybar
    if low is not None:
        gate = gate * _step(op, op.GreaterOrEqual(node.x, low), node.x)
    if high is not None:
        gate = gate * _step(op, op.LessOrEqual(node.x, high), node.x)
    return [gate, None, None][: len(node.inputs)]


@pointwise("Abs")
def absolute(op: Ops, node: Node) -> Tensor:
    """Sign of x."""
    return op.Sign(node.x)


@pointwise("Exp")
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
    """Cosine of x."""
    return op.Cos(node.x)


@pointwise("Cos")
def cos(op: Ops, node: Node) -> Tensor:
    """Minus the sine of x."""
    return -op.Sin(node.x)


@pointwise("Erf")
def erf(op: Ops, node: Node) -> Tensor:
    """2/√π · e^(−x²)."""
    return op.Exp(-(node.x * node.x)) * (2.0 / math.sqrt(math.pi))
