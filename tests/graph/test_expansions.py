"""What replaces an operator before a model is differentiated, and what it refuses."""

import numpy as np
import onnx_ir as ir
import pytest

from ninspect.errors import ModelError
from ninspect.graph.convert import prepare
from ninspect.graph.expansions import EXPANSIONS, expanded
from tests.gradient.cases.recurrent import TIME_FIRST, weights_of
from tests.gradient.support import Explainer, parse, randn, session, with_readout

POINTS = (np.arange(2 * 7 * 6 * 2) % 23 / 8 - 1.3).reshape(2, 7, 6, 2).astype(np.float32)


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_grids_are_sampled_as_onnx_runtime_does(mode: str, padding: str, align: int) -> None:
    nodes = f'y = GridSample <mode="{mode}", padding_mode="{padding}", align_corners={align}> (x, g)'
    proto, images = parse(nodes, (2, 3, 5, 4), {"g": POINTS}, opset=20), randn(2, 3, 5, 4)
    expected = session(proto).run(None, {"x": images})[0]
    model = expanded(prepare(proto))
    assert not set(EXPANSIONS) & {node.op_type for node in model.graph}
    assert session(ir.to_proto(model)).run(None, {"x": images})[0] == pytest.approx(expected, abs=1e-5)


def test_a_model_without_such_operators_is_not_copied() -> None:
    model = prepare(parse("y = Relu (x)", (2, 3), {}))
    assert expanded(model) is model


@pytest.mark.parametrize(
    ("attributes", "weights", "reason"),
    [
        (", clip=1.0", {}, "cuts off its gates"),
        (", input_forget=1", {}, "couples its gates"),
        (', activations=["Sigmoid", "Elu", "Tanh"]', {}, "it uses the activations Sigmoid, Elu, Tanh"),
        ("", {"lengths": np.array([5, 3], np.int32)}, "its sequences differ in length"),
    ],
)
def test_unusual_cells_are_refused(attributes: str, weights: dict[str, np.ndarray], reason: str) -> None:
    nodes = f"{TIME_FIRST}; y = LSTM <hidden_size=4{attributes}> (t, w, r, b, {', '.join(weights)})"
    proto = with_readout(parse(nodes, (2, 5, 3), weights_of("LSTM", 1) | weights), randn(8, 4))
    with pytest.raises(ModelError, match=reason):
        Explainer(proto)


def test_a_sequence_of_unknown_length_is_refused() -> None:
    nodes = f"{TIME_FIRST}; h, y = LSTM <hidden_size=4> (t, w, r, b)"
    proto = with_readout(parse(nodes, (2, "T", 3), weights_of("LSTM", 1)), randn(4, 4))
    with pytest.raises(ModelError, match="the number of its steps is unknown"):
        Explainer(proto)


@pytest.mark.parametrize(
    ("nodes", "shape", "reason"),
    [
        ("y = LSTM <hidden_size=4> (x, w, r, b)", (10**9, 2, 3), "more than 2048 steps"),
        ("y = GridSample (x, x)", (2, *[2] * 30), "other than two or three axes"),
    ],
)
def test_what_no_network_needs_is_refused(nodes: str, shape: tuple[int, ...], reason: str) -> None:
    prepared = prepare(parse(nodes, shape, weights_of("LSTM", 1), opset=20))
    with pytest.raises(ModelError, match=reason):
        expanded(prepared)
