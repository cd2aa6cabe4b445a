"""What is known of every operator: its gradient rule, and facts that others ask for, given where it is registered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import onnx_ir as ir

from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

# A vector-Jacobian product: (op, node, cotangent of each output or None) -> cotangent of each input or None.
Rule = Callable[..., Sequence[Tensor | None]]
# f'(x) of a function of one tensor, element by element.
Derivative = Callable[[Ops, Node], Tensor]

MANY = sys.maxsize  # inputs


def _never(_: ir.Node) -> bool:
    return False


@dataclass(frozen=True)
class Facts:
    """What is known of an operator besides its gradient; what is not given is not known to hold.

    Attributes:
        zero_gradient: the result is an integer or boolean, or the derivative is zero wherever it exists.
        quantizes: its integers stand for floats, and carry the gradient of those.
        elementwise: every element of the result depends on one element of each operand.
        piecewise_linear: element by element, without jumps, of a few straight pieces in each operand.
        jumps: whether a node jumps somewhere though it has a derivative on both sides.
        never_negative: no element of the result is.
        keeps_sign_of: how many inputs there are that must not be negative for the result not to be; they come first.
        classwise: it treats all classes alike.
        shape_from: the first input whose values decide the shape of the result; all that follow do too.
    """

    zero_gradient: bool = False
    quantizes: bool = False
    elementwise: bool = False
    piecewise_linear: bool = False
    jumps: Callable[[ir.Node], bool] = _never
    never_negative: bool = False
    keeps_sign_of: int = 0
    classwise: bool = False
    shape_from: int = MANY


RULES: dict[str, Rule] = {}
FACTS: dict[str, Facts] = {}
_UNKNOWN = Facts()


def facts_of(node: ir.Node) -> Facts:
    """What is known of the operator of a node."""
    return FACTS.get(node.op_type, _UNKNOWN) if node.domain == "" else _UNKNOWN


def know(*operators: str, **facts: Any) -> None:
    """Register the facts of operators of the standard domain, which are fields of `Facts`."""
    FACTS.update(dict.fromkeys(operators, Facts(**facts)))


def vjp(*operators: str, **facts: Any) -> Callable[[Rule], Rule]:
    """Register the gradient rule of one or several operators of the standard domain, and facts about them."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(operators, rule))
        know(*operators, **facts)
        return rule

    return register


def pointwise(*operators: str, **facts: Any) -> Callable[[Derivative], Derivative]:
    """Register y = f(x), element by element, by its derivative f'(x): x̄ = ȳ · f'(x)."""

    def register(derivative: Derivative) -> Derivative:
        @wraps(derivative)
        def rule(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
            return [ybar * derivative(op, node)]

        rule.__doc__ = f"x̄ = ȳ · f′(x), f′(x) = {derivative.__doc__}"
        vjp(*operators, elementwise=True, **facts)(rule)
        return derivative

    return register
