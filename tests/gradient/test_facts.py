"""What is registered of an operator besides its rule is what the operator does."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, defs, helper
from onnx.reference import ReferenceEvaluator

from ninspect.gradient.registry import FACTS, RULES
from tests.gradient.support import Array

LINE = np.arange(-4, 4, 1e-3, dtype=np.float32)
# Steeper than any of these functions between two neighbours, but for those with poles.
JUMP = 0.2
POLES = {"Atanh", "Log", "Reciprocal", "Tan"}


def functions_of_one_number() -> list[str]:
    schemas = {operator: defs.get_schema(operator) for operator in RULES if FACTS[operator].elementwise}
    return sorted(operator for operator, schema in schemas.items() if schema.min_input == schema.max_input == 1)


def nodes(operator: str) -> Iterator[ir.Node]:
    """The operator with every combination of some values of its float attributes."""
    attributes = defs.get_schema(operator).attributes
    names = [name for name, attribute in attributes.items() if attribute.type == defs.OpSchema.AttrType.FLOAT]
    for numbers in product((-1.0, 0.5, 0.0, 1.0, 2.0), repeat=len(names)):
        settings = [ir.AttrFloat32(name, number) for name, number in zip(names, numbers, strict=True)]
        yield ir.Node("", operator, [ir.Value(name="x")], settings, outputs=[ir.Value(name="y")])


def values(node: ir.Node) -> Array:
    """y on the line, where it is a number."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [len(LINE)]) for name in "xy")
    model = helper.make_model(helper.make_graph([ir.serde.serialize_node(node)], "function", [x], [y]))
    with np.errstate(all="ignore"):
        results = ReferenceEvaluator(model).run(["y"], {"x": LINE})
    result: Array = np.asarray(results[0])  # type: ignore[index]
    return np.asarray(result[np.isfinite(result)])


FUNCTIONS = [operator for operator in functions_of_one_number() if operator not in ("Cast", "Identity")]


@pytest.mark.parametrize("operator", [operator for operator in FUNCTIONS if operator not in POLES])
def test_it_jumps_where_it_says_so(operator: str) -> None:
    """Operators with a derivative and a jump are steps that gradients cannot see: rule GR001."""
    for node in nodes(operator):
        jumps = bool((np.abs(np.diff(values(node))) > JUMP).any())
        assert FACTS[operator].jumps(node) == jumps, node


@pytest.mark.parametrize("operator", [operator for operator in FUNCTIONS if FACTS[operator].never_negative])
def test_it_is_never_negative_where_it_says_so(operator: str) -> None:
    assert all(values(node).min() >= 0 for node in nodes(operator))


@pytest.mark.parametrize("operator", sorted(FACTS))
def test_facts_agree_with_each_other(operator: str) -> None:
    facts = FACTS[operator]
    assert not (facts.zero_gradient and operator in RULES)
    assert facts.elementwise or not facts.piecewise_linear
