"""What spatial transformers are made of: AffineGrid and GridSample."""

from __future__ import annotations

from itertools import product

import onnx_ir as ir

from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

_CUBIC = -0.75


def affine_grid(op: Ops, node: Node) -> list[Tensor]:
    """grid[n, …] = θ[n] · (x, y, …, 1), with coordinates from −1 to 1 along every axis, the last axis first.

    Raises:
        ModelError: its images have other than two or three axes.
    """
    theta, size = node.x, node.required(1)
    count = (size.dims[0] or 0) - 2
    if count not in (2, 3):
        raise node.refuse("its images have other than two or three axes")

    def column(index: int) -> Tensor:
        return op.Unsqueeze(op.Gather(theta, op.const(index), axis=2), list(range(1, count + 1)))

    grid = column(count)
    for index in range(count):
        extent = op.Slice(size, [-1 - index], [count + 2 - index])
        place = op.Reshape(op.positions(extent), [-1, *[1] * (index + 1)])
        place, extent = op.cast(place, theta), op.cast(extent, theta)
        if node.attribute("align_corners", 0):
            coordinate = place * 2.0 / (extent - 1.0) - 1.0
        else:
            coordinate = (place * 2.0 + 1.0) / extent - 1.0
        grid = grid + column(index) * coordinate
    return [grid]


def grid_sample(op: Ops, node: Node) -> list[Tensor]:
    """y[n, c, p] = Σ over the taps of Π over the axes of weight · x[n, c, taps], for every point p of the grid.

    Raises:
        ModelError: its images have other than two or three axes.
    """
    x, grid = node.x, node.required(1)
    if x.rank not in (4, 5):
        raise node.refuse("its images have other than two or three axes")
    mode = node.attribute("mode", "linear").removeprefix("bi")
    axes = range(2, x.rank)
    # The grid speaks of the last axis first.
    points = op.Reshape(grid, op.vector(op.size(x, 0), -1, len(axes)))
    coordinates = op.emit("Split", [points], {"axis": -1, "num_outputs": len(axes)}, outputs=len(axes))[::-1]
    taps = [
        _taps(op, node, op.Squeeze(coordinate, [-1]), op.size(x, axis), mode)
        for axis, coordinate in zip(axes, coordinates, strict=True)
    ]
    pixels = op.Reshape(x, op.vector(op.size(x, 0), op.size(x, 1), -1))
    terms = [_term(op, node, pixels, list(choice)) for choice in product(*taps)]
    y = terms[0] if len(terms) == 1 else op.Sum(*terms)
    return [op.Reshape(y, op.vector(op.size(x, 0), op.size(x, 1), op.Shape(grid, start=1, end=-1)))]


Tap = tuple[Tensor, Tensor | None, Tensor]  # which pixel along an axis, its weight, the size of the axis


def _term(op: Ops, node: Node, pixels: Tensor, taps: list[Tap]) -> Tensor:
    """One pixel for each point, times its weight along every axis."""
    place, weight = op.const([0]), None
    for index, factor, size in taps:
        place = place * size + _inside(op, node, index, size)
        if factor is not None:
            weight = factor if weight is None else weight * factor
        if node.attribute("padding_mode", "zeros") == "zeros":
            visible = op.And(op.GreaterOrEqual(index, 0), op.Less(index, size))
            seen = op.cast(visible, pixels)
            weight = seen if weight is None else weight * seen
    channels = op.Shape(pixels, start=1, end=2)
    places = op.Unsqueeze(place, [1])
    picked = op.GatherElements(pixels, op.Expand(places, op.vector(1, channels, 1)), axis=2)
    return picked if weight is None else picked * op.Unsqueeze(weight, [1])


def _inside(op: Ops, node: Node, index: Tensor, size: Tensor) -> Tensor:
    """The pixel that stands for one outside: the last one, or for a reflection the one as far inside."""
    if node.attribute("padding_mode", "zeros") != "reflection":
        return op.Max(op.Min(index, size - 1), op.const([0]))
    # The mirror is the centre of the last pixel, or its far edge.
    overlap = 1 if node.attribute("align_corners", 0) else 0
    period = op.Max((size - overlap) * 2, op.const([1]))
    index = op.Mod(index, period)
    return op.Min(index, period - 1 + overlap - index)


def _taps(op: Ops, node: Node, coordinate: Tensor, size: Tensor, mode: str) -> list[Tap]:
    """The pixels that count along one axis, for coordinates from −1 at one end to 1 at the other."""
    extent = op.cast(size, coordinate)
    if node.attribute("align_corners", 0):
        position = (coordinate + 1.0) * (extent - 1.0) * 0.5
    else:
        position = ((coordinate + 1.0) * extent - 1.0) * 0.5
    if mode == "nearest":
        return [(_integer(op, op.Round(position)), None, size)]
    before = op.Floor(position)
    t = position - before
    first = _integer(op, before)
    if mode == "linear":
        return [(first, 1.0 - t, size), (first + 1, t, size)]
    weights = (_far(t + 1.0), _near(t), _near(1.0 - t), _far(2.0 - t))
    return [(first + shift, weight, size) for shift, weight in zip((-1, 0, 1, 2), weights, strict=True)]


def _integer(op: Ops, x: Tensor) -> Tensor:
    return op.Cast(x, to=int(ir.DataType.INT64))


def _near(t: Tensor) -> Tensor:
    """The weight of a pixel at a distance of at most 1."""
    return (t * (_CUBIC + 2) - (_CUBIC + 3)) * t * t + 1.0


def _far(t: Tensor) -> Tensor:
    """The weight of a pixel at a distance between 1 and 2."""
    return ((t * _CUBIC - 5 * _CUBIC) * t + 8 * _CUBIC) * t - 4 * _CUBIC
