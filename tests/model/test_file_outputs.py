"""What is added to a model takes none of its outputs away, whatever they hold."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from ninspect.audit.selftest import check_gradient, check_scores
from ninspect.gradient import CLASSES, GRADIENT
from ninspect.runtime import Network, gradient_model, save_model
from tests.support import even_weights, linear_model, ninspect, onnx_model, open_network, random_pixels

WEIGHTS = even_weights(side=8).reshape(10, 64).T
NAMES = [f"class {chr(106 - i)}" for i in range(10)]


def augmented(network: Network) -> onnx.ModelProto:
    stream = io.BytesIO()
    save_model(gradient_model(network.classifier), network.classifier, stream.write)
    return onnx.load_from_string(stream.getvalue())


def classifier_of_scikit_learn(zipmap: bool, names: bool, opset: int) -> onnx.ModelProto:
    """What skl2onnx writes: the label, a number or a name, and the probabilities, perhaps as a list of dictionaries."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["best"], axis=1),
        helper.make_node("ArrayFeatureExtractor", ["labels", "best"], ["picked"], domain="ai.onnx.ml"),
        helper.make_node("Reshape", ["picked", "flat"], ["label"]),
    ]
    key = TensorProto.STRING if names else TensorProto.INT64
    outputs = [helper.make_tensor_value_info("label", key, [None])]
    labels: list[Any] = NAMES if names else list(range(10, 0, -1))
    if zipmap:
        attribute = {"classlabels_strings": NAMES} if names else {"classlabels_int64s": labels}
        nodes.insert(3, helper.make_node("ZipMap", ["p"], ["y"], domain="ai.onnx.ml", **attribute))
        entry = helper.make_map_type_proto(key, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        outputs.append(helper.make_value_info("y", helper.make_sequence_type_proto(entry)))
    else:
        outputs.append(helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 10]))
    graph = helper.make_graph(
        nodes,
        "scikit-learn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 64])],
        outputs,
        [
            onnx.numpy_helper.from_array(WEIGHTS.astype(np.float32), "w"),
            helper.make_tensor("labels", key, [10], labels),
            helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
        ],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


@pytest.mark.parametrize(("zipmap", "names", "opset"), [(True, True, 21), (True, False, 11), (False, True, 17)])
def test_labels_of_any_type_and_dictionaries_are_kept(tmp_path: Path, zipmap: bool, names: bool, opset: int) -> None:
    proto = classifier_of_scikit_learn(zipmap, names, opset)
    network = open_network(proto, tmp_path)
    pixels = random_pixels(3, (8, 8, 1))
    assert check_scores(network, pixels).error < 1e-6
    assert check_gradient(network, pixels, seed=0).error < 1e-4
    assert network.classifier.names == (tuple(NAMES) if names else ())
    assert any("numbers the classes otherwise" in remark for remark in network.classifier.remarks) == (not names)
    added = augmented(network)
    assert list(added.graph.output)[:2] == list(proto.graph.output)
    session = onnxruntime.InferenceSession(added.SerializeToString())
    original = onnxruntime.InferenceSession(proto.SerializeToString())
    x = pixels.reshape(3, 64)
    label, scores, gradient = session.run(["label", "y" if zipmap else "p", GRADIENT], {
        "x": x, CLASSES: np.zeros((1, 3), np.int64),
    })  # fmt: skip
    label_before, scores_before = original.run(None, {"x": x})
    assert list(label) == list(label_before)
    if zipmap:
        assert [list(row) for row in scores] == [list(row) for row in scores_before]
        scores, scores_before = ([list(row.values()) for row in rows] for rows in (scores, scores_before))
    assert np.allclose(scores, scores_before, atol=1e-6)
    assert np.allclose(gradient, WEIGHTS[:, 0], atol=1e-5)


def test_a_name_alone_is_traced_to_the_scores(tmp_path: Path) -> None:
    proto = classifier_of_scikit_learn(zipmap=False, names=True, opset=17)
    del proto.graph.output[1]
    network = open_network(proto, tmp_path)
    assert (network.classifier.output, network.classifier.logits) == ("label", "z")
    pixels = random_pixels(3, (8, 8, 1))
    assert [NAMES[i] for i in network.logits(pixels).argmax(axis=1)] == network.scores(pixels).reshape(-1).tolist()
    assert check_scores(network, pixels).error == 0


def test_outputs_beside_the_scores_are_kept_with_their_types(tmp_path: Path) -> None:
    proto = onnx_model(
        """f = Flatten(x); z = MatMul(f, w); p = Softmax(z); label = ArgMax<axis = 1, keepdims = 0>(z)
           half = Cast<to = 10>(x); sure = Greater(p, half_one); x2 = Neg(x)""",
        y="int64[N] label, float[N,10] p, float16[N,1,8,8] half, bool[N,10] sure, float[N,1,8,8] x2",
        w=WEIGHTS,
        half_one=0.5,
    )
    network = open_network(proto, tmp_path)
    added = augmented(network)
    assert list(added.graph.output)[:5] == list(proto.graph.output)
    session = onnxruntime.InferenceSession(added.SerializeToString())
    original = onnxruntime.InferenceSession(proto.SerializeToString())
    x = random_pixels(3, (8, 8, 1)).transpose(0, 3, 1, 2)
    names = [output.name for output in proto.graph.output]
    found = session.run(names, {"x": x, CLASSES: np.zeros((1, 3), np.int64)})
    for ours, theirs in zip(found, original.run(None, {"x": x}), strict=True):
        assert ours.dtype == theirs.dtype
        assert np.allclose(ours, theirs, atol=1e-6)


def test_what_the_checker_wants_and_the_file_lacks_is_added(tmp_path: Path) -> None:
    proto = linear_model(even_weights())
    proto.graph.name = ""
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    assert ninspect("augment", path, "-o", tmp_path / "augmented.onnx").returncode == 0
    onnx.checker.check_model(tmp_path / "augmented.onnx")
