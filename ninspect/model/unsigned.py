"""Integer weights with a sign, rewritten without: the same numbers, since their zero point moves as well.

On x86 processors without VNNI, ONNX Runtime adds products of unsigned and signed bytes in 16 bits, where they overflow.
Its own remedy, `session.x64quantprecision`, leaves out convolutions of its own domain, breaks files whose images are
signed bytes, and fails where two operators share weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ninspect.model.tensors import graphs_in

# Of each operator: where the zero point of the other factor is, whose type decides what the weights may be, the
# weights, and their zero point. Without the first, the operator takes both types.
_FACTORS: dict[str, tuple[int | None, int, int]] = {
    "DynamicQuantizeMatMul": (None, 1, 3),
    "MatMulInteger": (None, 1, 3),
    "MatMulIntegerToFloat": (4, 1, 5),
    "QAttention": (None, 1, 7),
    "QGemm": (2, 3, 5),
    "QLinearConv": (2, 3, 5),
    "QLinearMatMul": (2, 3, 5),
}
_SIGN = 0x80


def drop_signs(proto: onnx.ModelProto) -> bool:
    """Make unsigned weights of signed ones where unsigned bytes are multiplied by them; were there any?"""
    graph = proto.graph
    signed = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    made = dict[str, onnx.TensorProto]()
    for node in graph.node:
        if node.op_type not in _FACTORS:
            continue
        other, *places = _FACTORS[node.op_type]
        inputs = [*node.input, *[""] * (places[-1] + 1 - len(node.input))]
        weights, zero = (inputs[place] for place in places)
        if weights not in signed or (zero and zero not in signed):
            continue
        if other is not None and (not inputs[other] or inputs[other] in signed):
            continue
        for place, name in zip(places, (weights, zero), strict=True):
            inputs[place] = f"{name}/unsigned"
            numbers = numpy_helper.to_array(signed[name]) if name else np.zeros((), np.int8)
            made.setdefault(inputs[place], numpy_helper.from_array(_without_sign(numbers), inputs[place]))
        node.input[:] = inputs
    if made:
        read = {name for inner in graphs_in(proto) for node in inner.node for name in node.input}
        read.update(value.name for value in graph.output)
        kept = [t for t in graph.initializer if t.name in read or f"{t.name}/unsigned" not in made]
        del graph.initializer[:]
        graph.initializer.extend([*kept, *made.values()])
    return bool(made)


def _without_sign(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    """w + 128."""
    return np.asarray(numbers.view(np.uint8) ^ np.uint8(_SIGN))
