"""GELU in ONNX Runtime's four forms. The standard has it from opset 20 on, so it is spelled out."""

from __future__ import annotations

import math

import onnx_ir as ir

from ninspect.graph.fused.parts import Fused


def gelu(fused: Fused) -> list[ir.Value]:
    """y = x/2 · (1 + erf(x/√2))."""
    return [_gelu(fused, fused.x)]


def bias_gelu(fused: Fused) -> list[ir.Value]:
    """y = gelu(x + bias)."""
    return [_gelu(fused, fused("Add", fused.x, fused.required(1)))]


def _gelu(fused: Fused, x: ir.Value) -> ir.Value:
    return _gated(fused, x, fused("Erf", fused("Mul", x, fused.number(math.sqrt(0.5)))))


def fast_gelu(fused: Fused) -> list[ir.Value]:
    """y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))), of x + bias where there is one."""
    bias = fused.optional(1)
    x = fused.x if bias is None else fused("Add", fused.x, bias)
    cubic = fused("Mul", fused("Mul", x, x), fused.number(0.044715 * math.sqrt(2 / math.pi)))
    inner = fused("Mul", x, fused("Add", cubic, fused.number(math.sqrt(2 / math.pi))))
    return [_gated(fused, x, fused("Tanh", inner))]


def _gated(fused: Fused, x: ir.Value, gate: ir.Value) -> ir.Value:
    """x/2 · (1 + gate)."""
    return fused("Mul", fused("Mul", x, fused.number(0.5)), fused("Add", gate, fused.number(1)))


def quick_gelu(fused: Fused) -> list[ir.Value]:
    """y = x · sigmoid(α·x)."""
    alpha = fused.number(fused.attribute("alpha", 1.702))
    return [fused("Mul", fused.x, fused("Sigmoid", fused("Mul", fused.x, alpha)))]
