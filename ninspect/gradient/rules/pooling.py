"""MaxPool, AveragePool and LpPool.

A max-pooling window hands its cotangent to the first input that equals the maximum (row by row, as ONNX Runtime and
PyTorch do). Which one that is depends on the image, not on the explained class, so the masks are computed once per
image and shared by all classes. The operator's own `Indices` output would need a scatter, is many times slower on CPU
and is refused by some providers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from ninspect.gradient.registry import vjp
from ninspect.gradient.rules.convolution import Window, crop, window_adjoint
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

# A mask for every input of a window, and a kernel as large as the window: more would be an attack, not a network.
_MAX_OVERLAPPING, _MAX_AVERAGED = 2**10, 2**20


def _refuse_huge(node: Node, window: Window, most: int) -> None:
    if math.prod(window.kernel) > most:
        raise node.refuse(f"its window has more than {most} inputs")


@vjp("MaxPool", keeps_sign_of=1, classwise=True)
def max_pool(op: Ops, node: Node, ybar: Tensor, *_: Tensor | None) -> list[Tensor]:
    """x̄[p] = Σ over windows o of ȳ[o] · [p is the first maximum of window o]."""
    window = Window.of(node, node.attribute("kernel_shape"))
    if window.tiles:
        shares = op.reshape_like(_hand_back(op, ybar, window, node), node.x)
        return [shares * op.cast(_is_first_maximum(op, window, node), ybar)]
    _refuse_huge(node, window, _MAX_OVERLAPPING)
    masks = [op.Unsqueeze(op.cast(mask, ybar), [2]) for mask in _first_maximum(op, node, window)]
    # [N, C, inputs of a window, *spatial of y]
    return [_spread(op, ybar, op.Concat(*masks, axis=2) if len(masks) > 1 else masks[0], window, node)]


def _first_maximum(op: Ops, node: Node, window: Window) -> Iterator[Tensor]:
    """For each position inside the window, in row-major order: is it the window's first maximum? `[N, C, *out]`."""
    (x,), maximum = node.comparable()
    y = node.y
    # A ceil-mode window may reach beyond the end pads, by less than one stride.
    beyond = [s - 1 if window.ceil else 0 for s in window.strides]
    after = [e + b for e, b in zip(window.end, beyond, strict=True)]
    if any(window.begin) or any(after):
        border = [0, 0, *window.begin, 0, 0, *after]
        x = op.Pad(x, border, op.const(-np.inf, x.dtype))
    axes = list(range(2, y.rank))
    taken: Tensor | None = None
    for offset in itertools.product(*(range(k) for k in window.kernel)):
        starts = [o * d for o, d in zip(offset, window.dilations, strict=True)]
        ends = op.vector(
            *(
                start + (size - 1) * stride + 1 if size is not None else (op.size(y, axis) - 1) * stride + (start + 1)
                for start, size, stride, axis in zip(starts, y.dims[2:], window.strides, axes, strict=True)
            )
        )
        hit = op.Equal(op.Slice(x, starts, ends, axes, list(window.strides)), maximum)
        yield hit if taken is None else op.And(hit, op.Not(taken))
        taken = hit if taken is None else op.Or(taken, hit)


def _spread(op: Ops, ybar: Tensor, weights: Tensor, window: Window, node: Node) -> Tensor:
    """x̄[p] = Σ over windows o and positions i with p = o·stride − begin + dilation·i of ȳ[o] · weights[i, o].

    Args:
        op: where nodes go.
        ybar: `[S, N, C, *spatial of y]`.
        weights: broadcasts to `[N, C, inputs of a window, *spatial of y]`.
        window: the geometry.
        node: the pooling node.

    Returns:
        `[S, N, C, *spatial of x]`.
    """
    x, y = node.x, node.y
    inputs = math.prod(window.kernel)
    shares = op.Unsqueeze(ybar, [3]) * weights
    merged = op.merge_leading(shares, y, keep=y.rank - 2)
    merged = op.Reshape(merged, op.vector(-1, inputs, *(op.size(y, axis) for axis in range(2, y.rank))))
    # One-hot kernels put every share where its input lies; they form the identity matrix.
    kernel = op.const(np.eye(inputs).reshape(inputs, 1, *window.kernel), ybar.dtype)
    return op.reshape_like(window_adjoint(op, merged, kernel, window, y, x), x)


@vjp("AveragePool", keeps_sign_of=1, classwise=True)
def average_pool(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄[p] = Σ over the windows o that contain p of ȳ[o] / (number of inputs that window o averages)."""
    window = Window.of(node, node.attribute("kernel_shape"))
    _refuse_huge(node, window, _MAX_AVERAGED)
    return [_spread_evenly(op, ybar * _reciprocal_counts(op, node, window, ybar), window, node)]


@vjp("LpPool")
def lp_pool(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """y = (Σ |x|ᵖ)^(1/p): x̄[q] = sign(x)·|x|^(p−1) · Σ over the windows o that contain q of ȳ[o]·y[o]^(1−p)."""
    x, y, p = node.x, node.y, node.attribute("p", 2)
    window = Window.of(node, node.attribute("kernel_shape"))
    _refuse_huge(node, window, _MAX_AVERAGED)
    safe = op.Where(op.Equal(y, 0.0), op.const(1.0, y.dtype), y)
    shares = _spread_evenly(op, ybar * op.Pow(safe, float(1 - p)), window, node)
    return [shares * (op.Sign(x) * op.Pow(op.Abs(x), float(p - 1)))]


def _spread_evenly(op: Ops, values: Tensor, window: Window, node: Node) -> Tensor:
    """Give every input the sum over the windows that contain it of `values` `[S, *y.shape]`: `[S, *x.shape]`."""
    x, y = node.x, node.y
    if window.tiles:
        return op.reshape_like(_hand_back(op, values, window, node), x)
    channel = op.Unsqueeze(op.merge_leading(values, y, keep=y.rank - 2), [1])
    kernel = op.const(np.ones((1, 1, *window.kernel)), values.dtype)
    return op.reshape_like(window_adjoint(op, channel, kernel, window, y, x), x)


def _reciprocal_counts(op: Ops, node: Node, window: Window, like: Tensor) -> Tensor:
    """1 / divisor of every window, `[1, 1, *spatial of y]`.

    What the divisor is (pads counted or not, windows that hang over the end) differs between opsets and runtimes, so
    the node itself is asked: on an image of ones it answers (ones in the window) / divisor.
    """
    x, axes = node.x, len(window.kernel)
    spatial = op.vector(1, 1, *(op.size(x, axis) for axis in range(2, x.rank)))
    ones = op.Expand(op.const(1.0, like.dtype), spatial)
    answer = node.again(ones)
    beyond = [s - 1 if window.ceil else 0 for s in window.strides]
    inside = op.Conv(
        ones,
        op.const(np.ones((1, 1, *window.kernel)), like.dtype),
        pads=[*window.begin, *(e + b for e, b in zip(window.end, beyond, strict=True))],
        strides=window.strides,
        dilations=window.dilations,
    )
    return answer / crop(op, inside, [0] * axes, node.y)


# Where windows tile, an input lies in one window at most: enlarging y is then cheaper than a transposed convolution.


def _hand_back(op: Ops, values: Tensor, window: Window, node: Node) -> Tensor:
    """Give every input the value of its window, and 0 to inputs without one.

    Args:
        op: where nodes go.
        values: `[…, C, *spatial of y]`.
        window: the geometry.
        node: the pooling node.

    Returns:
        `[-1, C, *spatial of x]`.
    """
    x, y, axes = node.x, node.y, range(2, node.x.rank)
    tiled = op.Resize(
        op.merge_leading(values, y, keep=len(axes) + 1),
        None,
        op.const([1, 1, *window.kernel], ir.DataType.FLOAT),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    # The first window begins in the pads, and the last ends beyond the image or before its end: a negative pad crops.
    begin = [-b for b in window.begin]
    end = [_rest(op, x, y, axis, k, b) for axis, k, b in zip(axes, window.kernel, begin, strict=True)]
    if all(size == 0 for size in (*begin, *end)):
        return tiled
    return op.Pad(tiled, op.vector(*begin, *end), None, list(axes))


def _rest(op: Ops, x: Tensor, y: Tensor, axis: int, kernel: int, begin: int) -> Tensor | int:
    """How many inputs lie beyond the last window; negative where it hangs over the end."""
    size, count = x.dims[axis], y.dims[axis]
    if size is None or count is None:
        return op.size(x, axis) - op.size(y, axis) * kernel - begin
    return size - count * kernel - begin


def _is_first_maximum(op: Ops, window: Window, node: Node) -> Tensor:
    """Whether an input is the first that equals the maximum of its window: `[N, C, *spatial of x]`, boolean.

    The pixels are numbered backwards, so a window's first maximum has the highest number; the node itself finds it.
    In float32 the numbers are exact for images of up to 2^24 pixels.
    """
    (x,), y = node.comparable()
    spatial = op.vector(*(op.size(node.x, axis) for axis in range(2, node.x.rank)))
    backwards = op.Range(op.ReduceProd(spatial, keepdims=0), op.const(0), op.const(-1))
    numbers = op.Reshape(op.Cast(backwards, to=int(ir.DataType.FLOAT)), spatial)
    hits = op.cast(op.Equal(x, _hand_back(op, y, window, node)), numbers) * numbers
    return op.Equal(hits, _hand_back(op, node.again(hits), window, node))
