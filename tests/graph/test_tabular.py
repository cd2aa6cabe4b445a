"""Operators of scikit-learn's converter written out: they compute the same."""

import onnx
import onnx_ir as ir
import pytest

from tests.gradient.support import Array, parse, randn, session
from tests.support import written_out

IMAGES = randn(3, 6)
COEFFICIENTS = f"coefficients={[round(float(c), 3) for c in randn(24)]}, intercepts=[0.1, -0.2, 0.3, 0.0]"
PAIR = f"coefficients={[round(float(c), 3) for c in randn(6)]}, intercepts=[0.1]"
LABELS = "classlabels_ints=[0, 1, 2, 3]"
CLASSIFIER = "label, y = ai.onnx.ml.LinearClassifier"


def model(nodes: str) -> onnx.ModelProto:
    proto = parse(nodes, ("N", 6), {})
    proto.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    return proto


def run(proto: onnx.ModelProto) -> Array:
    return session(proto).run(None, {"x": IMAGES})[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "nodes",
    [
        "y = ai.onnx.ml.Scaler <offset=[0.5, 1.0, -1.0, 0.0, 2.0, 3.0], scale=[2.0, 1.0, 0.5, 3.0, 1.0, -1.0]> (x)",
        "y = ai.onnx.ml.Scaler <offset=[0.5], scale=[2.0]> (x)",
        'y = ai.onnx.ml.Normalizer <norm="L1"> (x)',
        'y = ai.onnx.ml.Normalizer <norm="L2"> (x)',
        'y = ai.onnx.ml.Normalizer <norm="MAX"> (x)',
        'd = Cast <to=11> (x); y = ai.onnx.ml.Scaler <offset=[0.5], scale=[2.0]> (d)',
        f"{CLASSIFIER} <{LABELS}, {COEFFICIENTS}> (x)",
        f'{CLASSIFIER} <classlabels_strings=["a", "b", "c", "d"], post_transform="SOFTMAX", {COEFFICIENTS}> (x)',
        f'{CLASSIFIER} <{LABELS}, post_transform="LOGISTIC", {COEFFICIENTS}> (x)',
        f'label, p = ai.onnx.ml.LinearClassifier <{LABELS}, post_transform="SOFTMAX", {COEFFICIENTS}> (x); '
        'y = ai.onnx.ml.Normalizer <norm="L1"> (p)',
    ],
)  # fmt: skip
def test_what_is_written_out_computes_the_same(nodes: str) -> None:
    proto = model(nodes)
    prepared = written_out(proto)
    scores = prepared.graph.outputs[0].producer()
    assert scores is not None
    assert not [node for node in prepared.graph if node.domain and node.outputs[-1].uses()]
    assert run(ir.to_proto(prepared)) == pytest.approx(run(proto), rel=1e-5, abs=1e-6)


def test_probabilities_are_not_normalised_again() -> None:
    nodes = f'label, p = ai.onnx.ml.LinearClassifier <{LABELS}, post_transform="SOFTMAX", {COEFFICIENTS}> (x); '
    prepared = written_out(model(nodes + 'y = ai.onnx.ml.Normalizer <norm="L1"> (p)'))
    assert "LpNormalization" not in [node.op_type for node in prepared.graph]


@pytest.mark.parametrize(
    ("nodes", "operator"),
    [
        (f"{CLASSIFIER} <classlabels_ints=[0, 1], {PAIR}> (x)", "LinearClassifier"),
        (f'{CLASSIFIER} <{LABELS}, post_transform="SOFTMAX_ZERO", {COEFFICIENTS}> (x)', "LinearClassifier"),
        ("y = ai.onnx.ml.Scaler <scale=[2.0]> (x)", "Scaler"),
    ],
)
def test_forms_without_an_equivalent_stay(nodes: str, operator: str) -> None:
    assert operator in [node.op_type for node in written_out(model(nodes)).graph]
