"""LSTM, GRU and RNN over the rows of an image, unrolled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.gradient.support import Array, Case, case, randn

SEQUENCE = (5, 3)  # steps, features
HIDDEN = 4
MODULES: dict[str, Any] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
# The order of the gates here, of the gates in PyTorch.
ORDER = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}
TIME_FIRST = "t = Transpose <perm=[1, 0, 2]> (x)"
FLAT = "s = Transpose <perm=[2, 0, 1, 3]> (h); y = Flatten (s)"


def weights_of(operator: str, directions: int) -> dict[str, Any]:
    gates = len(ORDER[operator])
    return {
        "w": randn(directions, gates * HIDDEN, SEQUENCE[1]),
        "r": randn(directions, gates * HIDDEN, HIDDEN) / 2,
        "b": randn(directions, 2 * gates * HIDDEN) / 3,
    }


def module(operator: str, directions: int, weights: dict[str, Array], **options: Any) -> Any:
    """PyTorch's own, with these weights."""
    network = MODULES[operator](SEQUENCE[1], HIDDEN, batch_first=True, bidirectional=directions == 2, **options)

    def gates(array: Array) -> torch.Tensor:
        blocks = array.reshape(len(ORDER[operator]), HIDDEN, -1)
        inverse = np.argsort(ORDER[operator]) if operator == "LSTM" else ORDER[operator]
        return torch.from_numpy(blocks[inverse].reshape(array.shape))

    state = {}
    for way, suffix in enumerate(("", "_reverse")[:directions]):
        state[f"weight_ih_l0{suffix}"], state[f"weight_hh_l0{suffix}"] = (gates(weights[k][way]) for k in "wr")
        first, second = np.split(weights["b"][way], 2)
        state[f"bias_ih_l0{suffix}"], state[f"bias_hh_l0{suffix}"] = gates(first), gates(second)
    network.load_state_dict(state)
    return network.double().requires_grad_(False)


def sequence(operator: str, attributes: str, directions: int = 1, opset: int = 18, **options: Any) -> Case:
    """All hidden states."""
    weights = weights_of(operator, directions)
    network = module(operator, directions, weights, **options)
    return case(
        f"{operator}-{opset} {attributes}",
        f"{TIME_FIRST}; h, last = {operator} <hidden_size={HIDDEN}{attributes}> (t, w, r, b); {FLAT}",
        lambda x, **_: network(x)[0].reshape(len(x), -1),
        SEQUENCE,
        opset=opset,
        **weights,
    )


def initialised(operator: str, states: Sequence[str]) -> Case:
    """The last hidden state, from initial states that depend on the image; without a bias."""
    weights = weights_of(operator, 1)
    weights["b"] *= 0
    network = module(operator, 1, weights)

    def function(x: torch.Tensor, k: torch.Tensor, **_: torch.Tensor) -> torch.Tensor:
        start = (x[:, 0] @ k)[None]
        last: torch.Tensor = network(x, (start, start) if operator == "LSTM" else start)[1][0]
        return last.reshape(len(x), -1)

    inner = "linear_before_reset=1, " if operator == "GRU" else ""
    return case(
        f"{operator} from states that depend on x",
        f"""
        {TIME_FIRST}; head = Gather <axis=1> (x, zero); m = MatMul (head, k); start = Unsqueeze (m, zeros)
        h, y0 = {operator} <{inner}hidden_size={HIDDEN}> (t, w, r, , , {", ".join(states)}); y = Squeeze (y0, zeros)
        """,
        function,
        SEQUENCE,
        k=randn(3, HIDDEN),
        zero=np.int64(0),
        zeros=[0],
        **{name: weights[name] for name in "wr"},
    )


def reset_before(x: torch.Tensor, w: torch.Tensor, r: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A GRU that holds its state back before the product, which PyTorch has not."""
    (w_z, w_r, w_h), (r_z, r_r, r_h) = w[0].chunk(3), r[0].chunk(3)
    b_z, b_r, b_h = (b[0].reshape(2, 3, HIDDEN).sum(0)).unbind(0)
    h = x.new_zeros((len(x), HIDDEN))
    for step in x.unbind(1):
        z, reset = ((step @ a.T + h @ c.T + d).sigmoid() for a, c, d in ((w_z, r_z, b_z), (w_r, r_r, b_r)))
        h = (1 - z) * (step @ w_h.T + (reset * h) @ r_h.T + b_h).tanh() + z * h
    return h


def backwards(x: torch.Tensor, w: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """An RNN from the last step to the first."""
    h, states = x.new_zeros((len(x), HIDDEN)), []
    for step in reversed(x.unbind(1)):
        h = (step @ w[0].T + h @ r[0].T).tanh()
        states.append(h)
    return torch.stack(states[::-1], 1)


def peepholes(x: torch.Tensor, w: torch.Tensor, r: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """An LSTM whose gates see the cell state."""
    p_i, p_o, p_f = p[0].chunk(3)
    h = c = x.new_zeros((len(x), HIDDEN))
    for step in x.unbind(1):
        i, o, f, g = (step @ w[0].T + h @ r[0].T).chunk(4, 1)
        c = (f + p_f * c).sigmoid() * c + (i + p_i * c).sigmoid() * g.tanh()
        h = (o + p_o * c).sigmoid() * c.tanh()
    return torch.cat([h, c], 1)


CASES = [
    sequence("LSTM", ""),
    sequence("LSTM", "", opset=7),
    sequence("LSTM", "", opset=22),
    sequence("LSTM", ', direction="bidirectional"', directions=2),
    sequence("GRU", ", linear_before_reset=1"),
    sequence("GRU", ', direction="bidirectional", linear_before_reset=1', directions=2),
    sequence("RNN", ""),
    sequence("RNN", ', activations=["Relu"]', nonlinearity="relu"),
    sequence("RNN", ', direction="bidirectional"', directions=2),
    initialised("LSTM", ["start", "start"]),
    initialised("GRU", ["start"]),
    initialised("RNN", ["start"]),
    case(
        "GRU that holds back its state before the product",
        f"{TIME_FIRST}; h, last = GRU <hidden_size={HIDDEN}> (t, w, r, b); y = Squeeze (last, zeros)",
        lambda x, w, r, b: reset_before(x, w, r, b),
        SEQUENCE,
        zeros=[0],
        **weights_of("GRU", 1),
    ),
    case(
        "LSTM with peepholes",
        f"""
        {TIME_FIRST}; h, a, c = LSTM <hidden_size={HIDDEN}> (t, w, r, , , , , p)
        both = Concat <axis=2> (a, c); y = Squeeze (both, zeros)
        """,
        peepholes,
        SEQUENCE,
        zeros=[0],
        p=randn(1, 3 * HIDDEN),
        **{name: weights_of("LSTM", 1)[name] for name in "wr"},
    ),
    case(
        "RNN backwards",
        f"""
        {TIME_FIRST}; h = RNN <hidden_size={HIDDEN}, direction="reverse"> (t, w, r)
        s = Squeeze (h, ones); y = Transpose <perm=[1, 0, 2]> (s)
        """,
        backwards,
        SEQUENCE,
        ones=[1],
        **{name: weights_of("RNN", 1)[name] for name in "wr"},
    ),
]
