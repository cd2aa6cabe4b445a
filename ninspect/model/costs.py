"""Distances, which are scores of which the smallest is that of the class."""

from __future__ import annotations

from itertools import zip_longest

import onnx_ir as ir

from ninspect.model.order import VIEWS, is_constant, vector_length

_NORMS = frozenset(["ReduceL1", "ReduceL2", "ReduceMean", "ReduceSum", "ReduceSumSquare"])
# What may lie before a norm, between it and the differences, and behind it.
_ON_THE_WAY = VIEWS | frozenset(["Abs", "Add", "Mul", "Pow", "Sqrt"])
_MOST_NODES = 16


def are_distances(scores: ir.Value) -> bool:
    """Whether scores measure how far the features of an image are from a constant point for each class, `|f − c_k|`."""
    classes, summed = vector_length(scores.shape), False
    for _ in range(_MOST_NODES):
        node = scores.producer()
        if node is None or node.domain or classes is None:
            return False
        if node.op_type == "Sub":
            return summed and _from_points(node, classes)
        summed = summed or node.op_type in _NORMS
        read = {value for value in node.inputs if value is not None and not is_constant(value)}  # one of d · d
        if node.op_type not in _ON_THE_WAY | _NORMS or len(read) != 1 or _turns_round(node):
            return False
        (scores,) = read
    return False


def _turns_round(node: ir.Node) -> bool:
    """Whether larger may become smaller: by a factor, or an exponent below zero."""
    if node.op_type == "Mul":
        return node.inputs[0] is not node.inputs[1]
    exponent = node.inputs[1] if node.op_type == "Pow" else None
    power = None if exponent is None else ir.convenience.get_const_tensor(exponent)
    return node.op_type == "Pow" and (power is None or bool((power.numpy() <= 0).any()))


def _from_points(difference: ir.Node, classes: int) -> bool:
    """Whether something that is the same for all classes meets a constant with a row for each."""
    pair = sorted((v for v in difference.inputs if v is not None), key=is_constant)
    if len(pair) != 2 or is_constant(pair[0]) or not is_constant(pair[1]):
        return False
    shapes = [list(value.shape or ()) for value in pair]
    sizes = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return classes > 1 and (1, classes) in sizes
