from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ninspect.gradient.registry import RULES
from ninspect.model import load_classifier
from tests.support import convolutional_model, even_weights, linear_model, save

STEP = {"step": 0.05, "zero": np.array(0, np.int8)}
BYTES = {"bytes": np.random.default_rng(0).integers(-128, 128, (4, 4, 1, 1)).astype(np.int8)}


@pytest.mark.parametrize(
    ("nodes", "weights", "kind"),
    [
        ("a = Relu(c)", {}, "exact"),
        ("q = QuantizeLinear(c, step, zero); a = DequantizeLinear(q, step, zero)", STEP, "straight-through"),
        ("q, s, z = DynamicQuantizeLinear(c); a = DequantizeLinear(q, s, z)", {}, "straight-through"),
        (
            """q = QuantizeLinear(c, step, zero); r = QLinearConv(q, step, zero, bytes, step, zero, step, zero)
               a = DequantizeLinear(r, step, zero)""",
            STEP | BYTES,
            "straight-through",
        ),
        (
            "q, s, z = DynamicQuantizeLinear(c); i = ConvInteger(q, bytes, z); f = Cast<to = 1>(i); a = Mul(f, s)",
            BYTES,
            "straight-through",
        ),
        ("w1 = DequantizeLinear(bytes, step, zero); a = Conv(c, w1)", STEP | BYTES, "exact"),
        (
            """w0 = DequantizeLinear(bytes, step, zero); w1 = QuantizeLinear(w0, step, zero)
               w2 = DequantizeLinear(w1, step, zero); a = Conv(c, w2)""",
            STEP | BYTES,
            "exact",
        ),
        ("a = Relu(c); q = QuantizeLinear(c, step, zero); other = DequantizeLinear(q, step, zero)", STEP, "exact"),
        ("q = QuantizeLinear(c, step, zero); n = Size(q); f = Cast<to = 1>(n); a = Mul(c, f)", STEP, "exact"),
    ],
    ids=[
        "no rounding",
        "static",
        "dynamic",
        "static, of integer operators",
        "dynamic, of integer operators",
        "rounded weights",
        "weights rounded when it runs",
        "another branch",
        "a branch without a gradient",
    ],
)
def test_rounding_counts_where_the_gradient_goes(
    tmp_path: Path, nodes: str, weights: dict[str, Any], kind: str
) -> None:
    path = save(convolutional_model(nodes=nodes, **weights), tmp_path / "model.onnx")
    assert load_classifier(path).gradient_kind == kind


def test_rounded_probabilities_come_after_the_logits(tmp_path: Path) -> None:
    head = """step = Constant<value_float = 0.01>()
              p = Softmax(logits); q = QuantizeLinear(p, step); y = DequantizeLinear(q, step)"""
    classifier = load_classifier(save(linear_model(even_weights(), head=head), tmp_path / "model.onnx"))
    assert (classifier.logits, classifier.gradient_kind) == ("logits", "exact")


def test_without_a_rule_there_is_no_gradient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, "Relu")
    assert load_classifier(save(convolutional_model(), tmp_path / "model.onnx")).gradient_kind is None
