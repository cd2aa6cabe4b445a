"""The last linear layer is found however the exporter wrote it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ninspect.model import load_classifier
from ninspect.model.head import last_linear
from tests.support import Array, onnx_model, save

W = np.random.default_rng(0).standard_normal((10, 64))
KERNEL = np.random.default_rng(1).standard_normal((10, 1, 3, 3))


def head(nodes: str, folder: Path, **weights: Any) -> Array | None:
    return last_linear(load_classifier(save(onnx_model(nodes, **weights), folder / "model.onnx")))


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ("f = Flatten(x); y = Gemm<transB = 1>(f, w)", W),
        ("f = Flatten(x); y = Gemm(f, w)", W.T),
        ("f = Flatten(x); y = MatMul(f, w)", W.T),
        ("f = Flatten(x); y = Gemm<transB = 1, alpha = 2.0>(f, w)", W / 2),
        ("f = Flatten(x); h = MatMul(f, w); z = Add(h, b); y = Softmax(z)", W.T),
        ("f = Flatten(x); h = MatMul(f, w); z = Add(b, h); s = Mul(z, half); r = Relu(s); y = LogSoftmax(r)", W.T),
        ("f = Flatten(x); v = Transpose<perm = [1, 0]>(w); y = MatMul(f, v)", W),
        ("f = Flatten(x); v = Reshape(w, shape); y = MatMul(f, v)", W.T.reshape(8, 8, 10)),
    ],
)
def test_matrices(tmp_path: Path, nodes: str, weights: Array) -> None:
    extra: dict[str, Any] = {"b": np.arange(10.0), "half": 0.5, "shape": np.array([64, 10])}
    used = {name: value for name, value in extra.items() if f"{name})" in nodes or f"({name}," in nodes}
    found = head(nodes, tmp_path, w=weights, **used)
    assert found == pytest.approx(W, rel=1e-6)


def test_a_convolution_before_global_pooling(tmp_path: Path) -> None:
    found = head("c = Conv(x, k); g = GlobalAveragePool(c); y = Flatten(g)", tmp_path, k=KERNEL)
    assert found == pytest.approx(KERNEL.reshape(10, 9), rel=1e-6)


@pytest.mark.parametrize(
    "nodes",
    [
        "f = Flatten(x); h = MatMul(f, w); y = Sin(h)",
        "f = Flatten(x); h = MatMul(f, w); g = MatMul(f, w); y = Mul(g, h)",
        "c = Conv<pads = [1, 1, 1, 1]>(x, one); f = Flatten(c); h = MatMul(f, w); t = Abs(h); y = Sum(t, h)",
    ],
)
def test_other_heads_have_no_matrix(tmp_path: Path, nodes: str) -> None:
    extra = {"one": np.ones((1, 1, 3, 3))} if "one" in nodes else {}
    assert head(nodes, tmp_path, w=W.T, **extra) is None
