"""Factors that all classes share are multiplied together before they meet a cotangent."""

import pytest
import torch

from ninspect.gradient import differentiate
from ninspect.graph.convert import prepare
from tests.gradient.support import Explainer, Function, autograd, parse, randn, relative_error, some_classes

IMAGES = randn(3, 4)


def products_with_cotangents(nodes: str) -> int:
    """How many multiplications, divisions and sums of the augmented graph have one result for each class."""
    model = differentiate(prepare(parse(nodes, ("N", 4), {})), "x", "y", 4)
    varying = {value for value in model.graph.inputs if value.name == "ninspect/classes"}
    count = 0
    for node in model.graph:
        if any(value in varying for value in node.inputs):
            varying.update(node.outputs)
            count += node.op_type in ("Mul", "Div", "Add", "Sub")
    return count


@pytest.mark.parametrize(
    ("nodes", "function"),
    [
        ("a = Sigmoid (x); y = Mul (x, a)", torch.nn.functional.silu),
        ("a = Tanh (x); b = Exp (a); y = Sin (b)", lambda x: x.tanh().exp().sin()),
        ("h = Constant <value_float = 2.0> (); a = Mul (x, h); b = Neg (a); c = Div (b, h); d = Erf (c)"
         "; y = Sub (x, d)", lambda x: x + x.erf()),
    ],
    ids=["swish", "chain", "negated"],
)  # fmt: skip
def test_regrouped_gradients_are_those_of_pytorch(nodes: str, function: Function) -> None:
    classes = some_classes(IMAGES)
    gradient = Explainer(parse(nodes, ("N", 4), {}), of="y")(IMAGES, classes).gradient
    assert relative_error(gradient, autograd(function, IMAGES, classes)) < 1e-5


@pytest.mark.parametrize(
    "nodes",
    ["a = Sigmoid (x); y = Mul (x, a)", "a = Tanh (x); b = Exp (a); y = Sin (b)", "a = Clip (x); y = Tanh (a)"],
    ids=["swish", "chain", "clip"],
)
def test_a_chain_costs_one_product_with_the_cotangent(nodes: str) -> None:
    assert products_with_cotangents(nodes) == products_with_cotangents("y = Tanh (x)")


def test_half_precision_keeps_its_order() -> None:
    """It would round the product of the factors."""
    half = "h = Cast <to=10> (x); a = Tanh (h); b = Exp (a); y = Cast <to=1> (b)"
    assert products_with_cotangents(half) == products_with_cotangents("y = Tanh (x)") + 1
