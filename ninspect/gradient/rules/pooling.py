"""MaxPool and AveragePool.

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

from ninspect.gradient.ops import Ops, Tensor
from ninspect.gradient.registry import Node, vjp
from ninspect.gradient.rules.convolution import Window, crop, window_adjoint


@vjp("MaxPool")
def max_pool(op: Ops, node: Node, ybar: Tensor, *_: Tensor | None) -> list[Tensor]:
    """x̄[p] = Σ over windows o of ȳ[o] · [p is the first maximum of window o]."""
    window = Window.of(node, node.attribute("kernel_shape"))
    masks = [op.Unsqueeze(op.cast(mask, ybar), [2]) for mask in _first_maximum(op, node, window)]
    # [N, C, inputs of a window, *spatial of y]
    return [_spread(op, ybar, op.Concat(*masks, axis=2) if len(masks) > 1 else masks[0], window, node)]


def _first_maximum(op: Ops, node: Node, window: Window) -> Iterator[Tensor]:
    """For each position inside the window, in row-major order: is it the window's first maximum? `[N, C, *out]`."""
    x, y = node.x, node.y
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
        hit = op.Equal(op.Slice(x, starts, ends, axes, list(window.strides)), y)
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


@vjp("AveragePool")
def average_pool(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄[p] = Σ over the windows o that contain p of ȳ[o] / (number of inputs that window o averages)."""
    x, y = node.x, node.y
    window = Window.of(node, node.attribute("kernel_shape"))
    merged = op.merge_leading(ybar * _reciprocal_counts(op, node, window, ybar), y, keep=y.rank - 2)
    channel = op.Unsqueeze(merged, [1])
    kernel = op.const(np.ones((1, 1, *window.kernel)), ybar.dtype)
    return [op.reshape_like(window_adjoint(op, channel, kernel, window, y, x), x)]


def _reciprocal_counts(op: Ops, node: Node, window: Window, like: Tensor) -> Tensor:
    """1 / divisor of every window, `[1, 1, *spatial of y]`.

    What the divisor is (pads counted or not, windows that hang over the end) differs between opsets and runtimes, so
    the node itself is asked: on an image of ones it answers (ones in the window) / divisor.
    """
    x, axes = node.x, len(window.kernel)
    spatial = op.vector(1, 1, *(op.size(x, axis) for axis in range(2, x.rank)))
    ones = op.Expand(op.const(1.0, like.dtype), spatial)
    settings = {
        name: node.attribute(name)
        for name in ("auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides")
    }
    answer = op.AveragePool(ones, **settings)
    beyond = [s - 1 if window.ceil else 0 for s in window.strides]
    inside = op.Conv(
        ones,
        op.const(np.ones((1, 1, *window.kernel)), like.dtype),
        pads=[*window.begin, *(e + b for e, b in zip(window.end, beyond, strict=True))],
        strides=window.strides,
        dilations=window.dilations,
    )
    return answer / crop(op, inside, [0] * axes, node.y)
