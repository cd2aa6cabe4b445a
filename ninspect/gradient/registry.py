"""The table of gradient rules: which function differentiates which operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ninspect.graph.writer import Tensor

# A vector-Jacobian product: (op, node, cotangent of each output or None) -> cotangent of each input or None.
Rule = Callable[..., Sequence[Tensor | None]]

RULES: dict[str, Rule] = {}

# Integer or boolean results, and functions whose derivative is zero wherever it exists: no gradient flows through.
ZERO_GRADIENT = frozenset(
    [
        "And",
        "ArgMax",
        "ArgMin",
        "BitShift",
        "Ceil",
        "ConstantOfShape",
        "Equal",
        "EyeLike",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "Hardmax",
        "IsInf",
        "IsNaN",
        "Less",
        "LessOrEqual",
        "NonZero",
        "Not",
        "OneHot",
        "Or",
        "Range",
        "Round",
        "Shape",
        "Sign",
        "Size",
        "Xor",
    ]
)

# Their integers stand for floats, and carry the gradient of those.
QUANTIZING = frozenset(["DynamicQuantizeLinear", "QuantizeLinear"])


def vjp(*operators: str) -> Callable[[Rule], Rule]:
    """Register the gradient rule of one or several operators of the standard domain."""

    def register(rule: Rule) -> Rule:
        for operator in operators:
            RULES[operator] = rule
        return rule

    return register
