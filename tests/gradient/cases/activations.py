"""Functions of one tensor. The grid puts values exactly on the kinks, where PyTorch's convention is followed."""

from typing import Any

import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, Function, Values, case, randn


def function(operator: str, equivalent: Function, values: Values = "normal", opset: int = 18) -> Case:
    return case(f"{operator} {values}", f"y = {operator} (x)", equivalent, (2, 5, 4), values=values, opset=opset)


def inside_one(operator: str, equivalent: Function) -> Case:
    return case(operator, f"t = Softsign (x); y = {operator} (t)", lambda x: equivalent(fn.softsign(x)), (2, 5, 4))


def clip(name: str, inputs: str, equivalent: Function, **bounds: Any) -> Case:
    return case(f"Clip {name}", f"y = Clip ({inputs})", equivalent, (2, 5, 4), values="grid", **bounds)


def prelu(name: str, slope_shape: tuple[int, ...]) -> Case:
    return case(
        f"PRelu {name}",
        "y = PRelu (x, slope)",
        lambda x, slope: torch.where(x > 0, x, slope * x),
        (3, 5, 4),
        values="grid",
        slope=randn(*slope_shape),
    )


CASES = [
    function("Relu", torch.relu),
    function("Relu", torch.relu, "grid"),
    function("LeakyRelu", fn.leaky_relu),
    function("LeakyRelu <alpha=0.3>", lambda x: fn.leaky_relu(x, 0.3), "grid"),
    function("ThresholdedRelu", lambda x: fn.threshold(x, 1.0, 0.0), "grid"),
    function("ThresholdedRelu <alpha=0.3>", lambda x: fn.threshold(x, 0.3, 0.0)),
    prelu("one slope", (1,)),
    prelu("scalar slope", ()),
    prelu("slope per channel", (3, 1, 1)),
    prelu("slope per pixel", (5, 4)),
    case(
        "PRelu slope from the image",
        "slope = Sigmoid (x); y = PRelu (x, slope)",
        lambda x: torch.where(x > 0, x, torch.sigmoid(x) * x),
        (3, 4),
    ),
    function("Elu", fn.elu, "grid"),
    function("Elu <alpha=0.7>", lambda x: fn.elu(x, 0.7)),
    function("Celu", fn.celu, "grid"),
    function("Celu <alpha=0.7>", lambda x: fn.celu(x, 0.7)),
    function("Selu", torch.selu, "grid"),
    function("Selu <alpha=1.2, gamma=0.8>", lambda x: 0.8 * fn.elu(x, 1.2)),
    function("Sigmoid", torch.sigmoid),
    function("Tanh", torch.tanh),
    function("Softplus", fn.softplus),
    function("Softsign", fn.softsign, "grid"),
    function("HardSigmoid", lambda x: fn.hardtanh(0.2 * x + 0.5, 0.0, 1.0)),
    function("HardSigmoid <alpha=0.25, beta=0.5>", lambda x: fn.hardtanh(0.25 * x + 0.5, 0.0, 1.0), "grid"),
    function("HardSigmoid <alpha=0.1666666667>", fn.hardsigmoid),
    function("HardSwish", fn.hardswish),
    function("HardSwish", fn.hardswish, "grid"),
    function("Abs", torch.abs, "grid"),
    function("Neg", torch.neg),
    function("Exp", torch.exp),
    function("Log", torch.log, "positive"),
    function("Sqrt", torch.sqrt, "positive"),
    function("Reciprocal", torch.reciprocal, "positive"),
    function("Sin", torch.sin),
    function("Cos", torch.cos),
    function("Erf", torch.erf),
    function("Tan", torch.tan),
    function("Sinh", torch.sinh),
    function("Cosh", torch.cosh),
    inside_one("Asin", torch.asin),
    inside_one("Acos", torch.acos),
    inside_one("Atanh", torch.atanh),
    function("Atan", torch.atan),
    function("Asinh", torch.asinh),
    case("Acosh", "h = Cosh (x); y = Acosh (h)", lambda x: torch.acosh(torch.cosh(x)), (3, 4), values="positive"),
    function("Gelu", fn.gelu, opset=20),
    function('Gelu <approximate="none">', fn.gelu, "grid", opset=20),
    function('Gelu <approximate="tanh">', lambda x: fn.gelu(x, approximate="tanh"), opset=20),
    case("Gelu far out", "z = Mul (x, w); y = Gelu (z)", lambda x, w: fn.gelu(x * w), (3, 4), opset=20, w=30.0),
    function("Mish", fn.mish),
    function("Mish", fn.mish, opset=22),
    function("Swish", fn.silu, opset=24),
    function("Swish <alpha=1.7>", lambda x: x * torch.sigmoid(1.7 * x), opset=24),
    function("Shrink <lambd=1.0>", lambda x: torch.where(x.abs() > 1, x, 0), "grid"),
    function("Shrink <lambd=0.3, bias=0.3>", lambda x: fn.softshrink(x, 0.3)),
    function("Identity", lambda x: x),
    function("Clip <min=-1.0, max=2.0>", lambda x: x.clamp(-1, 2), "grid", opset=6),
    function("Clip <max=2.0>", lambda x: x.clamp(max=2), "grid", opset=6),
    function("Clip", lambda x: x, opset=6),
    clip("two bounds", "x, low, high", lambda x, low, high: x.clamp(low, high), low=-1.0, high=2.0),
    clip("lower bound", "x, low", lambda x, low: x.clamp(low), low=-1.0),
    clip("upper bound", "x, , high", lambda x, high: x.clamp(max=high), high=2.0),
    clip("no bound", "x", lambda x: x),
    clip("low above high", "x, low, high", lambda x, low, high: x.clamp(low, high), low=2.0, high=-1.0),
    function("Dropout", lambda x: x, opset=18),
    function("Dropout <ratio=0.4>", lambda x: x, opset=7),
    case("Dropout with its mask", "y, mask = Dropout (x, ratio)", lambda x, ratio: x, (4,), ratio=0.4),
    case(
        "Dropout not training",
        "y = Dropout (x, ratio, training)",
        lambda x, ratio: x,
        (4,),
        ratio=0.4,
        training=False,
    ),
    case("Cast to double", "d = Cast <to=11> (x); e = Tanh (d); y = Cast <to=1> (e)", torch.tanh, (3, 4)),
    case(
        "Cast to half",
        "h = Cast <to=10> (x); e = Mul (h, h); y = Cast <to=1> (e)",
        lambda x: x * x,
        (3, 4),
        tolerance=2e-3,
    ),
    case("CastLike", "d = Cast <to=11> (x); e = Tanh (d); y = CastLike (e, x)", torch.tanh, (3, 4)),
]
