"""Steps between logits and scores: which are looked through, and that the gradient is of what is behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ninspect.audit.selftest import check_gradient, check_scores
from ninspect.errors import ModelError
from ninspect.model import Classifier, load_classifier
from tests.support import Array, even_weights, onnx_model, open_network, random_pixels, save

WEIGHTS = even_weights(side=8).reshape(10, 64).T
LINEAR = "f = Flatten(x); z = MatMul(f, w)"
PARAMETERS: dict[str, Any] = {
    "tiny": 1e-7,
    "most": 1 - 1e-7,
    "tenth": 0.1,
    "half": 0.5,
    "one": 1.0,
    "two": 2.0,
    "thirty": 30.0,
    "hundred": 100.0,
    "million": 1e6,
    "less": -2.0,
    "none": 0.0,
    "ten": np.full((1, 10), 10.0),
    "bias": np.linspace(-1, 1, 10),
    "axis": np.array([1]),
    "first": np.array([0]),
    "k": np.array([3]),
    "all": np.array([10]),
    "table": np.arange(10)[::-1].copy(),
    "pairs": np.arange(10) // 2,
    "words": np.array([f"sign {label}" for label in range(10)], object),
    "shape": np.array([-1, 10]),
    "wide": np.array([-1, 10, 1, 1]),
    "step": 1 / 256,
    "coarse": 0.5,
    "zero": np.array(0, np.uint8),
    "middle": np.array(128, np.uint8),
    "depth": np.array([10]),
    "marks": np.array([0.0, 1.0]),
    "turned": np.array([1.0, 0.0]),
    "one_on": np.array([1]),
    "past": np.array([10]),
    "shuffled": np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7]),
}
SOFTMAX = "m = ReduceMax(z, axis); d = Sub(z, m); e = Exp(d); s = ReduceSum(e, axis)"


def model(tail: str, y: str = "float[N,10] y", weights: Array = WEIGHTS) -> onnx.ModelProto:
    nodes = f"{LINEAR}; {tail}"
    used = {name for node in nodes.split(";") for name in node.split("(")[1].rstrip(") \n").replace(" ", "").split(",")}
    parameters = {name: value for name, value in PARAMETERS.items() if name in used}
    return onnx_model(nodes, y=y, w=weights, **parameters)


def understood(proto: onnx.ModelProto, folder: Path) -> Classifier:
    return load_classifier(save(proto, folder / "model.onnx"))


RISING = [
    "p = Softmax(z); y = Clip(p, tiny, most)",
    "t = Mul(z, thirty); p = Softmax(t); y = Clip(p, tiny, most)",
    "t = Div(z, two); y = Softmax(t)",
    "t = Mul(z, ten); y = Softmax(t)",
    "p = Softmax(z); y = Softmax(p)",
    "p = Softmax(z); c = Clip(p, tiny); y = Log(c)",
    "p = Softmax(z); s = Sqrt(p); n = ReduceSum(s, axis); y = Div(s, n)",
    "p = Softmax(z); q = Pow(p, half); n = ReduceL1(q, axis); y = Div(q, n)",
    "e = Exp(z); s = ReduceSum(e, axis); y = Div(e, s)",
    f"{SOFTMAX}; y = Div(e, s)",
    f"{SOFTMAX}; q = Div(e, s); y = Clip(q, tiny, most)",
    f"{SOFTMAX}; g = Add(s, tiny); y = Div(e, g)",
    f"{SOFTMAX}; g = Max(s, tiny); y = Div(e, g)",
    f"{SOFTMAX}; g = Clip(s, tiny); y = Div(e, g)",
    f"{SOFTMAX}; l = Log(s); y = Sub(d, l)",
    "l = ReduceLogSumExp(z, axis); y = Sub(z, l)",
    "n = Neg(z); e = Exp(n); o = Add(e, one); y = Reciprocal(o)",
    "n = Neg(z); e = Exp(n); o = Add(one, e); y = Div(one, o)",
    "p = Sigmoid(z); y = Clip(p, tiny, most)",
    "p = Sigmoid(z); a = Mul(p, two); y = Sub(a, one)",
    "p = Softmax(z); m = ReduceMax(p, axis); y = Div(p, m)",
    "p = Softmax(z); y = LpNormalization<axis = 1, p = 1>(p)",
    "p = Softmax(z); a = Max(p, tiny); y = Min(a, most)",
    "t = Div(z, thirty); h = Tanh(t); y = Mul(h, thirty)",
    "p = Softmax(z); n = Neg(p); y = Sub(one, n)",
    "y = Mul(z, two)",
]  # fmt: skip


@pytest.mark.parametrize("tail", RISING)
def test_what_keeps_the_classes_in_order_is_looked_through(tmp_path: Path, tail: str) -> None:
    network = open_network(model(tail), tmp_path)
    assert (network.classifier.logits, network.classifier.falling) == ("z", False)
    pixels = random_pixels(4, (8, 8, 1))
    scores, logits = network.scores(pixels), network.logits(pixels)
    assert (scores.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert np.allclose(logits, pixels.reshape(4, 64) @ WEIGHTS, atol=1e-4)
    assert check_scores(network, pixels).passed
    assert check_gradient(network, pixels, seed=0).error < 1e-4


@pytest.mark.parametrize(
    "tail",
    [
        "p = Softmax(z); l = Log(p); y = Neg(l)",
        "l = LogSoftmax(z); y = Mul(l, less)",
        f"{SOFTMAX}; l = Log(s); g = Sub(d, l); y = Neg(g)",
        "p = Softmax(z); y = Sub(one, p)",
    ],
)
def test_of_costs_the_smallest_is_the_answer(tmp_path: Path, tail: str) -> None:
    network = open_network(model(tail), tmp_path)
    assert (network.classifier.logits, network.classifier.falling) == ("z", True)
    pixels = random_pixels(4, (8, 8, 1))
    assert (network.scores(pixels).argmin(axis=1) == network.logits(pixels).argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("tail", "logits"),
    [
        ("y = Clip(z, less, two)", "y"),  # classes beyond a bound would be equal, and the first of them the answer
        ("y = Relu(z)", "y"),
        ("p = Sigmoid(z); y = Clip(p, tenth, one)", "y"),
        ("p = Sigmoid(z); y = Clip(p, none, half)", "y"),
        ("b = Add(z, bias); y = Softmax(b)", "b"),  # another number for each class
        ("b = Mul(z, bias); y = Softmax(b)", "b"),
        ("y = Softmax<axis = 0>(z)", "y"),
        ("m = ReduceMax(z, first); y = Sub(z, m)", "y"),  # of another image
        ("n = Neg(z); y = Neg(n)", "z"),
        ("y = Neg(z)", "y"),
        ("n = Neg(z); y = Softmax(n)", "n"),  # of distances
        ("n = Mul(z, less); s = Softmax(n); y = Neg(s)", "n"),
        ("n = Neg(z); y = LogSoftmax(n)", "n"),
        ("n = Neg(z); y = Sigmoid(n)", "n"),
        ("n = Neg(z); e = Exp(n); t = ReduceSum(e, axis); y = Div(e, t)", "n"),
        ("s = Sqrt(z); y = Softmax(s)", "s"),
        ("p = Softmax(z); y = Round(p)", "y"),
        ("p = Softmax(z); q = QuantizeLinear(p, coarse, zero); y = DequantizeLinear(q, coarse, zero)", "y"),
        ("p = Softmax(z); q = QuantizeLinear(p, tiny, zero); y = DequantizeLinear(q, tiny, zero)", "y"),
        # A factor that depends on the image and can be zero makes all classes equal: a hidden decision.
        ("m = ReduceMax(z, axis); g = Clip(m, none, one); y = Mul(z, g)", "y"),
        ("m = ReduceMax(z, axis); h = Sub(two, m); g = Relu(h); y = Mul(z, g)", "y"),
        ("m = ReduceMax(z, axis); y = Div(z, m)", "y"),
        # In float32, what is too small becomes zero, what is too large infinite, and what is much smaller is lost.
        ("m = ReduceMax(z, axis); t = Mul(m, hundred); n = Neg(t); g = Exp(n); y = Mul(z, g)", "y"),
        ("m = ReduceMax(z, axis); t = Mul(m, hundred); d = Sub(z, t); y = Exp(d)", "y"),
        ("t = Mul(z, hundred); y = Exp(t)", "y"),
        ("e = Exp(z); s = ReduceSum(e, axis); g = Add(s, tiny); y = Div(e, g)", "y"),
        ("p = Softmax(z); y = Pow(p, hundred)", "y"),
        ("y = Add(z, million)", "y"),
        ("t = Mul(z, tiny); y = Softmax(t)", "t"),
        ("m = ReduceMax(z, axis); b = Greater(m, two); y = Where(b, bias, z)", "y"),
    ],
)
def test_what_may_change_the_answer_is_not(tmp_path: Path, tail: str, logits: str) -> None:
    assert understood(model(tail), tmp_path).logits == logits


@pytest.mark.parametrize("bounds", ["half, one", "tenth, half"])
def test_a_clip_that_leaves_the_largest_probability_alone(tmp_path: Path, bounds: str) -> None:
    """Of ten probabilities the largest is a tenth at least, and of two one is a half at most."""
    found = understood(model(f"p = Softmax(z); y = Clip(p, {bounds})"), tmp_path).logits
    assert found == ("y" if bounds.startswith("half") else "z")


@pytest.mark.parametrize(
    ("tail", "ending"),
    [("y = Clip(z, less, two)", "Clip (it makes 'y')"), ("y = Softmax(z)", ""), ("y = Add(z, bias)", "")],
)
def test_a_step_that_saturates_and_stays_is_named(tmp_path: Path, tail: str, ending: str) -> None:
    assert understood(model(tail), tmp_path).ending == ending


# Sorted scores and labels


@pytest.mark.parametrize(
    ("tail", "y", "passed"),
    [
        ("p = Softmax(z); y, i = TopK<axis = 1>(p, all)", "float[N,10] y, int64[N,10] i", ("Softmax", "TopK")),
        ("y, i = TopK(z, k)", "float[N,3] y, int64[N,3] i", ("TopK",)),
        ("v, i = TopK(z, k); y = Softmax(v)", "float[N,3] y", ("TopK", "Softmax")),
        ("v, y = TopK(z, k)", "int64[N,3] y", ("TopK",)),
        ("p = Softmax(z); y = ArgMax<axis = 1, keepdims = 0>(p)", "int64[N] y", ("Softmax", "ArgMax")),
        ("a = ArgMax<axis = 1>(z); y = Gather(table, a)", "int64[N,1] y", ("ArgMax", "Gather")),
        ("a = ArgMax<axis = 1, keepdims = 0>(z); y = Cast<to = 1>(a)", "float[N] y", ("ArgMax", "Cast")),
        ("a = ArgMax<axis = 1, keepdims = 0>(z); y = OneHot(a, depth, marks)", "float[N,10] y", ("ArgMax", "OneHot")),
        ("y = Hardmax(z)", "float[N,10] y", ("Hardmax",)),
        ("p = Softmax(z); y = QuantizeLinear(p, step, zero)", "uint8[N,10] y", ("Softmax", "QuantizeLinear")),
        ("p = Softmax(z); q = QuantizeLinear(p, step, zero); y = ArgMax<axis = 1>(q)", "int64[N,1] y",
         ("Softmax", "QuantizeLinear", "ArgMax")),
        ("p = Softmax(z); t = Mul(p, hundred); r = Round(t); y = Cast<to = 6>(r)", "int32[N,10] y",
         ("Softmax", "Mul", "Round", "Cast")),
        ("c = ReduceMax(z, axis); a = ArgMax<axis = 1>(z); i = Cast<to = 1>(a); y = Concat<axis = 1>(i, c)",
         "float[N,2] y", ("ArgMax", "Cast", "Concat")),
        ("v, i = TopK(z, k); c = Cast<to = 1>(i); y = Concat<axis = 1>(v, c)", "float[N,6] y",
         ("TopK", "Cast", "Concat")),
        ("a = ArgMax<axis = 1>(z); i = Cast<to = 1>(a); y = Concat<axis = 1>(z, i)", "float[N,11] y",
         ("ArgMax", "Cast", "Concat")),
        ("p = Softmax(z); t = Mul(p, hundred); y = Round(t)", "float[N,10] y", ("Softmax", "Mul", "Round")),
        ("p = Softmax(z); l = Log(p); n = Neg(l); y = ArgMin<axis = 1>(n)", "int64[N,1] y",
         ("Softmax", "Log", "Neg", "ArgMin")),
    ],
)  # fmt: skip
def test_the_scores_behind_labels_and_sorted_scores(tmp_path: Path, tail: str, y: str, passed: tuple[str, ...]) -> None:
    network = open_network(model(tail, y), tmp_path)
    assert (network.classifier.logits, network.classifier.activations) == ("z", passed)
    assert network.classes == 10
    pixels = random_pixels(4, (8, 8, 1))
    assert check_scores(network, pixels).error < 1e-6
    assert check_gradient(network, pixels, seed=0).error < 1e-4


@pytest.mark.parametrize(
    ("tail", "y", "message"),
    [
        ("t = Greater(z, none); y = Cast<to = 7>(t)", "int64[N,10] y", "'y' holds the scores as INT64"),
        ("t = Greater(z, none); c = Cast<to = 7>(t); m = ReduceMax(c, axis); y = Identity(m)", "int64[N,1] y",
         "only the label comes out .* ReduceMax"),
        ("a = ArgMax<axis = 1>(z); y = Gather(pairs, a)", "int64[N,1] y", "'y' answers 5 labels for 10 classes"),
        ("n = Mul(z, bias); a = ArgMax<axis = 1>(z); b = ArgMax<axis = 1>(n); y = Concat<axis = 1>(a, b)",
         "int64[N,2] y", "Concat .* joins the labels of several heads"),
        ("y = ArgMax<axis = 0, keepdims = 0>(z)", "int64[10] y", "ArgMax .* does not compare the classes of one image"),
        ("m = ReduceMax(z, axis); b = Greater(m, two); a = ArgMax<axis = 1>(z); c = Cast<to = 7>(b); y = Mul(a, c)",
         "int64[N,1] y", "only the label comes out .* Mul"),
    ],
)  # fmt: skip
def test_labels_without_scores_behind_them_are_refused(tmp_path: Path, tail: str, y: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        understood(model(tail, y), tmp_path)


def test_other_numbers_for_the_classes_are_told(tmp_path: Path) -> None:
    (remark,) = understood(model("a = ArgMax<axis = 1>(z); y = Gather(table, a)", "int64[N,1] y"), tmp_path).remarks
    assert remark.startswith("output 'y' numbers the classes otherwise: class 0 is 9, class 1 is 8, ")
    assert "and 6 more; here they are numbered in the order of the scores" in remark
    plain = understood(model("p = Softmax(z); y = ArgMax<axis = 1>(p)", "int64[N,1] y"), tmp_path)
    assert (plain.remarks, plain.names) == ((), ())


@pytest.mark.parametrize(
    ("tail", "y"),
    [
        ("y = QuantizeLinear(z, tenth, middle)", "uint8[N,10] y"),
        ("q = QuantizeLinear(z, tenth, middle); y = ArgMax<axis = 1>(q)", "int64[N,1] y"),
    ],
)
def test_of_quantised_scores_what_they_stand_for_is_judged(tmp_path: Path, tail: str, y: str) -> None:
    network = open_network(model(tail, y), tmp_path)
    assert network.gradient_kind == "straight-through"
    pixels = random_pixels(4, (8, 8, 1))
    logits, exact = network.logits(pixels), pixels.reshape(4, 64) @ WEIGHTS
    assert np.abs(logits - exact).max() <= 0.05 + 1e-5
    assert check_scores(network, pixels).error == 0
    gradient = network.jacobian(pixels, np.arange(10))
    assert np.allclose(gradient[:, 0], WEIGHTS.T.reshape(10, 8, 8, 1), atol=1e-5)


@pytest.mark.parametrize(
    "tail",
    [
        "p = Softmax(z); s = Slice(p, one_on, past, axis); y = Identity(s)",  # without a background
        "p = Softmax(z); y = Gather<axis = 1>(p, shuffled)",
        "p = Softmax(z); t = Mul(z, half); q = Softmax(t); s = Add(p, q); y = Mul(s, half)",  # an ensemble
        "p = Softmax(z); q = Sigmoid(z); y = Mean(p, q)",
    ],
)
def test_of_what_is_made_of_probabilities_the_logarithms_are_judged(tmp_path: Path, tail: str) -> None:
    network = open_network(model(tail, "float[N,K] y"), tmp_path)
    assert network.remarks == ("the scores are made of probabilities, so their logarithms are judged",)
    pixels = random_pixels(4, (8, 8, 1))
    beyond = network.logits(pixels) - np.log(network.scores(pixels))  # the same number for all classes of an image
    assert np.ptp(beyond, axis=1).max() < 1e-5
    assert check_gradient(network, pixels, seed=0).error < 1e-4


@pytest.mark.parametrize("tail", ["p = Softmax(z); y = Mul(p, bias)", "p = Softmax(z); y = Mul(p, z)"])
def test_numbers_that_may_be_negative_are_no_probabilities(tmp_path: Path, tail: str) -> None:
    assert understood(model(tail), tmp_path).logits == "y"


def test_marks_that_are_turned_round_are_no_answer(tmp_path: Path) -> None:
    tail = "a = ArgMax<axis = 1, keepdims = 0>(z); y = OneHot(a, depth, turned)"
    assert understood(model(tail), tmp_path).logits == "y"


def test_a_label_beside_its_confidence_is_the_answer(tmp_path: Path) -> None:
    tail = "p = Softmax(z); c = ReduceMax(p, axis); i = ArgMax<axis = 1>(p)"
    for outputs in ("float[N,1] c, int64[N,1] i", "int64[N,1] i, float[N,1] c"):
        found = understood(model(tail, outputs), tmp_path)
        assert (found.logits, found.classes, found.output) == ("z", 10, "i")


def test_words_for_the_classes_are_their_names(tmp_path: Path) -> None:
    tail = "v, i = TopK(z, k); y = Gather(words, i)"
    found = understood(model(tail, "string[N,3] y"), tmp_path)
    assert (found.names, found.remarks) == (tuple(f"sign {label}" for label in range(10)), ())


# One logit


@pytest.mark.parametrize(
    ("tail", "y"),
    [
        ("y = Sigmoid(z)", "float[N,1] y"),
        ("y = Identity(z)", "float[N,1] y"),
        ("p = Sigmoid(z); y = Squeeze(p, axis)", "float[N] y"),
        ("p = Sigmoid(z); y = Clip(p, tiny, most)", "float[N,1] y"),
        ("t = Mul(z, two); h = Sub(t, one); y = Sigmoid(h)", "float[N,1] y"),
    ],
)
def test_one_logit_is_two_classes(tmp_path: Path, tail: str, y: str) -> None:
    network = open_network(model(tail, y, WEIGHTS[:, :1]), tmp_path)
    assert (network.classes, network.classifier.classes) == (2, 2)
    pixels = random_pixels(4, (8, 8, 1))
    logits = network.logits(pixels)
    expected = pixels.reshape(4, 64) @ WEIGHTS[:, :1]
    expected = 2 * expected - 1 if "Mul" in tail else expected
    assert np.allclose(logits, np.concatenate([np.zeros((4, 1)), expected], axis=1), atol=1e-4)
    if "Sigmoid" in tail:
        assert ((network.scores(pixels).reshape(-1) > 0.5) == (logits.argmax(axis=1) == 1)).all()
    assert check_scores(network, pixels).passed
    gradient = network.jacobian(pixels, np.array([0, 1]))
    assert not gradient[0].any()
    factor = 2 if "Mul" in tail else 1
    assert np.allclose(gradient[1], factor * WEIGHTS[:, 0].reshape(8, 8, 1), atol=1e-5)


def test_the_probabilities_of_two_classes_out_of_one(tmp_path: Path) -> None:
    tail = "p = Sigmoid(z); r = Sub(one, p); y = Concat<axis = 1>(r, p)"
    network = open_network(model(tail, "float[N,2] y", WEIGHTS[:, :1]), tmp_path)
    assert (network.classes, network.classifier.activations) == (2, ("Sigmoid", "Sub", "Concat"))
    pixels = random_pixels(4, (8, 8, 1))
    logits = network.logits(pixels)
    assert np.allclose(logits[:, 1:], pixels.reshape(4, 64) @ WEIGHTS[:, :1], atol=1e-4)
    assert (network.scores(pixels).argmax(axis=1) == logits.argmax(axis=1)).all()
    assert check_scores(network, pixels).passed
    assert check_gradient(network, pixels, seed=0).passed


# Rows


def augmented_at_test_time(mean: bool, batch: str) -> onnx.ModelProto:
    """Each image and its negative go through the network; their scores stay apart, or are averaged."""
    shapes: dict[str, Any] = {"pair": np.array([2, -1, 10]), "first": np.array([0])} if mean else {}
    tail = "r = Reshape(z, pair); y = ReduceMean<keepdims = 0>(r, first)" if mean else "y = Identity(z)"
    return onnx_model(
        f"n = Neg(x); b = Concat<axis = 0>(x, n); f = Flatten(b); z = MatMul(f, w); {tail}",
        x=f"float[{batch},1,8,8] x",
        y=f"float[{'M' if not mean else batch},10] y",
        w=WEIGHTS,
        **shapes,
    )


@pytest.mark.parametrize(("batch", "rows"), [("N", "2 rows for 1 image,"), ("3", "6 rows for 3 images,")])
def test_scores_of_several_rows_for_an_image_are_refused(tmp_path: Path, batch: str, rows: str) -> None:
    with pytest.raises(ModelError, match=f"{rows} so its rows are not images"):
        understood(augmented_at_test_time(mean=False, batch=batch), tmp_path)


def test_scores_that_are_averaged_within_the_model_are_those_of_one_image(tmp_path: Path) -> None:
    network = open_network(augmented_at_test_time(mean=True, batch="N"), tmp_path)
    pixels = random_pixels(3, (8, 8, 1))
    assert network.logits(pixels) == pytest.approx(np.zeros((3, 10)), abs=1e-5)  # an image and its negative
    assert check_scores(network, pixels).passed


def test_words_behind_a_label_encoder_are_the_names_of_the_classes(tmp_path: Path) -> None:
    proto = model("y = ArgMax<axis = 1, keepdims = 0>(z)", "int64[N] y")
    words = [f"sign {label}" for label in range(10)]
    tables: dict[str, Any] = {"keys_int64s": list(range(10)), "values_strings": words}
    proto.graph.node.append(helper.make_node("LabelEncoder", ["y"], ["word"], domain="ai.onnx.ml", **tables))
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))
    proto.graph.output.append(helper.make_tensor_value_info("word", TensorProto.STRING, ["N"]))
    found = understood(proto, tmp_path)  # of the number and the word, the word says more
    assert (found.logits, found.names) == ("z", tuple(words))
    tables["values_strings"] = ["same"] * 2 + words[2:]
    del proto.graph.node[-1], proto.graph.output[0]
    proto.graph.node.append(helper.make_node("LabelEncoder", ["y"], ["word"], domain="ai.onnx.ml", **tables))
    with pytest.raises(ModelError, match="'word' answers 9 labels for 10 classes"):
        understood(proto, tmp_path)
