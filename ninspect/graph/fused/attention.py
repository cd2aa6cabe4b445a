"""Attention as one operator, in the three forms that ONNX Runtime's optimisers for transformers write."""

from __future__ import annotations

import onnx_ir as ir

from ninspect.graph.fused.parts import Fused


def attention(fused: Fused) -> list[ir.Value | None]:
    """y = softmax(q·kᵀ·scale + bias)·v for every head, with q, k, v = the pieces of x·W + b.

    Raises:
        ModelError: it has a mask, a memory of earlier tokens or rotated positions.
    """
    _refuse_text(fused, memory=(3, 4, 6))
    product = fused("MatMul", fused.x, fused.required(1))
    return _packed(fused, product, fused.optional(2), _width(fused, 1), fused.optional(5))


def quantized_attention(fused: Fused) -> list[ir.Value | None]:
    """y = attention, with x and W dequantised first.

    Raises:
        ModelError: it has a mask or a memory of earlier tokens.
    """
    _refuse_text(fused, memory=(5, 8))
    x = fused("DequantizeLinear", fused.x, fused.required(3), fused.optional(6))
    weights = fused("DequantizeLinear", fused.required(1), fused.required(4), fused.optional(7), axis=-1)
    return _packed(fused, fused("MatMul", x, weights), fused.optional(2), _width(fused, 1), None)


def _refuse_text(fused: Fused, memory: tuple[int, ...]) -> None:
    """What only networks for text have."""
    given = any(fused.optional(index) is not None for index in memory)
    if given or fused.attribute("unidirectional", 0) or fused.attribute("do_rotary", 0):
        raise fused.refuse("it has a mask, a memory of earlier tokens or rotated positions")


def _width(fused: Fused, index: int) -> int:
    """The size of the last axis of a constant."""
    return int(fused.constant(index).shape[-1])


def _packed(
    fused: Fused, product: ir.Value, bias: ir.Value | None, width: int, attention_bias: ir.Value | None
) -> list[ir.Value | None]:
    """Attention to one product that holds q, k and v side by side, `[N, S, width]`."""
    product = product if bias is None else fused("Add", product, bias)
    sizes = list(fused.attribute("qkv_hidden_sizes", [])) or [width // 3] * 3
    q, k, v = (_heads(fused, part) for part in fused.split(product, sizes))
    return [_attend(fused, q, k, v, attention_bias)]


def multi_head_attention(fused: Fused) -> list[ir.Value | None] | None:
    """y = softmax(q·kᵀ·scale + bias)·v for every head.

    Raises:
        ModelError: it has a mask or a memory of earlier tokens, or its keys and values come in one tensor.
    """
    _refuse_text(fused, memory=(4, 6, 7, 8, 9))
    q, k, v, bias = fused.x, fused.optional(1), fused.optional(2), fused.optional(3)
    if k is None or v is None:  # ONNX Runtime's kernel for the processor does not take them either
        raise fused.refuse("its keys and values come in one tensor")
    rank = fused.rank(k)
    if rank is None:
        return None
    if bias is not None:
        if rank == 4:
            raise fused.refuse("its keys and values come in heads and with a bias")
        biases = fused.split(bias, [_width(fused, 3) // 3] * 3)
        q, k, v = (fused("Add", x, b) for x, b in zip((q, k, v), biases, strict=True))
    if rank == 3:  # those of another sequence come in heads already
        k, v = _heads(fused, k), _heads(fused, v)
    return [_attend(fused, _heads(fused, q), k, v, fused.optional(5))]


def _heads(fused: Fused, x: ir.Value) -> ir.Value:
    """`[N, S, heads·size]` → `[N, heads, S, size]`."""
    parts = fused("Reshape", x, fused.array([0, 0, fused.attribute("num_heads"), -1]))
    return fused("Transpose", parts, perm=[0, 2, 1, 3])


def _attend(fused: Fused, q: ir.Value, k: ir.Value, v: ir.Value, bias: ir.Value | None) -> ir.Value:
    """`[N, S, heads·size]`."""
    scores = fused("Mul", fused("MatMul", q, fused("Transpose", k, perm=[0, 1, 3, 2])), _scale(fused, q))
    scores = scores if bias is None else fused("Add", scores, bias)
    y = fused("MatMul", fused("Softmax", scores, axis=-1), v)
    return fused("Reshape", fused("Transpose", y, perm=[0, 2, 1, 3]), fused.array([0, 0, -1]))


def _scale(fused: Fused, q: ir.Value) -> ir.Value:
    """The given factor, or one over the root of the size of a head."""
    scale = fused.attribute("scale", 0.0)
    if scale:
        return fused.number(scale)
    size = fused("Cast", fused("Shape", q, start=3), to=int(ir.DataType.FLOAT))
    return fused("Reciprocal", fused("Sqrt", size))
