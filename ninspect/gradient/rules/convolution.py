"""Sliding windows: convolutions, and the adjoint that pooling shares. The class axis is folded into the batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

# With so few input channels a ConvTranspose beats a Conv with flipped weights on ONNX Runtime's CPU provider.
_FEW_CHANNELS = 4


@dataclass(frozen=True)
class Window:
    """Geometry of a sliding window, one entry per spatial axis.

    Output position o sees the inputs o·stride − begin + dilation·i, i = 0 … kernel − 1.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    ceil: bool

    @classmethod
    def of(cls, node: Node, kernel: Sequence[int]) -> Window:
        """Read the geometry from a Conv or pooling node.

        Raises:
            ModelError: `auto_pad` depends on an image size that is not known, or the size of y is wrong.
        """
        axes = len(kernel)
        strides = node.attribute("strides", [1] * axes)
        dilations = node.attribute("dilations", [1] * axes)
        begin, end = _pads(node, kernel, strides, dilations)
        window = cls(
            tuple(kernel),
            tuple(strides),
            tuple(dilations),
            tuple(begin),
            tuple(end),
            bool(node.attribute("ceil_mode", 0)),
        )
        window._refuse_start_in_padding(node)
        return window

    def _refuse_start_in_padding(self, node: Node) -> None:
        """ONNX Runtime drops a last window that starts in the end pads; up to opset 21, shape inference keeps it."""
        for out, size, stride, begin in zip(node.y.dims[2:], node.x.dims[2:], self.strides, self.begin, strict=True):
            if self.ceil and out is not None and size is not None and (out - 1) * stride >= begin + size:
                raise node.refuse("its last window starts in the padding; export the model with opset 22 or newer")

    @property
    def extent(self) -> tuple[int, ...]:
        """How many inputs one window spans."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def tiles(self) -> bool:
        """Whether windows lie side by side: no two share an input, and none is left out between them."""
        return self.kernel == self.strides and set(self.dilations) == {1}


def _pads(
    node: Node, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    axes = len(kernel)
    mode = node.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID", ""):
        pads = [0] * (2 * axes) if mode == "VALID" else node.attribute("pads", [0] * (2 * axes))
        return list(pads[:axes]), list(pads[axes:])
    totals = []
    for size, k, s, d in zip(node.x.dims[2:], kernel, strides, dilations, strict=True):
        if size is None and s != 1:
            raise node.refuse("its padding depends on the image size; give the size of the images")
        # SAME: the output has ⌈size / stride⌉ positions.
        covered = (-(-size // s) - 1) * s if size is not None else -1
        totals.append(max(0, covered + d * (k - 1) + 1 - (size or 0)))
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return (small, large) if mode == "SAME_UPPER" else (large, small)


@vjp("Conv")
def conv(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ ⋆ᵀ W: the transposed convolution, cropped to the image."""
    x, weight = node.x, node.required(1)
    kernel = node.attribute("kernel_shape", weight.dims[2:])
    window, group = Window.of(node, kernel), node.attribute("group", 1)
    flat = op.merge_leading(ybar, node.y, keep=x.rank - 1)
    if _prefer_flipped(window, x, group):
        xbar = op.Conv(
            flat,
            _flipped(op, weight, group, len(kernel)),
            pads=[e - 1 - p for p, e in zip(window.begin * 2, window.extent * 2, strict=True)],
            dilations=window.dilations,
            group=group,
        )
    else:
        xbar = window_adjoint(op, flat, weight, window, node.y, x, group)
    return [op.reshape_like(xbar, x), None, None][: len(node.inputs)]


def _prefer_flipped(window: Window, x: Tensor, group: int) -> bool:
    """A stride-1 convolution is its own kind of adjoint, as long as the pads are symmetric and not too wide."""
    channels = x.dims[1] or 0
    return (
        set(window.strides) == {1}
        and window.begin == window.end
        and all(0 <= p < e for p, e in zip(window.begin, window.extent, strict=True))
        and (channels > _FEW_CHANNELS or group > 1)
    )


def _flipped(op: Ops, weight: Tensor, group: int, axes: int) -> Tensor:
    """`[Co, Ci/g, *k]` to `[Ci, Co/g, *k]` with every kernel axis reversed."""
    if group > 1:
        kernel = [op.size(weight, axis) for axis in range(2, weight.rank)]
        grouped = op.Reshape(weight, op.vector(group, -1, op.size(weight, 1), *kernel))
        swapped = op.Transpose(grouped, perm=[0, 2, 1, *range(3, weight.rank + 1)])
        weight = op.Reshape(swapped, op.vector(-1, _divided(op, op.size(weight, 0), group), *kernel))
    else:
        weight = op.Transpose(weight, perm=[1, 0, *range(2, weight.rank)])
    last = [-1] * axes
    return op.Slice(weight, last, [-(2**31)] * axes, list(range(-axes, 0)), last)


def _divided(op: Ops, size: Tensor, group: int) -> Tensor:
    return op.const(size.constant // group) if size.constant is not None else size / group


def window_adjoint(
    op: Ops, ybar: Tensor, weight: Tensor, window: Window, y: Tensor, x: Tensor, group: int = 1
) -> Tensor:
    """The adjoint of a sliding window.

    Args:
        op: where nodes go.
        ybar: `[B, Co, *spatial of y]`.
        weight: `[Co, Ci/group, *kernel]`.
        window: the geometry.
        y: the forward output, for its spatial size.
        x: the forward input, for its spatial size.
        group: groups of channels.

    Returns:
        `[B, Ci, *spatial of x]`.
    """
    geometry = {"strides": window.strides, "dilations": window.dilations, "group": group}
    sizes, outputs = x.dims[2:], y.dims[2:]
    if None in sizes or None in outputs:
        # Wide enough for every size; what lies outside the image is cropped when the graph runs.
        full = op.ConvTranspose(ybar, weight, output_padding=[s - 1 for s in window.strides], **geometry)
        return crop(op, full, window.begin, x)
    # Pads as wide at the end as at the beginning: others have no CUDA kernel, and with `output_shape` ONNX Runtime
    # ignores them.
    spans = [(o - 1) * s + e for o, s, e in zip(outputs, window.strides, window.extent, strict=True)]  # type: ignore[operator]
    padding = [n - span + 2 * b for n, span, b in zip(sizes, spans, window.begin, strict=True)]  # type: ignore[operator]
    if all(0 <= p < s for p, s in zip(padding, window.strides, strict=True)):
        return op.ConvTranspose(ybar, weight, output_padding=padding, pads=window.begin * 2, **geometry)
    missing = [max(0, p - b) for p, b in zip(padding, window.begin, strict=True)]
    full = op.ConvTranspose(ybar, weight, output_padding=missing, **geometry)
    return crop(op, full, window.begin, x) if any(window.begin) or any(padding) else full


def crop(op: Ops, full: Tensor, begin: Sequence[int], x: Tensor) -> Tensor:
    """The part `[begin : begin + size]` of every spatial axis of `full`, with the spatial sizes of x."""
    axes = len(begin)
    ends = op.vector(*(op.const([b]) + op.size(x, axis + 2) for axis, b in enumerate(begin)))
    if None not in x.dims[2:]:
        ends = op.const([b + n for b, n in zip(begin, x.dims[2:], strict=True)])  # type: ignore[operator]
    return op.Slice(full, list(begin), ends, list(range(-axes, 0)))


@vjp("ConvTranspose")
def conv_transpose(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ ⋆ W: the convolution whose adjoint the node is."""
    x, weight = node.x, node.required(1)
    kernel = node.attribute("kernel_shape", weight.dims[2:])
    strides = node.attribute("strides", [1] * len(kernel))
    dilations = node.attribute("dilations", [1] * len(kernel))
    xbar = op.Conv(
        op.merge_leading(ybar, node.y, keep=x.rank - 1),
        weight,
        pads=_transposed_pads(node, kernel, strides, dilations),
        strides=strides,
        dilations=dilations,
        group=node.attribute("group", 1),
    )
    return [op.reshape_like(xbar, x), None, None][: len(node.inputs)]


def _transposed_pads(node: Node, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """What ConvTranspose cuts off at the beginning and at the end of every axis."""
    axes = len(kernel)
    mode, shape = node.attribute("auto_pad", "NOTSET"), node.attribute("output_shape")
    if shape is None and mode in ("NOTSET", "VALID", ""):
        return list(node.attribute("pads", [0] * (2 * axes)))
    totals = []
    extra = node.attribute("output_padding", [0] * axes)
    for axis, (k, s, d, e) in enumerate(zip(kernel, strides, dilations, extra, strict=True)):
        # SAME: the output has size · stride positions.
        cut = d * (k - 1) + 1 + e - s
        if shape is not None:
            size = node.x.dims[axis + 2]
            if size is None:
                raise node.refuse("its padding depends on the image size; give the size of the images")
            cut += size * s - shape[axis - axes]
        totals.append(max(0, cut))
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return [*small, *large] if mode == "SAME_UPPER" else [*large, *small]


@vjp("Col2Im")
def col2im(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = every window of ȳ as a column: a convolution with one one-hot kernel for each position in the window."""
    kernel = [int(k) for k in node.constant(2)]
    axes, inputs = len(kernel), math.prod(kernel)
    columns = op.Conv(
        op.Unsqueeze(op.merge_leading(ybar, node.y, keep=axes), [1]),
        op.const(np.eye(inputs).reshape(inputs, 1, *kernel), ybar.dtype),
        pads=node.attribute("pads", [0] * (2 * axes)),
        strides=node.attribute("strides", [1] * axes),
        dilations=node.attribute("dilations", [1] * axes),
    )
    return [op.reshape_like(columns, node.x), None, None]
