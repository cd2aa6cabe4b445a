"""Scores of which the smallest is the answer: what is judged is their negative."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ninspect.audit.selftest import check_gradient, check_scores
from ninspect.errors import ModelError
from tests.support import even_weights, onnx_model, open_network, random_pixels

PARAMETERS: dict[str, Any] = {
    "points": np.random.default_rng(0).random((10, 64)),
    "w": even_weights(side=8).reshape(10, 64).T,
    "one": np.array([1]),
    "last": np.array([2]),
    "five": np.array([5]),
    "half": 0.5,
    "two": 2.0,
    "less": -2.0,
    "tiny": 1e-6,
}
APART = "f = Flatten(x); u = Unsqueeze(f, one); d = Sub(u, points)"
CAPSULES = "f = Flatten(x); z = MatMul(f, w); u = Unsqueeze(z, last)"
SQUARES = f"{APART}; q = Pow(d, two); s = ReduceSum<keepdims = 0>(q, last)"


def model(nodes: str, y: str = "float[N,10] y") -> onnx.ModelProto:
    used = {name: value for name, value in PARAMETERS.items() if name in re.findall(r"\w+", nodes)}
    return onnx_model(nodes, y=y, **used)


@pytest.mark.parametrize(
    ("nodes", "y"),
    [
        (f"{APART}; y = ReduceL2<keepdims = 0>(d, last)", "float[N,10] y"),
        (f"{APART}; y = ReduceSumSquare<keepdims = 0>(d, last)", "float[N,10] y"),
        (f"{APART}; a = Abs(d); y = ReduceSum<keepdims = 0>(a, last)", "float[N,10] y"),
        (f"{APART}; q = Mul(d, d); y = ReduceMean<keepdims = 0>(q, last)", "float[N,10] y"),
        (f"{SQUARES}; y = Sqrt(s)", "float[N,10] y"),
        (f"{SQUARES}; y = Div(s, two)", "float[N,10] y"),
        (f"{SQUARES}; y = Pow(s, half)", "float[N,10] y"),
        ("f = Flatten(x); u = Unsqueeze(f, one); d = Sub(points, u); y = ReduceL2<keepdims = 0>(d, last)",
         "float[N,10] y"),
        (f"{APART}; e = Add(d, tiny); y = ReduceL2<keepdims = 0>(e, last)", "float[N,10] y"),
    ],
)  # fmt: skip
def test_the_nearest_of_constant_points_is_the_answer(tmp_path: Path, nodes: str, y: str) -> None:
    network = open_network(model(nodes, y), tmp_path)
    assert network.classifier.falling
    pixels = random_pixels(4, (8, 8, 1))
    expected = np.linalg.norm(pixels.reshape(4, 1, 64) - PARAMETERS["points"], axis=2).argmin(axis=1)
    assert (network.logits(pixels).argmax(axis=1) == expected).all()
    assert check_scores(network, pixels).passed
    assert check_gradient(network, pixels, seed=0).passed


@pytest.mark.parametrize(
    "nodes",
    [
        f"{SQUARES}; y = Neg(s)",
        f"{SQUARES}; y = Mul(s, less)",
        f"{SQUARES}; y = Pow(s, less)",
        f"{SQUARES}; y = Softmax(s)",
        f"{CAPSULES}; y = ReduceL2<keepdims = 0>(u, last)",
        f"{CAPSULES}; d = Sub(u, half); y = ReduceL2<keepdims = 0>(d, last)",
    ],
)
def test_other_lengths_are_scores_as_any(tmp_path: Path, nodes: str) -> None:
    network = open_network(model(nodes), tmp_path)
    assert not network.classifier.falling
    pixels = random_pixels(4, (8, 8, 1))
    assert (network.logits(pixels).argmax(axis=1) == network.scores(pixels).argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("tail", "y"),
    [("y = ArgMin<axis = 1>(z)", "int64[N,1] y"), ("v, y = TopK<largest = 0>(z, five)", "int64[N,5] y")],
)
def test_where_a_model_takes_the_smallest_of_its_scores_they_are_costs(tmp_path: Path, tail: str, y: str) -> None:
    network = open_network(model(f"f = Flatten(x); z = MatMul(f, w); {tail}", y), tmp_path)
    pixels = random_pixels(4, (8, 8, 1))
    logits = network.logits(pixels)
    assert np.allclose(logits, -pixels.reshape(4, 64) @ PARAMETERS["w"], atol=1e-4)
    assert (logits.argmax(axis=1) == network.scores(pixels)[:, 0]).all()
    assert check_gradient(network, pixels, seed=0).passed


def test_the_least_likely_class_is_no_answer(tmp_path: Path) -> None:
    tail = "f = Flatten(x); z = MatMul(f, w); p = Softmax(z); y = ArgMin<axis = 1>(p)"
    with pytest.raises(ModelError, match=r"'y' is made by ArgMin .* takes the least likely class"):
        open_network(model(tail, "int64[N,1] y"), tmp_path)
