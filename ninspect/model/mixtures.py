"""Scores that are made of probabilities, such as the average of an ensemble: their logarithms are judged.

Between nearly sure answers, probabilities differ by nothing that a gradient could show, and a class that is never sure
looks like no other. Of a softmax alone the logits lie behind it. Of several there are none; but log p is a vector of
logits of the same answer, since softmax(log p) = p / Σ p.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ninspect.model.order import VIEWS

_PROBABILITIES = frozenset(["Sigmoid", "Softmax"])
# What makes numbers that are not negative, and not the same where they were not, of such numbers.
_MIXING = VIEWS | frozenset([
    "Add", "Concat", "Div", "Dropout", "Expand", "Gather", "Mean", "Mul", "ReduceMean", "ReduceSum", "Slice", "Split",
    "Sum",
])  # fmt: skip
_READ = VIEWS | frozenset(["Dropout", "Expand", "Gather", "ReduceMean", "ReduceSum", "Slice", "Split"])  # the first
_MOST_NODES = 256


def made_of_probabilities(scores: ir.Value) -> bool:
    """Whether all that scores depend on is probabilities, added, averaged, weighted or chosen."""
    waiting, seen = [scores], set[ir.Node]()
    while waiting:
        value = waiting.pop()
        node = value.producer()
        if (tensor := ir.convenience.get_const_tensor(value)) is not None:
            if (tensor.numpy() < 0).any():
                return False
        elif node is None or node.domain or len(seen) > _MOST_NODES:
            return False
        elif node.op_type not in _PROBABILITIES and node not in seen:
            if node.op_type not in _MIXING:
                return False
            seen.add(node)
            read = node.inputs[:1] if node.op_type in _READ else node.inputs
            waiting += [one for one in read if one is not None]
    return bool(seen)


def log_probabilities(graph: ir.Graph, scores: ir.Value) -> ir.Value:
    """log max(p, ε), appended to a graph; ε is the smallest positive number of the type."""
    dtype = scores.dtype or ir.DataType.FLOAT
    least = ir.tensor(np.array(np.finfo(dtype.numpy()).tiny, dtype.numpy()), name="ninspect/least")
    floor = ir.Value(name=least.name, shape=ir.Shape([]), type=ir.TensorType(dtype), const_value=least)
    graph.register_initializer(floor)
    above = ir.node("Max", [scores, floor], name="ninspect/positive")
    logs = ir.node("Log", above.outputs, name="ninspect/log_probabilities")
    for node in (above, logs):
        (result,) = node.outputs
        result.name, result.shape, result.type = node.name, scores.shape, ir.TensorType(dtype)
        graph.append(node)
    return logs.outputs[0]
