from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from ninspect.audit.selftest import TruthTest, check_gradient, check_scores, relative_error
from ninspect.gradient.registry import RULES
from ninspect.runtime import Network
from tests.support import (
    Array,
    convolutional_model,
    even_weights,
    linear_model,
    onnx_model,
    open_network,
    random_pixels,
)

WrongRule = Callable[..., list[Any]]


def wrong(operator: str, change: Callable[[Any, Any], Any]) -> WrongRule:
    """The rule of an operator, with its first cotangent spoilt."""
    right = RULES[operator]

    def rule(op: Any, node: Any, *cotangents: Any) -> list[Any]:
        first, *others = right(op, node, *cotangents)
        return [change(op, first), *others]

    return rule


def moved_by_a_pixel(op: Any, cotangent: Any) -> Any:
    rest, last = op.Slice(cotangent, [0], [-1], [-1]), op.Slice(cotangent, [-1], [1 << 40], [-1])
    return op.Concat(last, rest, axis=-1)


WRONG_RULES: dict[str, tuple[str, WrongRule]] = {
    "a Relu that ignores its mask": ("Relu", lambda op, node, cotangent: [cotangent]),
    "the wrong sign": ("Relu", wrong("Relu", lambda op, x: -x)),
    "a fifth too large": ("Relu", wrong("Relu", lambda op, x: x * 1.2)),
    "always zero": ("Relu", wrong("Relu", lambda op, x: x * 0.0)),
    "a convolution that is off by one pixel": ("Conv", wrong("Conv", moved_by_a_pixel)),
    "a mirrored convolution": ("Conv", wrong("Conv", lambda op, x: op.Slice(x, [-1], [-1 << 40], [-1], [-1]))),
    "mixed-up colours": ("Conv", wrong("Conv", lambda op, x: op.Slice(x, [-1], [-1 << 40], [-3], [-1]))),
}


def both(network: Network, pixels: Array) -> tuple[TruthTest, TruthTest]:
    return check_scores(network, pixels), check_gradient(network, pixels, seed=0)


@pytest.mark.parametrize(
    "nodes",
    [
        "a = Relu(c)",
        "a = Tanh(c)",
        "a = LeakyRelu<alpha = 0.3>(c)",
        "a = Clip(c, zero, six)",
        "p = MaxPool<kernel_shape = [2, 2], strides = [1, 1], pads = [0, 0, 1, 1]>(c); a = Softplus(p)",
        "s = Sigmoid(c); a = Mul(c, s)",
    ],
)
def test_right_gradients_pass(tmp_path: Path, nodes: str) -> None:
    model = convolutional_model(nodes=nodes, zero=0.0, six=6.0)
    scores, gradient = both(open_network(model, tmp_path), random_pixels(8, (8, 8, 3)))
    assert scores.passed
    assert scores.error < 1e-6
    assert gradient.passed
    assert gradient.error < 0.03


@pytest.mark.parametrize("head", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_the_scores_are_compared_after_the_final_activation(tmp_path: Path, head: str) -> None:
    network = open_network(linear_model(even_weights(), head=f"y = {head}(logits)"), tmp_path)
    scores, gradient = both(network, random_pixels(8, (12, 12, 1)))
    assert scores.passed
    assert gradient.error < 1e-3


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_any_batch_size_can_be_checked(tmp_path: Path, batch: int) -> None:
    network = open_network(linear_model(even_weights(), batch=batch), tmp_path)
    assert all(test.passed for test in both(network, random_pixels(8, (12, 12, 1))))


@pytest.mark.parametrize(("kind", "tolerance"), [("float16", 1e-2), ("double", 1e-4), ("uint8", 1e-4)])
def test_any_type_of_input_can_be_checked(tmp_path: Path, kind: str, tolerance: float) -> None:
    float_kind, nodes = (
        ("float", "f = Cast<to = 1>(x); flat = Flatten(f)") if kind == "uint8" else (kind, "flat = Flatten(x)")
    )
    dtype = {"double": np.float64, "float": np.float32, "float16": np.float16}[float_kind]
    nodes += "; h = MatMul(flat, w); r = Relu(h); y = MatMul(r, v)" if kind != "double" else "; y = MatMul(flat, w)"
    model = onnx_model(nodes, x=f"{kind}[N,1,8,8] x", y=f"{float_kind}[N,10] y")
    generator = np.random.default_rng(0)
    for name, shape in (("w", (64, 10)), ("v", (10, 10))):
        weight = (generator.standard_normal(shape) / 8).astype(dtype)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight, name))
    network = open_network(model, tmp_path, scale=1 if kind == "uint8" else 1 / 255)
    scores, gradient = both(network, random_pixels(8, (8, 8, 1)))
    assert scores.passed
    assert scores.tolerance == tolerance
    assert gradient.passed


def test_a_constant_network_has_the_gradient_zero(tmp_path: Path) -> None:
    network = open_network(linear_model(np.zeros((10, 1, 8, 8))), tmp_path)
    scores, gradient = both(network, random_pixels(4, (8, 8, 1)))
    assert (scores.error, gradient.error) == (0, 0)
    assert gradient.passed


def test_a_change_too_small_for_any_digit_of_the_scores_is_not_measured(tmp_path: Path) -> None:
    head = "one = Constant<value_float = 1.0>(); y = Add(logits, one)"
    network = open_network(linear_model(even_weights() * 1e-14, head=head), tmp_path)
    _, gradient = both(network, random_pixels(4, (12, 12, 1)))
    assert gradient.passed
    assert gradient.error > 0


QUANTIZED = """
    q = QuantizeLinear(c, scale, zero); d = DequantizeLinear(q, scale, zero); r = Relu(d)
    s = QuantizeLinear(r, scale, zero); a = DequantizeLinear(s, scale, zero)
"""


@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (1.2, False), (0.0, False), (-1.0, False)])
def test_quantized_networks_are_judged_by_their_slope_on_average(
    tmp_path: Path, factor: float, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "Relu", wrong("Relu", lambda op, x: x * factor))
    model = convolutional_model(nodes=QUANTIZED, scale=0.02, zero=np.zeros((), np.int8))
    scores, gradient = both(open_network(model, tmp_path), random_pixels(8, (8, 8, 3)))
    assert scores.passed
    assert gradient.passed == passes


@pytest.mark.parametrize("mistake", WRONG_RULES)
def test_wrong_gradients_fail(tmp_path: Path, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, rule = WRONG_RULES[mistake]
    monkeypatch.setitem(RULES, operator, rule)
    network = open_network(convolutional_model(), tmp_path)
    scores, gradient = both(network, random_pixels(8, (8, 8, 3)))
    assert scores.passed
    assert not gradient.passed
    assert gradient.error > 2 * gradient.tolerance


def test_a_converted_model_that_answers_otherwise_fails(tmp_path: Path) -> None:
    network = open_network(convolutional_model(), tmp_path)
    bias = network.classifier.model.graph.initializers["bias"]
    assert bias.const_value is not None
    bias.const_value = ir.tensor(bias.const_value.numpy() + np.float32(0.05))
    changed = Network(network.classifier, network.input_map)
    scores = check_scores(changed, random_pixels(8, (8, 8, 3)))
    assert not scores.passed
    assert scores.error > 1e-3


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [([3.0, 4.0], [3.0, 4.0], 0), ([0.0, 0.0], [3.0, 4.0], 1), ([0.0], [0.0], 0), ([1.0], [0.0], np.inf)],
)
def test_the_relative_error(actual: list[float], expected: list[float], error: float) -> None:
    assert relative_error(np.array(actual), np.array(expected)) == error


def test_large_scores_do_not_hide_an_error() -> None:
    expected = np.array([3e25, 4e25], np.float32)
    assert relative_error(2 * expected, expected) == pytest.approx(1)


def test_an_error_that_is_not_a_number_does_not_pass() -> None:
    assert not TruthTest("scores", float("nan"), 1.0).passed
    assert TruthTest("scores", 1.0, 1.0).passed
