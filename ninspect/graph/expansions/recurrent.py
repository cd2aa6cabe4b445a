"""LSTM, GRU and RNN, unrolled: one step after the other, in matrix products and activations.

Networks that read an image as a sequence have as many steps as the image has rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

_ACTIVATIONS = frozenset(["Relu", "Sigmoid", "Tanh"])
# As many rows as an image may have: more would be an attack, not a network.
_MAX_STEPS = 2**11


@dataclass(frozen=True)
class _Cell:
    """One direction of a recurrent node.

    Attributes:
        op: where nodes go.
        activations: the functions of the cell, in the order of the standard.
        recurrence: `[H, gates·H]`, what the last state is multiplied with.
        recurrent_bias: `[gates·H]`, added to that product; None where there is none.
        peepholes: of an LSTM, what the cell state adds to the gates i, o and f.
    """

    op: Ops
    activations: list[Callable[[Tensor], Tensor]]
    recurrence: Tensor
    recurrent_bias: Tensor | None
    peepholes: list[Tensor] | None

    def recur(self, h: Tensor | None) -> Tensor | None:
        """What the last state adds to the gates; nothing where it is zero and there is no bias."""
        if h is None:
            return self.recurrent_bias
        product = self.op.MatMul(h, self.recurrence)
        return product if self.recurrent_bias is None else product + self.recurrent_bias

    def split(self, gates: Tensor, count: int) -> list[Tensor]:
        """The gates of a step, one by one."""
        return self.op.emit("Split", [gates], {"axis": -1, "num_outputs": count}, outputs=count)


# (cell, what the input adds to the gates, last hidden state, last cell state) -> the new states
Step = Callable[[_Cell, Tensor, Tensor | None, Tensor | None], tuple[Tensor, Tensor | None]]


def lstm(op: Ops, node: Node) -> list[Tensor]:
    """C = f ∘ C' + i ∘ c, H = o ∘ h(C), with gates i, o, f and c of x and the last state.

    Raises:
        ModelError: the number of steps is unknown or differs from image to image, or the cell is an unusual one.
    """
    if node.attribute("input_forget", 0):
        raise node.refuse("it couples its gates")
    return _unrolled(op, node, 4, ["Sigmoid", "Tanh", "Tanh"], _lstm_step)


def _lstm_step(cell: _Cell, x: Tensor, h: Tensor | None, c: Tensor | None) -> tuple[Tensor, Tensor]:
    f, g, out = cell.activations
    i_gate, o_gate, f_gate, c_gate = cell.split(_plus(x, cell.recur(h)), 4)
    if cell.peepholes is not None and c is not None:
        i_gate, f_gate = i_gate + cell.peepholes[0] * c, f_gate + cell.peepholes[2] * c
    state = f(i_gate) * g(c_gate)
    if c is not None:
        state = f(f_gate) * c + state
    if cell.peepholes is not None:
        o_gate = o_gate + cell.peepholes[1] * state
    return f(o_gate) * out(state), state


def gru(op: Ops, node: Node) -> list[Tensor]:
    """H = (1 − z) ∘ h + z ∘ H', with gates z, r and h of x and the last state; r holds back that state in h.

    Raises:
        ModelError: the number of steps is unknown or differs from image to image, or the cell is an unusual one.
    """
    step = _gru_step_after if node.attribute("linear_before_reset", 0) else _gru_step
    return _unrolled(op, node, 3, ["Sigmoid", "Tanh"], step)


def _gru_step_after(cell: _Cell, x: Tensor, h: Tensor | None, _: Tensor | None) -> tuple[Tensor, None]:
    """The last state is held back after it was multiplied."""
    f, g = cell.activations
    x_z, x_r, x_h = cell.split(x, 3)
    past = cell.recur(h)
    if past is None:
        z, candidate = f(x_z), g(x_h)
    else:
        past_z, past_r, past_h = cell.split(past, 3)
        z, r = f(x_z + past_z), f(x_r + past_r)
        candidate = g(x_h + r * past_h)
    return _mixed(z, candidate, h), None


def _gru_step(cell: _Cell, x: Tensor, h: Tensor | None, _: Tensor | None) -> tuple[Tensor, None]:
    """The last state is held back before it is multiplied."""
    f, g = cell.activations
    op = cell.op
    x_z, x_r, x_h = cell.split(x, 3)
    r_z, r_r, r_h = cell.split(cell.recurrence, 3)
    b_z, b_r, b_h = [None] * 3 if cell.recurrent_bias is None else cell.split(cell.recurrent_bias, 3)
    x_z, x_r, x_h = _plus(x_z, b_z), _plus(x_r, b_r), _plus(x_h, b_h)
    if h is not None:
        x_z, x_r = x_z + op.MatMul(h, r_z), x_r + op.MatMul(h, r_r)
        x_h = x_h + op.MatMul(f(x_r) * h, r_h)
    return _mixed(f(x_z), g(x_h), h), None


def _mixed(z: Tensor, candidate: Tensor, h: Tensor | None) -> Tensor:
    new = (1.0 - z) * candidate
    return new if h is None else new + z * h


def rnn(op: Ops, node: Node) -> list[Tensor]:
    """H = f(x·Wᵀ + H'·Rᵀ + b).

    Raises:
        ModelError: the number of steps is unknown or differs from image to image, or the cell is an unusual one.
    """
    return _unrolled(op, node, 1, ["Tanh"], _rnn_step)


def _rnn_step(cell: _Cell, x: Tensor, h: Tensor | None, _: Tensor | None) -> tuple[Tensor, None]:
    (f,) = cell.activations
    return f(_plus(x, cell.recur(h))), None


def _plus(x: Tensor, y: Tensor | None) -> Tensor:
    return x if y is None else x + y


def _unrolled(op: Ops, node: Node, gates: int, default: list[str], step: Step) -> list[Tensor]:
    """All hidden states `[T, directions, N, H]`, and the last hidden and cell states `[directions, N, H]`.

    Raises:
        ModelError: the number of steps is unknown or differs from image to image, or the cell is an unusual one.
    """
    direction = node.attribute("direction", "forward")
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    length = node.x.dims[0]
    lengths = node.constant(4)
    if length is None:
        raise node.refuse("the number of its steps is unknown; give the size of the images when exporting the model")
    if length > _MAX_STEPS:
        raise node.refuse(f"it takes more than {_MAX_STEPS} steps")
    if node.optional(4) is not None and not np.all(lengths == length):
        raise node.refuse("its sequences differ in length")
    if node.attribute("layout", 0) or node.attribute("clip"):
        raise node.refuse("it puts the batch first, or cuts off its gates")
    names = list(node.attribute("activations", default * len(ways)))
    if not set(names) <= _ACTIVATIONS:
        raise node.refuse(f"it uses the activations {', '.join(names)}")
    outputs, last_h, last_c = [], [], []
    for way, backwards in enumerate(ways):
        functions = names[way * len(default) : (way + 1) * len(default)]
        states, h, c = _direction(op, node, way, gates, functions, step, length, backwards)
        outputs.append(op.Unsqueeze(op.Concat(*states, axis=0), [1]))
        last_h.append(h)
        last_c.append(h if c is None else c)
    return [op.Concat(*outputs, axis=1), op.Concat(*last_h, axis=0), op.Concat(*last_c, axis=0)]


def _direction(
    op: Ops, node: Node, way: int, gates: int, functions: list[str], step: Step, length: int, backwards: bool
) -> tuple[list[Tensor], Tensor, Tensor | None]:
    """The hidden states of one direction `[1, N, H]` in the order of the input, and the last states."""
    biases = node.optional(3)
    bias, recurrent_bias = (None, None) if biases is None else _halves(op, _of(op, biases, way))
    peepholes = node.optional(7)
    cell = _Cell(
        op,
        [getattr(op, name) for name in functions],
        op.Transpose(_of(op, node.required(2), way), perm=[1, 0]),
        recurrent_bias,
        None if peepholes is None else op.emit("Split", [_of(op, peepholes, way)], {"axis": 0, "num_outputs": 3}, 3),
    )
    inputs = _plus(op.MatMul(node.x, op.Transpose(_of(op, node.required(1), way), perm=[1, 0])), bias)
    steps = [inputs] if length == 1 else op.emit("Split", [inputs], {"axis": 0, "num_outputs": length}, length)
    h, c = (_start(op, node, index, way) for index in (5, 6))
    states = []
    for x in reversed(steps) if backwards else steps:
        h, c = step(cell, x, h, c)
        states.append(h)
    assert h is not None
    return states[::-1] if backwards else states, h, c


def _start(op: Ops, node: Node, index: int, way: int) -> Tensor | None:
    """An initial state `[1, N, H]`, where it is given."""
    states = node.optional(index)
    if states is None:
        return None
    state = op.Slice(states, [way], [way + 1], [0])
    # Exporters compute zeros of this shape in ways that shape inference cannot follow; N is that of the input.
    state.value.shape = ir.Shape([1, node.x.symbols[1], node.required(2).symbols[-1]])  # type: ignore[list-item]
    return state


def _of(op: Ops, weights: Tensor, way: int) -> Tensor:
    """The weights of one direction."""
    return op.Gather(weights, op.const(way), axis=0)


def _halves(op: Ops, bias: Tensor) -> list[Tensor]:
    return op.emit("Split", [bias], {"axis": 0, "num_outputs": 2}, outputs=2)
