"""Selections and replacements of single elements by index tensors.

Networks rarely do this to the image, and a one-hot matrix would have the square of the tensor's size. So unlike
`indexing`, these rules scatter; CUDA may add up the cotangents of an element that is selected twice in any order.
"""

from __future__ import annotations

import onnx_ir as ir

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor


@vjp("GatherElements")
def gather_elements(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ collects ȳ at the indices."""
    index = op.Expand(node.required(1), op.Shape(ybar))
    wide = _wide(op, ybar)
    xbar = op.ScatterElements(op.zeros(wide, node.x), index, wide, axis=node.axis(0), reduction="add")
    return [op.cast(xbar, ybar), None]


@vjp("ScatterElements")
def scatter_elements(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """The updates get ȳ at the indices, the data get the rest of it, or all of it where updates are added.

    Raises:
        ModelError: it combines updates with the data by their product or extremum.
    """
    index, axis = node.required(1), node.axis(0)
    index = op.Expand(index, op.vector(_class_count(op, ybar), op.shape(index)))
    updates_bar = op.GatherElements(ybar, index, axis=axis)
    if _adds(node):
        return [ybar, None, updates_bar]
    return [op.ScatterElements(ybar, index, op.zeros(ybar, node.required(2)), axis=axis), None, updates_bar]


@vjp("TopK", shape_from=1)
def top_k(op: Ops, node: Node, ybar: Tensor, _: Tensor | None) -> list[Tensor | None]:
    """x̄ is ȳ at the indices of the largest, else 0."""
    index = op.Expand(node.outputs[1], op.Shape(ybar))
    return [op.ScatterElements(op.zeros(ybar, node.x), index, ybar, axis=node.axis(-1)), None]


# The indices of GatherND and ScatterND speak of leading axes, so there the class axis goes to the end and comes back.


@vjp("GatherND")
def gather_nd(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ collects ȳ at the indices."""
    x, wide = node.x, _wide(op, ybar)
    zeros = _classes_last(op, op.zeros(wide, x), x.rank)
    shares = _classes_last(op, wide, node.y.rank)
    xbar = op.ScatterND(zeros, _with_batch(op, node), shares, reduction="add")
    return [op.cast(_classes_first(op, xbar, x.rank), ybar), None]


def _with_batch(op: Ops, node: Node) -> Tensor:
    """The indices of GatherND, preceded by the position in each batch axis, which is implied there."""
    index = node.required(1)
    rank = index.rank
    implied = []
    for axis in range(node.attribute("batch_dims", 0)):
        column = op.Unsqueeze(op.positions(op.size(index, axis)), [a for a in range(rank) if a != axis])
        rows = op.Slice(op.shape(index), [0], [rank - 1])
        implied.append(op.Expand(column, op.Concat(rows, [1], axis=0)))
    return op.Concat(*implied, index, axis=-1) if implied else index


@vjp("ScatterND")
def scatter_nd(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """The updates get ȳ at the indices, the data get the rest of it, or all of it where updates are added.

    Raises:
        ModelError: it combines updates with the data by their product or extremum.
    """
    x, index, updates = node.x, node.required(1), node.required(2)
    last = _classes_last(op, ybar, x.rank)
    updates_bar = _classes_first(op, op.GatherND(last, index), updates.rank)
    if _adds(node):
        return [ybar, None, updates_bar]
    zeros = _classes_last(op, op.zeros(ybar, updates), updates.rank)
    return [_classes_first(op, op.ScatterND(last, index, zeros), x.rank), None, updates_bar]


@vjp("ReverseSequence")
def reverse_sequence(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ reversed again."""
    axes = {name: node.attribute(name) for name in ("batch_axis", "time_axis")}
    again = op.ReverseSequence(_classes_last(op, ybar, node.x.rank), node.required(1), **axes)
    return [_classes_first(op, again, node.x.rank), None]


def _classes_last(op: Ops, ybar: Tensor, rank: int) -> Tensor:
    """`[S, *s]` to `[*s, S]`, s of the given rank."""
    return op.Transpose(ybar, perm=[*range(1, rank + 1), 0])


def _classes_first(op: Ops, ybar: Tensor, rank: int) -> Tensor:
    """`[*s, S]` to `[S, *s]`, s of the given rank."""
    return op.Transpose(ybar, perm=[rank, *range(rank)])


def _class_count(op: Ops, ybar: Tensor) -> Tensor:
    return op.Shape(ybar, start=0, end=1)


def _wide(op: Ops, ybar: Tensor) -> Tensor:
    """ONNX Runtime's CPU provider cannot add in half precision where it scatters."""
    return op.Cast(ybar, to=int(ir.DataType.FLOAT)) if ybar.dtype == ir.DataType.FLOAT16 else ybar


def _adds(node: Node) -> bool:
    """Whether updates are added to the data instead of replacing them."""
    reduction = node.attribute("reduction", "none")
    if reduction not in ("none", "add"):
        raise node.refuse(f"it combines updates with the data by '{reduction}'")
    return bool(reduction == "add")
