"""Axes of the image that a file leaves open, as far as the layers behind them tell their sizes.

Exporters name axes where they could number them: `[batch_size, num_channels, height, width]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from ninspect.graph.shapes import fits, without_weights

# The weight of operators whose second axis is the channels of the image; Conv's first input is [N, C, H, W].
_CONVOLUTIONS = {"Conv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}
# What leaves every axis where it is, and the channels as many as they are.
_KEEPING = frozenset([
    "Add", "BatchNormalization", "Cast", "Clip", "DequantizeLinear", "Div", "DynamicQuantizeLinear", "Identity", "Mul",
    "Pad", "QuantizeLinear", "Resize", "Sub", "Upsample",
])  # fmt: skip
_MADE_FROM = ("Cast", "DequantizeLinear", "Identity", "QuantizeLinear")  # a weight, from a stored one of its shape
# A network fixes its side within a narrow range; of the sides in it, exporters mean a usual one, else the
# roundest; large ones first, since a single patch would be broadcast.
_USUAL = (224, 384, 256, 64, 32)
_SIDES = [*_USUAL, *sorted(set(range(1, 513)) - {*_USUAL}, key=lambda side: (-(side & -side), side))]
_FAR_APART = (384, 128, 35)
_MOST_NODES = 5000  # of a graph that is tried with every side


def channels_read(graph: onnx.GraphProto, name: str, rank: int) -> tuple[int, int] | None:
    """Which axis of an input the first convolution reads as channels, and how many it takes; None if it is not known.

    Args:
        graph: with its nodes in order.
        name: of the input.
        rank: of the input, batch axis included.
    """
    axes = {name: tuple(range(rank))}
    for node in graph.node:
        origin = axes.get(node.input[0]) if node.input else None
        if origin is None:
            continue
        if node.op_type in _CONVOLUTIONS:
            shape = _weight_shape(graph, node.input[_CONVOLUTIONS[node.op_type]])
            group = next((a.i for a in node.attribute if a.name == "group"), 1)
            return (origin[1], shape[1] * group) if shape is not None and len(shape) == len(origin) > 1 else None
        if node.op_type == "Transpose":
            order = next((a.ints for a in node.attribute if a.name == "perm"), range(rank)[::-1])
            axes[node.output[0]] = tuple(origin[i] for i in order)
        elif node.op_type in _KEEPING:
            axes[node.output[0]] = origin
    return None


def _weight_shape(graph: onnx.GraphProto, name: str) -> tuple[int, ...] | None:
    """The shape of a stored tensor, or of one that is made of it number by number."""
    for tensor in graph.initializer:
        if tensor.name == name:
            return tuple(tensor.dims)
    for node in graph.node:
        if name in node.output:
            if node.op_type == "Constant":
                return next((tuple(a.t.dims) for a in node.attribute if a.name == "value"), None)
            return _weight_shape(graph, node.input[0]) if node.op_type in _MADE_FROM else None
    return None


def side_that_fits(
    proto: onnx.ModelProto, name: str, sizes: Sequence[int | None], wanted: tuple[int, int] | None = None
) -> int | None:
    """The side of a square image that the layers behind an input can take.

    Args:
        proto: the model.
        name: of the input.
        sizes: of all its axes; None for the sides that are open.
        wanted: what the sides shall be, in the order of the axes.

    Returns:
        Of the sides that fit, a usual one, else the one that most powers of two divide; None where none fits, any does,
        or those wanted.
    """
    if len(proto.graph.node) > _MOST_NODES:
        return None
    trial = without_weights(proto)

    def fitting(*sides: int) -> bool:
        given = iter(sides)
        return fits(trial, name, [next(given) if size is None else size for size in sizes])

    far = [fitting(side, side) for side in _FAR_APART]
    if sum(far) > 1 or (wanted is not None and fitting(*wanted)):
        return None
    return next((side for side in _SIDES if fitting(side, side)), None)
