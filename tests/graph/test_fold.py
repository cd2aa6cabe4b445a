"""Constant folding: what becomes a constant, what must not, and that nothing large is computed on the way."""

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from ninspect.graph.branches import ChooseBranches
from ninspect.graph.fold import FoldConstants
from ninspect.graph.shapes import InferShapes
from tests.gradient.support import Array, parse, randn, session


def folded(nodes: str, *dims: int | str | None, **weights: Any) -> ir.Model:
    """The model after shape inference and one round of folding."""
    model = ir.from_proto(parse(nodes, dims, {name: np.asarray(array) for name, array in weights.items()}))
    InferShapes()(model)
    FoldConstants()(model)
    return model


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def constant(model: ir.Model, name: str) -> Array:
    tensor = model.graph.initializers[name].const_value
    assert tensor is not None
    return tensor.numpy()


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ("c = Add (a, b)", {"a": [1, 2], "b": [3]}),
        ("c = Div (a, b)", {"a": [-7, 7, -7], "b": [2, -2, -2]}),
        ("c = Mod (a, b)", {"a": [-7, 7, -7], "b": [2, -2, -2]}),
        ("c = Slice (a, b, e, z, s)", {"a": [1, 2, 3, 4], "b": [-1], "e": [-9], "z": [0], "s": [-2]}),
        ("c = Gather <axis=1> (a, b)", {"a": [[1, 2], [3, 4]], "b": [-1, 0]}),
        ("c = Concat <axis=0> (a, b, a)", {"a": [1], "b": [2, 3]}),
        ("c = Range (a, b, d)", {"a": 3, "b": -4, "d": -2}),
        ("c = ConstantOfShape <value = int64[1] {7}> (a)", {"a": [2, 3]}),
        ("c = Expand (a, b)", {"a": [[1], [2]], "b": [3, 1, 4]}),
        ("c = Tile (a, b)", {"a": [[1, 2]], "b": [2, 3]}),
        ("d = Equal (a, b); c = Where (d, a, e)", {"a": [1, 2], "b": [1, 3], "e": [8, 9]}),
        ("d = Cast <to=1> (a); e = Sqrt (d); f = Floor (e); c = Cast <to=7> (f)", {"a": [16, 26]}),
        ("d = Cast <to=1> (a); e = Round (d); c = Cast <to=7> (e)", {"a": [0, -3]}),
        ("d, c = Split <num_outputs=2> (a)", {"a": [1, 2, 3, 4, 5]}),
        ("c = ReduceProd (a, b)", {"a": [[1, 2], [3, 4]], "b": [1]}),
        ("c = ScatterND (a, b, d)", {"a": [1, 2, 3], "b": [[2], [0]], "d": [8, 9]}),
        ("c = Transpose (a)", {"a": [[1, 2, 3]]}),
    ],
)  # fmt: skip
def test_constants_are_those_of_onnx_runtime(nodes: str, weights: dict[str, Any]) -> None:
    nodes += "; float_c = Cast <to=1> (c); y = Mul (x, float_c)"
    arrays = {name: np.asarray(array) for name, array in weights.items()}
    model = folded(nodes, 1, **arrays)
    assert operators(model) == ["Mul"]
    (expected,) = session(parse(nodes, (1,), arrays)).run(None, {"x": np.ones(1, np.float32)})
    assert constant(model, "c").tolist() == expected.tolist()


def test_a_chain_of_shape_arithmetic_becomes_a_constant() -> None:
    model = folded(
        "s = Shape (x); n = Gather (s, i); u = Unsqueeze (n, first); t = Concat <axis=0> (u, rest); y = Reshape (x, t)",
        2, 3, 4, i=0, first=[0], rest=[-1],
    )  # fmt: skip
    assert operators(model) == ["Reshape"]
    assert constant(model, "t").tolist() == [2, -1]


def test_known_sizes_are_picked_out_of_a_shape_with_unknown_ones() -> None:
    model = folded(
        """
        s = Shape (x); c = Gather (s, one); u = Unsqueeze (c, zero); rest = Slice (s, two, three)
        t = Concat <axis=0> (u, rest); y = Expand (x, t)
        """,
        "N", 3, 4, one=1, zero=[0], two=[2], three=[3],
    )  # fmt: skip
    assert operators(model) == ["Shape", "Expand"]
    assert constant(model, "t").tolist() == [3, 4]


@pytest.mark.parametrize(
    "nodes",
    [
        "n = Gather (s, zero); y = Expand (x, n)",
        "n = Slice (s, zero, one); y = Expand (x, n)",
        "n = Mul (s, one); y = Expand (x, n)",
        "n = Slice (w, zero, s, zero); y = Add (x, n)",
        "n = Gather (w, s); y = Add (x, n)",
        "n = ReduceMax (s); y = Expand (x, n)",
    ],
)
def test_what_depends_on_an_unknown_size_stays(nodes: str) -> None:
    """In particular a weight that is cut to the size of the batch."""
    model = folded(f"s = Shape <end=1> (x); {nodes}", "N", 1, zero=[0], one=[1], w=randn(3))
    assert operators(model)[0] == "Shape"
    assert len(operators(model)) == 3


@pytest.mark.parametrize(
    "nodes",
    [
        "c = ConstantOfShape (huge)",
        "c = Expand (one, huge)",
        "c = Tile (one, huge)",
        "n = Squeeze (huge); c = Range (zero, n, step)",
        "c = Conv <pads=[1000000000000, 0], strides=[1000000000000]> (w, w)",
        "c = MaxPool <kernel_shape=[1], pads=[1000000000000, 0], strides=[1000000000000]> (w)",
        "c = RandomNormal <shape=[2]> ()",
        "c = RandomNormalLike (one)",
        "c = Bernoulli (one)",
    ],
)
def test_nothing_large_or_random_is_computed(nodes: str) -> None:
    """2^40 elements would take terabytes: also in shape inference, when another operator reads them."""
    model = folded(
        f"{nodes}; e = Add (c, c); f = Cast <to=1> (e); y = Add (x, f)",
        1,
        huge=[2**40],
        one=randn(1),
        zero=0,
        step=1,
        w=randn(1, 1, 2),
    )
    assert operators(model)[-3:] == ["Add", "Cast", "Add"]
    assert len(operators(model)) > 3


def test_large_constants_are_left_to_onnx_runtime() -> None:
    model = folded("b = Neg (a); c = Neg (w); d = Mul (b, c); y = Mul (x, d)", 1, a=randn(1), w=randn(100, 100))
    assert operators(model) == ["Neg", "Mul", "Mul"]


def test_the_output_of_the_model_stays_a_node() -> None:
    assert operators(folded("y = Neg (w)", 1, w=randn(3))) == ["Neg"]


def test_a_node_that_cannot_be_evaluated_stays() -> None:
    assert operators(folded("c = Gather (w, i); y = Add (x, c)", 1, w=randn(3), i=[7])) == ["Gather", "Add"]


def test_the_branch_that_is_taken_becomes_part_of_the_graph() -> None:
    """Also when its names, those of another branch and the model's output are the same."""
    branch = "= g () => (float b) { two = Constant <value = float {2.0}> () b = Mul (w, two) }"
    other = "= h () => (float b) { b = Neg (w) }"
    model = folded(
        f"""
        w = Relu (x); c = Cast <to=9> (one); d = Not (c)
        a = If (c) <then_branch {branch}, else_branch {other}>
        b = If (d) <then_branch {other}, else_branch {branch}>
        y = Add (a, b)
        """,
        2,
        one=1,
    )
    assert ChooseBranches()(model).modified
    assert not ChooseBranches()(model).modified
    assert operators(model) == ["Relu", "Constant", "Mul", "Identity", "Constant", "Mul", "Identity", "Add"]
    x = randn(2)
    (y,) = session(ir.to_proto(model)).run(None, {"x": x})
    assert y == pytest.approx(4 * np.maximum(x, 0))
