"""Quantised networks against PyTorch's straight-through estimators; on the grid many values are cut off."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, case, generator, randn

LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}
INTEGERS = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "uint16": np.uint16}
# Moved off the middle between two integers.
OFFSET = 0.31
DYNAMIC = "o = Add (x, offset); q, s, z = DynamicQuantizeLinear (o)"
PAIR = "q = QuantizeLinear (x, scale, zero); y = DequantizeLinear (q, scale, zero)"


def fake(x: torch.Tensor, scale: float, zero: int, dtype: str) -> torch.Tensor:
    """Quantised and dequantised: the gradient passes where nothing is cut off."""
    return torch.fake_quantize_per_tensor_affine(x, float(np.float32(scale)), zero, *LIMITS[dtype])


def fake_conv(x: torch.Tensor, scales: torch.Tensor, bias_scales: torch.Tensor) -> torch.Tensor:
    """A convolution of quantised images with quantised weights, quantised."""
    kernel = torch.from_numpy(KERNEL) * scales[:, None, None, None]
    y = fn.conv2d(fake(x, 0.03, 100, "uint8"), kernel, torch.from_numpy(BIAS) * bias_scales)
    return fake(y, 0.3, 100, "uint8")


def pair(scale: float, zero: int, dtype: str, opset: int = 18) -> Case:
    return case(
        f"Quantize to {dtype} by {scale} from {zero}",
        PAIR,
        lambda x, **_: fake(x, scale, zero, dtype),
        (3, 4, 5),
        opset=opset,
        values="grid",
        scale=scale,
        zero=np.array(zero, INTEGERS[dtype]),
    )


def channels(axis: int, size: int, attribute: str) -> Case:
    """A scale and a zero point for every slice."""
    scale, zero = abs(randn(size)) / 50 + np.float32(0.01), np.arange(size) * 7 - 9

    def function(x: torch.Tensor, **_: torch.Tensor) -> torch.Tensor:
        return torch.fake_quantize_per_channel_affine(
            x, torch.from_numpy(scale), torch.from_numpy(zero).int(), axis, *LIMITS["int8"]
        )

    nodes = f"q = QuantizeLinear {attribute} (x, scale, zero); y = DequantizeLinear {attribute} (q, scale, zero)"
    weights: dict[str, Any] = {"scale": scale, "zero": zero.astype(np.int8)}
    return case(f"Quantize axis {axis} {attribute}", nodes, function, (3, 4, 5), values="grid", **weights)


def dynamic(x: torch.Tensor) -> torch.Tensor:
    """Quantised to the range of the batch, and dequantised."""
    x = x + OFFSET
    low, high = x.detach().min().clamp(max=0), x.detach().max().clamp(min=0)
    scale = (high - low) / 255
    zero = (-low / scale).round()
    levels = (x.detach() / scale).round() + zero
    return x + ((levels.clamp(0, 255) - zero) * scale - x).detach()


# Of seven bits: processors without instructions for it add two products in 16 bits, where those of eight overflow.
KERNEL = generator("kernel").integers(-64, 64, (4, 3, 3, 3)).astype(np.int8)
MATRIX = generator("matrix").integers(0, 256, (5, 4)).astype(np.uint8)
BIAS = np.array([300, -200, 100, 0], np.int32)
CHANNEL_SCALES = np.array([0.01, 0.02, 0.03, 0.015], np.float32)

CASES = [
    pair(0.02, 0, "int8"),
    pair(0.02, 0, "int8", opset=13),
    pair(0.017, 31, "int8", opset=10),
    pair(0.03, 128, "uint8"),
    pair(0.013, 7, "uint8", opset=23),
    pair(1e-4, 5, "int16", opset=21),
    pair(1e-4, 20000, "uint16", opset=21),
    channels(1, 3, ""),
    channels(1, 3, "<axis=1>"),
    channels(3, 5, "<axis=-1>"),
    channels(2, 4, "<axis=2>"),
    case(
        "Quantize without a zero point",
        "q = QuantizeLinear (x, scale); y = DequantizeLinear (q, scale)",
        lambda x, **_: fake(x, 0.01, 0, "uint8"),
        (3, 4),
        values="grid",
        scale=0.01,
    ),
    case(
        "Quantize by a vector of one",
        PAIR,
        lambda x, **_: fake(x, 0.02, 3, "int8"),
        (3, 4),
        values="grid",
        scale=[0.02],
        zero=np.array([3], np.int8),
    ),
    case(
        "Quantize in floats",
        "d = Div (x, scale); r = Round (d); c = Clip (r, low, high); y = Mul (c, scale)",
        lambda x, **_: fake(x, 0.02, 0, "int8"),
        (3, 4, 5),
        values="grid",
        scale=0.02,
        low=-128.0,
        high=127.0,
    ),
    case(
        "Quantize by one scale, read by another",
        "q = QuantizeLinear (x, scale, zero); y = DequantizeLinear (q, other, zero)",
        lambda x, **_: fake(x, 0.02, 3, "int8") * 2.5,
        (3, 4, 5),
        values="grid",
        scale=0.02,
        other=0.05,
        zero=np.array(3, np.int8),
    ),
    case(
        "DynamicQuantizeLinear",
        f"{DYNAMIC}; y = DequantizeLinear (q, s, z)",
        lambda x, **_: dynamic(x),
        (3, 4, 5),
        values="grid",
        offset=OFFSET,
    ),
    case(
        "a quantised convolution",
        """
        q = QuantizeLinear (x, s, z); r = DequantizeLinear (q, s, z)
        w = DequantizeLinear <axis=0> (kernel, scales); b = DequantizeLinear <axis=0> (bias, scales)
        c = Conv (r, w, b); cq = QuantizeLinear (c, t, z); y = DequantizeLinear (cq, t, z)
        """,
        lambda x, scales, **_: fake_conv(x, scales, scales),
        (3, 6, 5),
        values="grid",
        s=0.03,
        t=0.3,
        z=np.array(100, np.uint8),
        kernel=KERNEL,
        bias=BIAS,
        scales=CHANNEL_SCALES,
    ),
    # The operators on integers, as ONNX Runtime's quantiser writes them.
    case(
        "QLinearConv and a pool of integers",
        """
        q = QuantizeLinear (x, s, z); c = QLinearConv (q, s, z, kernel, scales, zeros, t, z, bias)
        p = MaxPool <kernel_shape=[2, 2]> (c); f = Flatten (p); y = DequantizeLinear (f, t, z)
        """,
        lambda x, scales, **_: fn.max_pool2d(fake_conv(x, scales, 0.03 * scales), 2, 1),
        (3, 6, 5),
        values="grid",
        s=0.03,
        t=0.3,
        z=np.array(100, np.uint8),
        kernel=KERNEL,
        bias=BIAS,
        scales=CHANNEL_SCALES,
        zeros=np.zeros(4, np.int8),
    ),
    case(
        "ConvInteger",
        f"""
        {DYNAMIC}; i = ConvInteger <pads=[1, 1, 1, 1]> (q, kernel, z, zero)
        f = Cast <to=1> (i); t = Mul (s, scale); y = Mul (f, t)
        """,
        lambda x, **_: fn.conv2d(dynamic(x), (torch.from_numpy(KERNEL).double() - 3) * 0.02, padding=1),
        (3, 6, 5),
        values="grid",
        offset=OFFSET,
        kernel=KERNEL,
        zero=np.array(3, np.int8),
        scale=0.02,
    ),
    case(
        "MatMulInteger",
        f"""
        {DYNAMIC}; i = MatMulInteger (q, matrix, z, zero)
        f = Cast <to=1> (i); t = Mul (s, scales); y = Mul (f, t)
        """,
        lambda x, scales, **_: dynamic(x) @ (torch.from_numpy(MATRIX).double() - 120) * scales,
        (3, 5),
        values="grid",
        offset=OFFSET,
        matrix=MATRIX,
        zero=np.array(120, np.uint8),
        scales=CHANNEL_SCALES,
    ),
    case(
        "MatMulInteger of two factors that follow the image, as queries and keys",
        f"""
        {DYNAMIC}; p = Transpose <perm=[0, 2, 1]> (o); r, t, w = DynamicQuantizeLinear (p)
        i = MatMulInteger (q, r, z, w); f = Cast <to=1> (i); m = Mul (s, t); y = Mul (f, m)
        """,
        lambda x, **_: dynamic(x) @ dynamic(x).mT,
        (3, 5),
        values="grid",
        offset=OFFSET,
    ),
]
