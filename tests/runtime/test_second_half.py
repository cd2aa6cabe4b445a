"""The model after its middle: where it is cut, and what it answers there."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ninspect.errors import ModelError
from ninspect.runtime import Network
from tests.support import convolutional_model, onnx_model, open_network, random_pixels

GENERATOR = np.random.default_rng(0)
W, V, U = (GENERATOR.standard_normal(shape) / 4 for shape in ((64, 16), (16, 16), (16, 10)))


def network(nodes: str, folder: Path, **weights: Any) -> Network:
    available: dict[str, Any] = {"w": W, "v": V, "u": U, "zero": 0.0, "minus": -1.0} | weights
    used = {name: value for name, value in available.items() if f"{name})" in nodes or f" {name}," in nodes}
    return open_network(onnx_model(f"f = Flatten(x); {nodes}", **used), folder)


@pytest.mark.parametrize(
    ("nodes", "name", "nonnegative"),
    [
        # As many layers before as behind, and never negative.
        ("a = MatMul(f, w); b = Relu(a); y = MatMul(b, u)", "b", True),
        ("a = MatMul(f, w); b = Tanh(a); y = MatMul(b, u)", "b", False),
        ("a = MatMul(f, w); b = Clip(a, zero); y = MatMul(b, u)", "b", True),
        ("a = MatMul(f, w); b = Clip(a, minus); y = MatMul(b, u)", "b", False),
        # Of two that are as near to the middle, the one that is never negative; else the later one.
        ("a = MatMul(f, w); b = Relu(a); c = MatMul(b, v); d = Tanh(c); y = MatMul(d, u)", "b", True),
        ("a = MatMul(f, w); b = Relu(a); c = MatMul(b, v); d = Relu(c); y = MatMul(d, u)", "d", True),
        # Around a skip connection, not in it: its tensors do not carry all.
        (
            "a = MatMul(f, w); r = Relu(a); b = MatMul(r, v); c = Relu(b); d = MatMul(c, v); s = Add(d, r); "
            "e = Relu(s); y = MatMul(e, u)",
            "e",
            True,
        ),
        ("a = MatMul(f, w); b = MatMul(f, w); c = Mul(a, b); y = MatMul(c, u)", "c", False),
    ],
)
def test_the_middle(tmp_path: Path, nodes: str, name: str, nonnegative: bool) -> None:
    tail = network(nodes, tmp_path).tail
    assert (tail.name, tail.shape, tail.nonnegative) == (name, (16,), nonnegative)


def test_operators_that_are_written_out_do_not_hide_the_middle(tmp_path: Path) -> None:
    nodes = "g = GridSample(x, grid); h = Flatten(g); a = MatMul(h, w); b = Relu(a); y = MatMul(b, u)"
    model = onnx_model(
        nodes, x="float[1,1,8,8] x", y="float[1,10] y", grid=GENERATOR.uniform(-1, 1, (1, 8, 8, 2)), w=W, u=U
    )
    assert open_network(model, tmp_path).tail.name == "b"


@pytest.mark.parametrize(
    "nodes", ["y = MatMul(f, wide)", "h = MatMul(f, w); r = MatMul(h, u); p = MatMul(f, wide); y = Add(r, p)"]
)
def test_a_model_without_layers_on_both_sides_of_a_bottleneck_cannot_be_cut(tmp_path: Path, nodes: str) -> None:
    whole = network(nodes, tmp_path, wide=W @ U)
    with pytest.raises(ModelError, match="cannot be cut"):
        _ = whole.tail


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_logits_and_gradients_are_those_of_pytorch(tmp_path: Path, batch: int | str) -> None:
    model = convolutional_model()
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    if isinstance(batch, int):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    tail = open_network(model, tmp_path).tail
    assert tail.shape in ((4, 8, 8), (256,))
    weights = torch.tensor(onnx.numpy_helper.to_array(model.graph.initializer[-1]).copy()).double()
    activations = random_pixels(6, tail.shape)
    classes = np.arange(6)
    logits, gradients = tail.gradients_at(activations, classes)
    a = torch.tensor(activations.reshape(6, -1)).double().requires_grad_()
    expected = a @ weights
    loss = torch.nn.functional.cross_entropy(expected, torch.tensor(classes), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, a)
    assert np.allclose(logits, expected.detach(), atol=1e-5)
    assert np.allclose(gradients.reshape(6, -1), gradient, atol=1e-5)


def test_the_tail_continues_what_the_image_begins(tmp_path: Path) -> None:
    model = convolutional_model()
    whole = open_network(model, tmp_path)
    pixels = random_pixels(3, (8, 8, 3))
    weights = {t.name: torch.tensor(onnx.numpy_helper.to_array(t).copy()) for t in model.graph.initializer}
    x = torch.tensor(np.moveaxis(pixels, -1, 1).copy())
    inner = torch.relu(torch.nn.functional.conv2d(x, weights["kernel"], weights["bias"], padding=1))
    logits, _ = whole.tail.gradients_at(inner.numpy().reshape(3, *whole.tail.shape), np.zeros(3, np.int64))
    assert np.allclose(logits, whole.logits(pixels), atol=1e-4)
