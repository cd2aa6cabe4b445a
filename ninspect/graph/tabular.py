"""The operators that scikit-learn's converter puts around a network, written in those of the standard domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape

_DOMAIN = "ai.onnx.ml"
_TRANSFORMS = {"NONE": "Identity", "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}


class WriteOutTabular(ir.passes.InPlacePass):
    """Scaler(x) → (x − offset) · scale, and so for Normalizer and LinearClassifier; unknown forms stay."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite these operators wherever they are in the graph."""
        graph = model.graph
        modified = False
        for node in list(graph):
            write_out = _WRITTEN_OUT.get(node.op_type) if node.domain == _DOMAIN else None
            result = None if write_out is None else write_out(Tape(graph), node)
            if result is None:
                continue
            # A classifier's first output is the label, which nobody differentiates.
            old = node.outputs[-1]
            result.name, old.name = old.name, None
            old.replace_all_uses_with(result, replace_graph_outputs=True)
            if len(node.outputs) == 1:
                graph.remove(node, safe=True)
            modified = True
        graph.sort()
        return ir.passes.PassResult(model, modified)


def _scaler(tape: Tape, node: ir.Node) -> ir.Value | None:
    """y = (x − offset) · scale; one number serves all columns."""
    offset, scale = _values(node, "offset"), _values(node, "scale")
    if not offset or not scale:
        return None
    centred = tape.op("Sub", [_as_float(tape, node), _constant(tape, node, "offset", offset)])
    return tape.op("Mul", [centred, _constant(tape, node, "scale", scale)])


def _normalizer(tape: Tape, node: ir.Node) -> ir.Value:
    """y = x / ‖x‖; probabilities have the norm 1 already."""
    (given,) = node.inputs
    norm = node.attributes.get_string("norm", "MAX")
    producer = None if given is None else given.producer()
    if norm == "L1" and producer is not None and producer.op_type == "Softmax":
        return tape.op("Identity", [given])
    x = _as_float(tape, node)
    if norm == "MAX":
        axes = tape.initializer(ir.tensor(np.array([-1])), name=f"{node.outputs[0].name}/axes")
        return tape.op("Div", [x, tape.op("ReduceMax", [x, axes])])
    return tape.op("LpNormalization", [x], {"axis": -1, "p": 1 if norm == "L1" else 2})


def _linear_classifier(tape: Tape, node: ir.Node) -> ir.Value | None:
    """Scores = f(coefficients · x + intercepts), with one row of coefficients for each class."""
    transform = _TRANSFORMS.get(node.attributes.get_string("post_transform", "NONE") or "")
    labels = _values(node, "classlabels_ints") or _values(node, "classlabels_strings")
    rows, intercepts = _values(node, "coefficients"), _values(node, "intercepts")
    # With one row for two classes, the operator makes up the second score.
    if transform is None or not labels or len(intercepts) != len(labels) or len(rows) % len(labels):
        return None
    weights = _constant(tape, node, "coefficients", np.reshape(rows, (len(labels), -1)))
    inputs = [_as_float(tape, node), weights, _constant(tape, node, "intercepts", intercepts)]
    return tape.op(transform, [tape.op("Gemm", inputs, {"transB": 1})])


def _values(node: ir.Node, name: str) -> list[Any]:
    """An attribute that holds a list, which is empty where it is absent."""
    attribute = node.attributes.get(name)
    return [] if attribute is None else list(attribute.value)


def _constant(tape: Tape, node: ir.Node, name: str, numbers: Any) -> ir.Value:
    return tape.initializer(ir.tensor(np.asarray(numbers, np.float32)), name=f"{node.outputs[-1].name}/{name}")


def _as_float(tape: Tape, node: ir.Node) -> ir.Value:
    """The input in float32, which these operators calculate in whatever they are given."""
    return tape.op("Cast", node.inputs, {"to": int(ir.DataType.FLOAT)})


_WRITTEN_OUT: dict[str, Callable[[Tape, ir.Node], ir.Value | None]] = {
    "LinearClassifier": _linear_classifier,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}
TABULAR_OPERATORS = tuple(_WRITTEN_OUT)
