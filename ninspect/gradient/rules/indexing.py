"""Selections along an axis: Slice, Pad, Gather.

What is not a plain crop or zero border is a linear map along one axis, so its adjoint is a product with the one-hot
matrix of the selection. Unlike a scatter-add this is deterministic on every device and exists for every float type.
"""

from __future__ import annotations

import numpy as np

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor


@vjp("Slice", shape_from=1)
def slice_(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ is zero outside the slice: ȳ padded where the step is 1 and the bounds are known, else ȳ·M along each axis."""
    x = node.x
    starts, ends = node.required(1), node.required(2)
    axes = [int(a) % x.rank for a in node.constant(3, np.arange(starts.dims[0] or x.rank))]
    steps = [int(s) for s in node.constant(4, np.ones(len(axes)))]
    nothing: list[Tensor | None] = [None] * (len(node.inputs) - 1)
    sizes = [x.dims[axis] for axis in axes]
    if starts.constant is not None and ends.constant is not None and set(steps) == {1} and None not in sizes:
        before, after = [0] * (x.rank + 1), [0] * (x.rank + 1)
        for axis, size, start, end in zip(axes, sizes, starts.constant, ends.constant, strict=True):
            assert size is not None
            kept = range(size)[int(start) : int(end)]
            before[axis + 1], after[axis + 1] = kept.start, size - kept.start - len(kept)
        return [op.Pad(ybar, [*before, *after]), *nothing]
    for i, axis in enumerate(axes):
        positions = op.Slice(op.positions(op.size(x, axis)), _item(op, starts, i), _item(op, ends, i), [0], [steps[i]])
        matrix = op.selection_matrix(positions, op.size(x, axis), like=ybar)
        ybar = op.along_axis(ybar, matrix, axis - x.rank, x.rank)
    return [ybar, *nothing]


def _item(op: Ops, vector: Tensor, index: int) -> Tensor:
    """One element of a vector of bounds, as an int64 vector of one element."""
    return op.cast(op.Slice(vector, [index], [index + 1]), op.const(0))


@vjp("Pad", classwise=True, shape_from=1)
def pad(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ cropped, for a constant border; ȳ·M along each axis, for a border that repeats x."""
    x = node.x
    pads = node.required(1)
    axes = [int(a) % x.rank for a in node.constant(3, np.arange(x.rank))]
    nothing: list[Tensor | None] = [None] * (len(node.inputs) - 1)
    mode = node.attribute("mode", "constant")
    if mode == "constant":
        # Negative pads crop, so one Pad undoes any mixture of borders and crops.
        before = op.Slice(-pads, [0], [len(axes)])
        after = op.Slice(-pads, [len(axes)], [2 * len(axes)])
        return [op.Pad(ybar, op.Concat(before, after, axis=0), None, [a - x.rank for a in axes]), *nothing]
    for i, axis in enumerate(axes):
        border = op.Concat(_item(op, pads, i), _item(op, pads, i + len(axes)), axis=0)
        positions = op.Pad(op.positions(op.size(x, axis)), border, mode=mode)
        matrix = op.selection_matrix(positions, op.size(x, axis), like=ybar)
        ybar = op.along_axis(ybar, matrix, axis - x.rank, x.rank)
    return [ybar, *nothing]


@vjp("Gather")
def gather(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ·M along the axis; an index that occurs twice collects both cotangents."""
    x, index = node.x, node.required(1)
    axis = node.attribute("axis", 0) % x.rank
    # [S, …, *index.shape, …] -> [S, …, number of indices, …]
    trailing = [op.size(x, a) for a in range(axis + 1, x.rank)]
    leading = [op.size(x, a) for a in range(axis)]
    flat = op.Reshape(index, [-1])
    ybar = op.Reshape(ybar, op.vector(-1, *leading, op.Shape(flat), *trailing))
    matrix = op.selection_matrix(op.cast(flat, op.const(0)), op.size(x, axis), like=ybar)
    return [op.along_axis(ybar, matrix, axis - x.rank, x.rank), None]
