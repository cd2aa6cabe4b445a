"""Products of integers, or with integers, whose results are floats."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.graph.fused.parts import Fused


def mat_mul_integer_to_float(fused: Fused) -> list[ir.Value]:
    """y = A·B + bias, with both dequantised first."""
    a = fused("DequantizeLinear", fused.x, fused.required(2), fused.optional(4))
    return [_product(fused, a, fused.required(3), fused.optional(5), fused.optional(6))]


def dynamic_quantize_mat_mul(fused: Fused) -> list[ir.Value]:
    """y = A·B + bias, with A quantised to its range and both dequantised first."""
    a = fused("DequantizeLinear", *fused.outputs("DynamicQuantizeLinear", fused.x, count=3))
    return [_product(fused, a, fused.required(2), fused.optional(3), fused.optional(4))]


def _product(fused: Fused, a: ir.Value, scale: ir.Value, zero: ir.Value | None, bias: ir.Value | None) -> ir.Value:
    y = fused("MatMul", a, fused("DequantizeLinear", fused.required(1), scale, zero, axis=-1))
    return y if bias is None else fused("Add", y, bias)


def mat_mul_bits(fused: Fused) -> list[ir.Value]:
    """y = x·W + bias, with a W `[K, N]` whose numbers have 2, 4 or 8 bits, and a scale and zero point for each block.

    Raises:
        ModelError: its numbers are of another width, or its weights are not constant, or sorted.
    """
    bits, block = fused.attribute("bits", 4), fused.attribute("block_size")
    columns, rows = fused.attribute("N"), fused.attribute("K")
    if bits not in (2, 4, 8) or fused.optional(4) is not None:
        raise fused.refuse(f"its weights have {bits} bits, or are sorted into groups")
    blocks = -(-rows // block)
    levels = _unpacked(fused.constant(1), bits).reshape(columns, blocks, block)
    zeros: NDArray[np.float32] | float = float(2 ** (bits - 1))
    if fused.optional(3) is not None:
        packed = fused.constant(3)
        unpacked = _unpacked(packed.reshape(columns, -1), bits) if packed.dtype == np.uint8 else packed
        zeros = unpacked.reshape(columns, -1)[:, :blocks, None].astype(np.float32)
    scales = fused.constant(2).reshape(columns, blocks, 1)
    weights = ((levels - zeros) * scales.astype(np.float32)).reshape(columns, -1)[:, :rows]
    y = fused("MatMul", fused.x, fused.array(np.ascontiguousarray(weights.T, dtype=scales.dtype)))
    bias = fused.optional(5)
    return [y if bias is None else fused("Add", y, bias)]


def _unpacked(packed: NDArray[np.uint8], bits: int) -> NDArray[np.float32]:
    """Numbers of a few bits each, the lowest bits of a byte first, along the last axis."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    numbers = (packed[..., None] >> shifts) & (2**bits - 1)
    return np.asarray(numbers.reshape(*packed.shape[:-1], -1), np.float32)
