from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from ninspect.errors import ModelError, UsageError
from ninspect.model import Classifier, load_classifier
from tests.support import Array, even_weights, linear_model, onnx_model, save

WEIGHTS = even_weights(side=8).reshape(10, 64).T


def understood(model: onnx.ModelProto, folder: Path, **options: Any) -> Classifier:
    return load_classifier(save(model, folder / "model.onnx"), **options)


# The image input


@pytest.mark.parametrize(
    ("x", "options", "layout", "image_shape"),
    [
        ("float[N,1,8,8] x", {}, "NCHW", (8, 8, 1)),
        ("float[N,3,8,6] x", {}, "NCHW", (8, 6, 3)),
        ("float[N,8,6,3] x", {}, "NHWC", (8, 6, 3)),
        ("float[N,64] x", {}, "flat", (8, 8, 1)),
        ("float[N,3,H,W] x", {"size": (8, 6)}, "NCHW", (8, 6, 3)),
        ("float[N,3,3,3] x", {"layout": "NHWC"}, "NHWC", (3, 3, 3)),
        ("float[N,96] x", {"size": (4, 8)}, "flat", (4, 8, 3)),
    ],
)
def test_the_layout_of_the_image(
    tmp_path: Path, x: str, options: dict[str, Any], layout: str, image_shape: tuple[int, ...]
) -> None:
    values = int(np.prod(image_shape))
    classifier = understood(
        onnx_model("f = Flatten(x); y = MatMul(f, w)", x=x, w=np.ones((values, 10))), tmp_path, **options
    )
    assert (classifier.layout.name, classifier.layout.image_shape) == (layout, image_shape)
    assert classifier.batch is None
    assert classifier.classes == 10


@pytest.mark.parametrize("kind", ["float", "float16", "double", "uint8"])
def test_the_type_and_the_batch_of_the_input(tmp_path: Path, kind: str) -> None:
    model = onnx_model("c = Cast<to = 1>(x); f = Flatten(c); y = MatMul(f, w)", x=f"{kind}[3,1,8,8] x", w=WEIGHTS)
    classifier = understood(model, tmp_path)
    assert classifier.dtype == np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
    assert classifier.batch == 3


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            "float[N,1,1,8,8] x",
            r"no single input of the model is an image batch; its inputs are: 'x' \[N, 1, 1, 8, 8\]",
        ),
        ("int64[N,8,8,1] x", r"MatMul .* computes with the whole numbers of the input 'x', which has no gradient"),
        ("bool[N,8,8,1] x", "no single input of the model is an image batch"),
        ("string[N] x", "no single input of the model is an image batch"),
        ("float x", r"no single input of the model is an image batch; its inputs are: 'x' \[\]"),
        ("", "reads 'x', which is defined nowhere"),
        ("float[N,3,1048576,1048576] x", "has more than 16777216 values"),
        ("float[N,5,8,8] x", "has no axis of 1 or 3 channels, so it is not an image"),
    ],
)
def test_inputs_that_are_not_one_image_are_refused(tmp_path: Path, x: str, message: str) -> None:
    model = onnx_model("f = Flatten(x); y = MatMul(f, w)", x=x, w=WEIGHTS)
    with pytest.raises(ModelError, match=message):
        understood(model, tmp_path)


def test_weights_that_are_listed_as_inputs_are_not_inputs(tmp_path: Path) -> None:
    model = linear_model(even_weights())
    model.graph.input.append(helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [144, 10]))
    classifier = understood(model, tmp_path)
    assert classifier.input == "x"
    assert [value.name for value in classifier.model.graph.inputs] == ["x"]


# The logits


@pytest.mark.parametrize(
    ("head", "logits", "activations"),
    [
        ("y = Identity(z)", "z", ()),
        ("y = Softmax(z)", "z", ("Softmax",)),
        ("y = LogSoftmax(z)", "z", ("LogSoftmax",)),
        ("y = Sigmoid(z)", "z", ("Sigmoid",)),
        ("p = Softmax(z); y = Log(p)", "z", ("Softmax", "Log")),
        ("p = Softmax(z); y = Reshape(p, shape)", "z", ("Softmax", "Reshape")),
        ("flat = Reshape(z, shape); y = Softmax(flat)", "flat", ("Softmax",)),
        (
            "p = Softmax(z); q = QuantizeLinear(p, step); y = DequantizeLinear(q, step)",
            "z",
            ("Softmax", "QuantizeLinear", "DequantizeLinear"),
        ),
        ("q = QuantizeLinear(z, step); y = DequantizeLinear(q, step)", "y", ()),
        ("y = Log(z)", "y", ()),
        ("y = Relu(z)", "y", ()),
    ],
)
def test_the_logits_are_what_comes_before_a_final_activation(
    tmp_path: Path, head: str, logits: str, activations: tuple[str, ...]
) -> None:
    model = onnx_model(f"f = Flatten(x); z = MatMul(f, w); {head}", w=WEIGHTS, shape=np.array([-1, 10]), step=1 / 256)
    classifier = understood(model, tmp_path)
    # An Identity is taken out on the way in, so that its two names are one.
    assert classifier.logits in ({logits, "y"} if "Identity" in head else {logits})
    assert classifier.activations == activations
    assert (classifier.output, classifier.classes) == ("y", 10)


def test_class_axes_of_a_fully_convolutional_network(tmp_path: Path) -> None:
    model = onnx_model(
        "c = Conv(x, k); y = Softmax<axis = 1>(c)", y="float[N,10,1,1] y", k=WEIGHTS.T.reshape(10, 1, 8, 8)
    )
    classifier = understood(model, tmp_path)
    assert (classifier.classes, classifier.logits) == (10, "c")


def test_outputs_that_are_not_class_scores_are_refused(tmp_path: Path) -> None:
    nodes = "f = Flatten(x); z = MatMul(f, w); y = Reshape(z, shape)"
    with pytest.raises(
        ModelError, match=r"no output looks like class scores: 'y' .* does not have one number for each image and class"
    ):
        understood(onnx_model(nodes, y="float[N,5,2] y", w=WEIGHTS, shape=np.array([-1, 5, 2])), tmp_path)


def test_an_unknown_number_of_classes_is_refused(tmp_path: Path) -> None:
    model = onnx_model("y = Reshape(x, shape)", x="float[N,1,8,8] x, int64[2] s", y="float[N,K] y")
    del model.graph.input[1]
    model.graph.node.insert(0, helper.make_node("NonZero", ["x"], ["where"]))
    model.graph.node.insert(1, helper.make_node("Shape", ["where"], ["shape"]))
    with pytest.raises(ModelError, match="class"):
        understood(model, tmp_path)


# Several outputs


BOTH = "f = Flatten(x); z = MatMul(f, w); p = Softmax(z)"
TWO_HEADS = "f = Flatten(x); a = MatMul(f, w); b = MatMul(f, v)"


@pytest.mark.parametrize("y", ["float[N,10] z, float[N,10] p", "float[N,10] p, float[N,10] z"])
def test_logits_and_probabilities_of_one_head_are_one_answer(tmp_path: Path, y: str) -> None:
    assert understood(onnx_model(BOTH, y=y, w=WEIGHTS), tmp_path).logits == "z"


def test_outputs_that_cannot_be_scores_do_not_count(tmp_path: Path) -> None:
    nodes = BOTH + "; label = ArgMax<axis = 1>(z); map = Identity(x)"
    model = onnx_model(nodes, y="int64[N,1] label, float[N,1,8,8] map, float[N,10] p", w=WEIGHTS)
    assert understood(model, tmp_path).output == "p"


def test_several_heads_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    model = onnx_model(TWO_HEADS, y="float[N,10] a, float[N,7] b", w=WEIGHTS, v=WEIGHTS[:, :7])
    listed = (
        r"several outputs of the model could be class scores; choose with --logits from: 'a' \[N, 10\], 'b' \[N, 7\]"
    )
    with pytest.raises(ModelError, match=listed):
        understood(model, tmp_path)
    chosen = understood(model, tmp_path, output="b")
    assert (chosen.output, chosen.logits, chosen.classes) == ("b", "b", 7)
    with pytest.raises(UsageError, match=r"the model has no output 'c'; its outputs are: 'a' \[N, 10\], 'b' \[N, 7\]"):
        understood(model, tmp_path, output="c")


def test_of_a_label_that_is_chosen_the_scores_behind_it_are_judged(tmp_path: Path) -> None:
    nodes = BOTH + "; label = ArgMax<axis = 1, keepdims = 0>(z)"
    model = onnx_model(nodes, y="float[N,10] p, int64[N] label", w=WEIGHTS)
    classifier = understood(model, tmp_path, output="label")
    assert (classifier.scores, classifier.logits, classifier.classes) == ("label", "z", 10)


def scikit_learn_model(weights: Array) -> onnx.ModelProto:
    """What skl2onnx writes: the label, and the probabilities as a list of dictionaries."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"]),
        helper.make_node("ArgMax", ["z"], ["label"], axis=1, keepdims=0),
        helper.make_node("ZipMap", ["p"], ["y"], domain="ai.onnx.ml", classlabels_int64s=list(range(10))),
    ]
    dictionary = helper.make_map_type_proto(
        onnx.TensorProto.INT64, helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    )
    graph = helper.make_graph(
        nodes,
        "scikit-learn",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 64])],
        [
            helper.make_tensor_value_info("label", onnx.TensorProto.INT64, [None]),
            helper.make_value_info("y", helper.make_sequence_type_proto(dictionary)),
        ],
        [onnx.numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def test_a_zipmap_of_scikit_learn_is_looked_through(tmp_path: Path) -> None:
    classifier = understood(scikit_learn_model(WEIGHTS), tmp_path)
    assert (classifier.output, classifier.scores, classifier.logits, classifier.classes) == ("y", "p", "z", 10)
    assert classifier.activations == ("Softmax",)
    assert understood(scikit_learn_model(WEIGHTS), tmp_path, output="y").scores == "p"


# What the file says about itself


@pytest.mark.parametrize("opset", [9, 13, 17, 18, 21])
def test_the_opset_and_the_producer_are_those_of_the_file(tmp_path: Path, opset: int) -> None:
    model = onnx_model("f = Flatten(x); y = MatMul(f, w)", opset=opset, w=WEIGHTS)
    model.producer_name, model.producer_version = "pytorch", "2.13"
    classifier = understood(model, tmp_path)
    assert (classifier.opset, classifier.producer) == (opset, "pytorch 2.13")


def test_a_model_without_opset_is_refused(tmp_path: Path) -> None:
    model = linear_model(even_weights())
    del model.opset_import[:]
    with pytest.raises(ModelError, match="does not import the standard operator set"):
        understood(model, tmp_path)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        weights = even_weights()
        weights[3, 0, 2, 2] = value
        with pytest.raises(ModelError, match="weight 'w' holds NaN or infinite values"):
            understood(linear_model(weights), tmp_path)


def test_an_input_without_a_shape_and_one_that_is_a_picture(tmp_path: Path) -> None:
    model = onnx_model("f = Flatten(x); y = MatMul(f, w)", w=WEIGHTS)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError, match="the input 'x' has no shape in the file; export the model with it"):
        understood(model, tmp_path)
    one = onnx_model("f = Reshape(x, row); y = MatMul(f, w)", x="float[8,8] x", w=WEIGHTS, row=np.array([1, 64]))
    found = load_classifier(save(one, tmp_path / "one.onnx"), size=(8, 8))
    assert (found.batch, found.layout.image_shape) == (1, (8, 8, 1))


def test_a_model_for_training_is_told_from_one_for_inference(tmp_path: Path) -> None:
    normal = "BatchNormalization(x, g, g, g, g)"
    model = onnx_model(f"b, m, v, a, c = {normal}; f = Flatten(b); y = MatMul(f, w)", opset=9, w=WEIGHTS, g=np.ones(1))
    with pytest.raises(ModelError, match="export the model for inference, not for training"):
        understood(model, tmp_path)
