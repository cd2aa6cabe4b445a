"""The backward pass as a whole: which tensors it joins, what it refuses, and what it says then."""

import re

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from ninspect.errors import ModelError, UnsupportedOperatorError
from ninspect.gradient import CLASSES, GRADIENT, LOGITS, OBJECTIVE, differentiate
from ninspect.graph.convert import prepare
from tests.gradient.support import (
    Array,
    Explainer,
    Function,
    autograd,
    generator,
    parse,
    randn,
    relative_error,
    session,
    some_classes,
)

IMAGES = randn(3, 4)
WEIGHTS = {"w": randn(4, 4), "v": randn(4, 4), "u": randn(4)}
W, V = (torch.from_numpy(WEIGHTS[name]).double() for name in "wv")


def graph(nodes: str, **weights: Array) -> onnx.ModelProto:
    """A model from images `x` `[N, 4]` to `y` `[N, 4]`."""
    return parse(nodes, ("N", 4), WEIGHTS | weights)


def check(model: onnx.ModelProto, function: Function, of: str = "y") -> None:
    classes = some_classes(IMAGES)
    explanation = Explainer(model, of=of)(IMAGES, classes)
    assert relative_error(explanation.gradient, autograd(function, IMAGES, classes)) < 1e-5


def refusal(model: onnx.ModelProto, wrt: str = "x", of: str = "y") -> str:
    """What the error says."""
    with pytest.raises(ModelError) as caught:
        differentiate(prepare(model), wrt, of, 4)
    return str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "function"),
    [
        ("a = Tanh (x); b = Mul (a, a); c = Add (a, b); y = Sub (c, x)", lambda x: x.tanh() + x.tanh() ** 2 - x),
        ("a = MatMul (x, w); b = Relu (a); c = MatMul (b, v); y = Add (c, x)", lambda x: (x @ W).relu() @ V + x),
        ("a = Tanh (x); b = Exp (a); c = Exp (b); y = Sum (a, b, c, a)",
         lambda x: 2 * x.tanh() + x.tanh().exp() + x.tanh().exp().exp()),
        ("y = Identity (x)", lambda x: x),
        ("a = Identity (x); b = Identity (a); y = Add (b, a)", lambda x: 2 * x),
    ],
    ids=["used three times", "skip connection", "diamonds", "identity", "identities"],
)  # fmt: skip
def test_cotangents_add_up_where_a_tensor_is_used_several_times(nodes: str, function: Function) -> None:
    check(graph(nodes), function)


def test_the_logits_may_be_an_intermediate_tensor() -> None:
    check(graph("a = MatMul (x, w); z = Tanh (a); y = Softmax (z)"), lambda x: (x @ W).tanh(), of="z")


def test_the_gradient_may_be_asked_of_an_intermediate_tensor() -> None:
    model = graph("a = MatMul (x, w); b = Tanh (a); y = MatMul (b, v)")
    augmented = session(ir.to_proto(differentiate(prepare(model), "b", "y", 4)))
    classes = some_classes(IMAGES)
    (gradient,) = augmented.run([GRADIENT], {"x": IMAGES, CLASSES: classes})
    hidden = (torch.from_numpy(IMAGES).double() @ W).tanh().numpy()
    assert relative_error(gradient, autograd(lambda b: b @ V, hidden, classes)) < 1e-5


def test_branches_that_do_not_lead_to_the_logits_are_left_alone() -> None:
    """Det has no rule; it is computed from the image, but not used, and from a weight, but not of the image."""
    model = graph(
        "s = MatMul (x, w); t = Transpose (s); q = MatMul (t, s); unused = Det (q); a = Det (v); y = Mul (s, a)"
    )
    check(model, lambda x: x @ W * V.det())


def test_integers_on_the_way_carry_no_gradient() -> None:
    """The index of the largest pixel selects a weight: a function of the image that is constant almost everywhere."""
    model = graph("i = ArgMax <axis=1, keepdims=0> (x); g = Gather (v, i); y = Mul (g, x)")
    check(model, lambda x: V[x.argmax(1)] * x)


def test_rounding_up_and_down_carries_no_gradient() -> None:
    model = graph("c = Ceil (x); f = Floor (x); g = Mul (c, f); y = Mul (g, x)")
    check(model, lambda x: (x.ceil() * x.floor()).detach() * x)


def test_further_outputs_are_kept_and_the_model_is_not_changed() -> None:
    prepared = prepare(graph("a = MatMul (x, w); z = Tanh (a); y = Softmax (z)"))
    before = ir.to_proto(prepared).SerializeToString()
    augmented = ir.to_proto(differentiate(prepared, "x", "z", 4, outputs=("y", "a", "y")))
    assert ir.to_proto(prepared).SerializeToString() == before
    assert [output.name for output in augmented.graph.output] == ["y", "a", LOGITS, OBJECTIVE, GRADIENT]
    y, logits = session(augmented).run(["y", LOGITS], {"x": IMAGES, CLASSES: some_classes(IMAGES)})
    assert y == pytest.approx(torch.from_numpy(logits).softmax(1).numpy())


def test_an_output_of_the_model_may_be_used_by_it() -> None:
    model = graph("a = MatMul (x, w); b = Tanh (a); y = MatMul (b, v)")
    model.graph.output.append(onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, None))
    check(model, lambda x: (x @ W).tanh() @ V)
    check(model, lambda x: (x @ W).tanh(), of="b")


def test_names_of_the_model_may_look_like_those_of_the_builder() -> None:
    model = graph("v0_0 = MatMul (x, w); Tanh_0 = Tanh (v0_0); y = MatMul (Tanh_0, v)")
    check(model, lambda x: (x @ W).tanh() @ V)


def test_classes_and_batch_are_free() -> None:
    explain = Explainer(graph("a = MatMul (x, w); b = Tanh (a); y = MatMul (b, v)"), 4, of="y")
    for explained, count in [(1, 1), (4, 1), (1, 5), (7, 3)]:
        images = randn(count, 4)
        classes = generator("classes").integers(0, 4, (explained, count))
        expected = autograd(lambda x: (x @ W).tanh() @ V, images, classes)
        assert relative_error(explain(images, classes).gradient, expected) < 1e-5


def test_logits_of_any_shape_are_read_image_by_image() -> None:
    model = parse("y = GlobalAveragePool (x)", ("N", 4, 3, 3), {})
    images, classes = randn(2, 4, 3, 3), np.array([[0, 3]])
    explanation = Explainer(model, 4, of="y")(images, classes)
    assert explanation.logits.shape == (2, 4)
    assert relative_error(explanation.gradient, autograd(lambda x: x.mean((2, 3)), images, classes)) < 1e-5


# Refusals


def branching(condition: str) -> onnx.ModelProto:
    """y is tanh(x) if the condition holds, else 2x."""
    return graph(
        f"""
        {condition}
        y = If (c) <
            then_branch = g1 () => (float a) {{ a = Tanh (x) }},
            else_branch = g2 () => (float b) {{ two = Constant <value = float {{2.0}}> () b = Mul (x, two) }}
        >
        """,
        none=np.array(0, np.float32),
    )


def test_a_branch_that_depends_on_the_image_is_refused() -> None:
    """Its nodes read x without being connected to it in the graph around them."""
    model = branching("s = ReduceSum <keepdims=0> (x); c = Greater (s, none)")
    with pytest.raises(UnsupportedOperatorError, match="operator If"):
        differentiate(prepare(model), "x", "y", 4)


@pytest.mark.parametrize("size", [4, 1])
def test_a_branch_that_depends_on_a_size_is_taken(size: int) -> None:
    """As PyTorch exports the Squeeze of an axis whose size it does not know."""
    condition = f"s = Shape <start=1> (x); k = Constant <value = int64 {{{size}}}> () n = Squeeze (s); c = Equal (n, k)"
    check(branching(condition), torch.tanh if size == 4 else lambda x: 2 * x)


def test_operators_without_a_rule_are_all_named() -> None:
    nodes = "a = MatMul (x, w); b = Det (a); c = Unique (a); d = Mul (c, b); y = Unique (d)"
    model = graph(nodes)
    for node, name in zip(model.graph.node, ["first", "second", "third", "fourth", "fifth"], strict=True):
        node.name = name
    with pytest.raises(UnsupportedOperatorError, match=r"operator Det \(node 'second'\)") as caught:
        differentiate(prepare(model), "x", "y", 4)
    assert caught.value.operators == ["Det", "Unique"]
    assert caught.value.nodes == ["Det (node 'second')", "Unique (node 'third')", "Unique (node 'fifth')"]
    assert "Det, Unique" in str(caught.value)


def test_an_operator_of_another_domain_is_named_with_its_domain() -> None:
    model = graph("a = com.acme.Relu (x); y = Identity (a)")
    model.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))
    a = onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, ["N", 4])
    model.graph.value_info.append(a)
    with pytest.raises(UnsupportedOperatorError, match=r"com\.acme::Relu"):
        differentiate(prepare(model), "x", "y", 4)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ("y, m, v2 = BatchNormalization <training_mode=1> (x, u, u, u, u)", "BatchNormalization .* training mode"),
        ("y = Dropout (x, , yes)", "Dropout .* training mode"),
        ("y = Pow (x, x)", "Pow .* input 'x' depends on the image"),
        ("y = LayerNormalization (x, x)", "LayerNormalization .* depends on the image"),
        ("z, m = LayerNormalization (x, u); y = Add (z, m)", "LayerNormalization .* mean or deviation"),
        ("y = MeanVarianceNormalization <axes=[0, 1]> (x)", "MeanVarianceNormalization .* batch"),
        ('y = Resize <keep_aspect_ratio_policy="not_larger"> (x, , , sizes)', "Resize .* aspect ratio"),
        ('y = Einsum <equation="ij,jj->ij"> (x, x)', "Einsum .* diagonal"),
        ('y = ScatterND <reduction="max"> (x, place, x)', "ScatterND .* 'max'"),
        ("q = QuantizeLinear (x, one); y = Cast <to=1> (q)", "Cast .* quantised numbers without their scale"),
        ("i = Cast <to=7> (x); y = Cast <to=1> (i)", "does not depend on 'x' in a way that has a gradient"),
        ("y = Sign (x)", "does not depend on 'x' in a way that has a gradient"),
        ("z = Relu (x); y = Identity (w)", "does not depend on 'x' in a way that has a gradient"),
    ],
)
def test_what_has_no_gradient_is_refused(nodes: str, message: str) -> None:
    weights = {
        "yes": np.array(True),
        "one": np.array(1, np.float32),
        "place": np.array([[0]]),
        "sizes": np.array([3, 4]),
    }
    assert re.search(message, refusal(graph(nodes, **weights)))


@pytest.mark.parametrize(("wrt", "of"), [("nothing", "y"), ("x", "nothing")])
def test_a_tensor_that_does_not_exist_is_named(wrt: str, of: str) -> None:
    assert refusal(graph("y = Relu (x)"), wrt, of) == "the model has no tensor named 'nothing'"


@pytest.mark.parametrize(
    "node",
    [
        "MaxPool <kernel_shape=[100000, 100000], pads=[99999, 99999, 99999, 99999]>",
        "AveragePool <kernel_shape=[100000, 100000], pads=[99999, 99999, 99999, 99999]>",
    ],
)
def test_a_huge_window_is_refused(node: str) -> None:
    assert "its window has more than" in refusal(parse(f"y = {node} (x)", ("N", 2, 9, 9), {}))


def test_a_window_that_starts_in_the_padding_is_refused_where_its_size_is_inferred_wrongly() -> None:
    model = parse("y = MaxPool <kernel_shape=[2], strides=[2], pads=[1, 1], ceil_mode=1> (x)", (1, 2, 7), {}, opset=18)
    assert "export the model with opset 22" in refusal(model)
