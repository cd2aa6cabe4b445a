"""Gradients at an inner activation: the graph is cut there, and the rest is differentiated."""

import numpy as np
import onnx_ir as ir
import pytest
import torch

from ninspect.errors import ModelError
from ninspect.gradient import CLASSES, GRADIENT, LOGITS, differentiate
from ninspect.graph.convert import prepare
from ninspect.graph.cut import cut
from tests.gradient.support import Array, Function, autograd, parse, randn, relative_error, session, some_classes

WEIGHTS = {"w": randn(4, 5), "v": randn(5, 4)}
V = torch.from_numpy(WEIGHTS["v"]).double()


def model(nodes: str = "h = MatMul (x, w); r = Relu (h); y = MatMul (r, v)") -> ir.Model:
    return prepare(parse(nodes, ("N", 4), WEIGHTS))


def run(augmented: ir.Model, tensor: str, activations: Array, classes: Array) -> dict[str, Array]:
    onnx_session = session(ir.to_proto(augmented))
    names = [output.name for output in onnx_session.get_outputs()]
    return dict(zip(names, onnx_session.run(None, {tensor: activations, CLASSES: classes}), strict=True))


@pytest.mark.parametrize(
    ("at", "tail"), [("h", lambda h: h.relu() @ V), ("r", lambda r: r @ V)], ids=["before the ReLU", "after it"]
)
def test_the_tail_is_differentiated_with_respect_to_its_input(at: str, tail: Function) -> None:
    activations = randn(3, 5)
    classes = some_classes(activations)
    found = run(differentiate(cut(model(), at), wrt=at, of="y", count=4), at, activations, classes)
    assert relative_error(found[GRADIENT], autograd(tail, activations, classes)) < 1e-5
    np.testing.assert_allclose(found[LOGITS], tail(torch.from_numpy(activations).double()), rtol=1e-5)


def test_a_tensor_inside_can_be_the_variable_without_a_cut() -> None:
    images = randn(3, 4)
    classes = some_classes(images)
    found = run(differentiate(model(), wrt="r", of="y", count=4), "x", images, classes)
    assert found[GRADIENT] == pytest.approx(WEIGHTS["v"].T[classes], rel=1e-6)


def test_inputs_that_nothing_needs_any_more_are_dropped_and_others_stay() -> None:
    skip = model("h = MatMul (x, w); r = Relu (h); z = MatMul (r, v); y = Add (z, x)")
    assert [value.name for value in cut(model(), "r").graph.inputs] == ["r"]
    assert [value.name for value in cut(skip, "r").graph.inputs] == ["x", "r"]


def test_the_model_itself_is_not_changed() -> None:
    whole = model()
    before = ir.to_proto(whole).SerializeToString()
    cut(whole, "h")
    assert ir.to_proto(whole).SerializeToString() == before


@pytest.mark.parametrize(
    ("at", "message"), [("nothing", "computes a tensor named 'nothing'"), ("y", "nothing follows")]
)
def test_a_cut_that_makes_no_sense_is_refused(at: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        cut(model(), at)
