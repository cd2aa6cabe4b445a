"""Products of unsigned images and signed weights are exact on every processor, and files of all types stay theirs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ninspect.model import read_model
from ninspect.runtime import open_session
from tests.support import onnx_model, save

SIZE, CLASSES = 64, 4
FORMS = {
    "MatMulInteger": "m = MatMulInteger(q, w); c = Cast<to = 1>(m); y = Mul(c, one)",
    "MatMulIntegerToFloat": "y = com.microsoft.MatMulIntegerToFloat(q, w, one, one, zero, zero_w)",
    "QLinearMatMul": "m = QLinearMatMul(q, one, zero, w, one, zero_w, step, zero); y = DequantizeLinear(m, step, zero)",
    "QGemm": "m = com.microsoft.QGemm(q, one, zero, w, one, zero_w, , step, zero); y = DequantizeLinear(m, step, zero)",
    "QLinearConv": """r = Reshape(q, first); m = QLinearConv(r, one, zero, kernel, one, zeros, step, zero)
        d = DequantizeLinear(m, step, zero); y = Flatten(d)""",
    "QLinearConv, channels last": """r = Reshape(q, last)
        m = com.microsoft.QLinearConv<channels_last = 1>(r, one, zero, kernel, one, zero_w, step, zero)
        d = DequantizeLinear(m, step, zero); y = Flatten(d)""",
}
BOTH = "m = MatMulInteger(q, w); n = MatMulInteger(q, w); a = Cast<to = 1>(m); b = Cast<to = 1>(n); y = Mean(a, b)"


def model(nodes: str, kind: type[np.integer[Any]]) -> tuple[onnx.ModelProto, float]:
    """A sum of the largest products of an image of that type and signed weights, and what it is."""
    largest = np.iinfo(kind).max
    total = float(SIZE * largest * 127)
    parameters: dict[str, Any] = {
        "one": 1.0,
        "step": total / 100,
        "zero": np.array(0, kind),
        "zero_w": np.array(0, np.int8),
        "zeros": np.zeros(CLASSES, np.int8),
        "w": np.full((SIZE, CLASSES), 127, np.int8),
        "kernel": np.full((CLASSES, SIZE, 1, 1), 127, np.int8),
        "first": np.array([1, SIZE, 1, 1]),
        "last": np.array([1, 1, 1, SIZE]),
    }
    text = f"q = QuantizeLinear(x, one, zero); {nodes}"
    used = {name: value for name, value in parameters.items() if name in re.findall(r"\w+", text)}
    return onnx_model(text, x=f"float[1,{SIZE}] x", y=f"float[1,{CLASSES}] y", **used), total


def answer(content: bytes, kind: type[np.integer[Any]]) -> Any:
    return open_session(content, "cpu").run(["y"], {"x": np.full((1, SIZE), np.iinfo(kind).max, np.float32)})[0]


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("nodes", [*FORMS.values(), BOTH], ids=[*FORMS, "shared weights"])
def test_sums_of_integers_do_not_overflow_on_any_processor(
    tmp_path: Path, nodes: str, kind: type[np.integer[Any]]
) -> None:
    proto, total = model(nodes, kind)
    file = read_model(save(proto, tmp_path / "model.onnx"))
    assert answer(file.original, kind) == pytest.approx(total, rel=1e-6)
    weights = [tensor for tensor in file.parse().graph.initializer if len(tensor.dims) > 1]
    assert len(weights) == 1  # those with a sign are gone, and shared ones are still shared


def test_weights_that_are_used_otherwise_as_well_are_kept(tmp_path: Path) -> None:
    nodes = "m = MatMulInteger(q, w); d = DequantizeLinear(w, one, zero_w); c = Cast<to = 1>(m); y = Mul(c, d)"
    proto, _ = model(nodes, np.uint8)
    names = [tensor.name for tensor in read_model(save(proto, tmp_path / "model.onnx")).parse().graph.initializer]
    assert sorted(name for name in names if name.startswith("w")) == ["w", "w/unsigned"]
