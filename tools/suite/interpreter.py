"""ONNX graphs in PyTorch: a second opinion on the gradients of files that no framework wrote.

It knows the operators of classic convolutional networks and of static quantisation, which it differentiates straight
through: rounding counts as the identity, and the values that saturate get no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch.nn import functional

from tools.suite.file import Array

Tensor = torch.Tensor
Attributes = dict[str, Any]

_HALF = 0.5 + 1e-2  # as far as rounding can take a number, in float32
_LIMITS = {np.dtype(np.uint8): (0, 255), np.dtype(np.int8): (-128, 127)}


class Interpreter:
    """A graph as a function of its one input.

    Args:
        model: as parsed, weights included.
        until: name of the tensor to return, the first output if None.
        dtype: what to calculate in.

    Attributes:
        dtype: as given.
        statistics: mean and variance per channel of what came to each BatchNormalization, by the names of those inputs.
        calibrate: whether BatchNormalization uses them instead of its own.
        integers: results of QuantizeLinear by name, for numbers that lie halfway between two integers.
    """

    def __init__(self, model: onnx.ModelProto, until: str | None = None, dtype: torch.dtype = torch.float64) -> None:
        self.dtype = dtype
        self.statistics: dict[str, Array] = {}
        self.calibrate = False
        self.integers: dict[str, Array] = {}
        self._graph = model.graph
        self._until = until or model.graph.output[0].name
        self._weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        (self._input,) = [i.name for i in model.graph.input if i.name not in self._weights]

    def __call__(self, x: Tensor) -> Tensor:
        """The tensor at one input."""
        values: dict[str, Any] = {name: self._as_input(_constant(array)) for name, array in self._weights.items()}
        values[""] = None
        values[self._input] = x
        dtypes = {name: array.dtype for name, array in self._weights.items()}
        for node in self._graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "QuantizeLinear" or node.op_type.startswith(("QLinear", "QGemm")):
                # What is quantised is as wide as its zero point, which is the last one.
                zero = [name for name in node.input if dtypes.get(name) in _LIMITS and self._weights[name].size == 1]
                attributes["limits"] = _LIMITS[dtypes[zero[-1]]]
                attributes["integers"] = self.integers.get(node.output[0])
            if self.calibrate and node.op_type == "BatchNormalization":
                channels = values[node.input[0]].transpose(0, 1).flatten(1)
                for name, statistic in zip(node.input[3:], (channels.mean(1), channels.var(1)), strict=True):
                    self.statistics[name], values[name] = statistic.numpy(), statistic
            result = _OPERATORS[node.op_type](attributes, *(values[name] for name in node.input))
            values[node.output[0]] = result = self._as_input(result)
            if node.output[0] == self._until:
                return result.reshape(len(x), -1)
        raise ValueError(f"no tensor {self._until}")

    def _as_input(self, x: Tensor) -> Tensor:
        return x.to(self.dtype) if x.is_floating_point() else x


def _constant(array: Array) -> Tensor:
    return torch.from_numpy(np.array(array) if array.dtype == np.int64 else array.astype(np.float64))


def _pads(a: Attributes, x: Tensor, value: float, kernel: list[int], strides: list[int]) -> Tensor:
    """`x` with the padding that the attributes ask for, and what rounding up adds."""
    begin_end = a.get("pads", [0, 0, 0, 0])
    sizes = x.shape[2:]
    if a.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        total = [max((-(-s // st) - 1) * st + k - s, 0) for s, k, st in zip(sizes, kernel, strides, strict=True)]
        small = [t // 2 for t in total]
        large = [t - s for t, s in zip(total, small, strict=True)]
        begin_end = [*small, *large] if a["auto_pad"] == b"SAME_UPPER" else [*large, *small]
    top, left, bottom, right = begin_end
    if a.get("ceil_mode"):
        bottom += -(sizes[0] + top + bottom - kernel[0]) % strides[0]
        right += -(sizes[1] + left + right - kernel[1]) % strides[1]
    return functional.pad(x, (left, right, top, bottom), value=value)


def _conv(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    strides = a.get("strides", [1, 1])
    dilations = a.get("dilations", [1, 1])
    kernel = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]
    return functional.conv2d(_pads(a, x, 0.0, kernel, strides), w, b, strides, 0, dilations, a.get("group", 1))


def _max_pool(a: Attributes, x: Tensor) -> Tensor:
    kernel, strides = a["kernel_shape"], a.get("strides", [1, 1])
    return functional.max_pool2d(_pads(a, x, -np.inf, kernel, strides), kernel, strides)


def _average_pool(a: Attributes, x: Tensor) -> Tensor:
    kernel, strides = a["kernel_shape"], a.get("strides", [1, 1])
    ones = x.new_ones((1, 1, *x.shape[2:]))
    total, counted = (functional.avg_pool2d(_pads(a, v, 0.0, kernel, strides), kernel, strides) for v in (x, ones))
    if a.get("count_include_pad"):
        inside = _pads(a | {"ceil_mode": 0}, ones, 1.0, kernel, strides)
        counted = functional.avg_pool2d(_pads(a | {"pads": [0] * 4}, inside, 0.0, kernel, strides), kernel, strides)
    return total / counted


def _gemm(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    x, w = (x.T if a.get("transA") else x), (w.T if a.get("transB") else w)
    y: Tensor = a.get("alpha", 1.0) * (x @ w)
    return y if b is None else y + a.get("beta", 1.0) * b


def _batch_normalization(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return functional.batch_norm(x, mean, var, scale, bias, eps=a.get("epsilon", 1e-5))


def _lrn(a: Attributes, x: Tensor) -> Tensor:
    size = a["size"]
    return functional.local_response_norm(x, size, a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0))


def _reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[i] if d == 0 else int(d) for i, d in enumerate(shape.tolist())])


def _gather(a: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = a.get("axis", 0) % x.ndim
    taken = x.index_select(axis, index.reshape(-1))
    return taken.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _unsqueeze(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    for axis in sorted(a["axes"] if axes is None else axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _constant_of_shape(a: Attributes, shape: Tensor) -> Tensor:
    value = numpy_helper.to_array(a["value"]).item() if "value" in a else 0.0
    return torch.full(shape.tolist(), value, dtype=torch.float64)


def _constant_node(a: Attributes) -> Tensor:
    return _constant(numpy_helper.to_array(a["value"]))


def _clip(a: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return x.clamp(None if low is None else float(low), None if high is None else float(high))


def _softmax(a: Attributes, x: Tensor) -> Tensor:
    return x.flatten(1).softmax(1).reshape(x.shape)


class _Straight(torch.autograd.Function):
    """Rounding to a grid with limits; its derivative is 1 inside them and 0 outside."""

    @staticmethod
    def forward(context: Any, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        rounded = x.round()
        context.save_for_backward((rounded >= low) & (rounded <= high))
        return rounded.clamp(low, high)

    @staticmethod
    def backward(context: Any, *ybars: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = context.saved_tensors
        return ybars[0] * inside, None, None


def _channels(parameter: Tensor, axis: int, rank: int) -> Tensor:
    """A scale or zero point per channel, shaped so that it broadcasts."""
    if parameter.numel() == 1:
        return parameter.reshape(())
    return parameter.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


def _quantize(a: Attributes, x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    scale, zero = (_channels(p, a.get("axis", 1), x.ndim) for p in (scale, zero))
    low, high = a["limits"]
    level: Tensor = zero + _Straight.apply(x / scale, low - zero, high - zero)  # type: ignore[no-untyped-call]
    if a["integers"] is None:
        return level
    given = torch.from_numpy(a["integers"]).double()
    off = given - (x / scale + zero).clamp(low, high)
    if float(off.abs().max()) > _HALF:
        raise ValueError("the given integers are not what the numbers are rounded to")
    return level + (given - level).detach()


def _dequantize(a: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    scale = _channels(scale, a.get("axis", 1), x.ndim)
    return x * scale if zero is None else (x - _channels(zero, a.get("axis", 1), x.ndim)) * scale


def _quantized_conv(a: Attributes, x: Tensor, sx: Tensor, zx: Tensor, w: Tensor, sw: Tensor, zw: Tensor, sy: Tensor,
                    zy: Tensor, b: Tensor | None = None) -> Tensor:  # fmt: skip
    weights = _dequantize({"axis": 0}, w, sw, zw)
    bias = None if b is None else b * (sx * sw).reshape(-1)
    return _quantize(a, _conv(a, _dequantize({}, x, sx, zx), weights, bias), sy, zy)


def _quantized_matmul(a: Attributes, x: Tensor, sx: Tensor, zx: Tensor, w: Tensor, sw: Tensor, zw: Tensor, sy: Tensor,
                      zy: Tensor) -> Tensor:  # fmt: skip
    return _quantize(a, _dequantize({}, x, sx, zx) @ _dequantize({"axis": 1}, w, sw, zw), sy, zy)


def _quantized_gemm(a: Attributes, x: Tensor, sx: Tensor, zx: Tensor, w: Tensor, sw: Tensor, zw: Tensor,
                    b: Tensor | None = None, sy: Tensor | None = None, zy: Tensor | None = None) -> Tensor:  # fmt: skip
    weights = _dequantize({"axis": 0 if a.get("transB") else 1}, w, sw, zw)
    bias = None if b is None else b * (sx * sw).reshape(-1) * a.get("alpha", 1.0)
    y = _gemm(a, _dequantize({}, x, sx, zx), weights, bias)
    return y if sy is None or zy is None else _quantize(a, y, sy, zy)


def _quantized_pair(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def run(a: Attributes, x: Tensor, sx: Tensor, zx: Tensor, w: Tensor, sw: Tensor, zw: Tensor, sy: Tensor,
            zy: Tensor) -> Tensor:  # fmt: skip
        return _quantize(a, function(_dequantize({}, x, sx, zx), _dequantize({}, w, sw, zw)), sy, zy)

    return run


def _quantized_single(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def run(a: Attributes, x: Tensor, sx: Tensor, zx: Tensor, sy: Tensor, zy: Tensor) -> Tensor:
        return _quantize(a, function(_dequantize({}, x, sx, zx)), sy, zy)

    return run


def _quantized_average_pool(a: Attributes, x: Tensor, sx: Tensor, zx: Tensor, sy: Tensor, zy: Tensor) -> Tensor:
    return _quantize(a, _average_pool(a, _dequantize({}, x, sx, zx)), sy, zy)


def _quantized_concat(a: Attributes, sy: Tensor, zy: Tensor, *parts: Tensor) -> Tensor:
    triples = zip(parts[0::3], parts[1::3], parts[2::3], strict=True)
    return _quantize(a, torch.cat([_dequantize({}, *triple) for triple in triples], a["axis"]), sy, zy)


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": lambda a, x: x,
    "Clip": _clip,
    "Concat": lambda a, *parts: torch.cat(parts, a["axis"]),
    "Constant": _constant_node,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Dropout": lambda a, x, *rest: x,
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "Identity": lambda a, x: x,
    "LRN": _lrn,
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": _max_pool,
    "Mul": lambda a, x, y: x * y,
    "QGemm": _quantized_gemm,
    "QLinearAdd": _quantized_pair(torch.add),
    "QLinearAveragePool": _quantized_average_pool,
    "QLinearConcat": _quantized_concat,
    "QLinearConv": _quantized_conv,
    "QLinearGlobalAveragePool": _quantized_single(lambda x: x.mean((2, 3), keepdim=True)),
    "QLinearMatMul": _quantized_matmul,
    "QLinearMul": _quantized_pair(torch.mul),
    "QLinearSigmoid": _quantized_single(torch.sigmoid),
    "QuantizeLinear": _quantize,
    "Relu": lambda a, x: x.relu(),
    "Reshape": _reshape,
    "Sigmoid": lambda a, x: x.sigmoid(),
    "Softmax": _softmax,
    "Sum": lambda a, *parts: sum(parts),
    "Tanh": lambda a, x: x.tanh(),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Unsqueeze": _unsqueeze,
}
