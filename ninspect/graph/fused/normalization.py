"""Layer normalisation with what was fused into it, and by the root of the mean square."""

from __future__ import annotations

import onnx_ir as ir

from ninspect.graph.fused.parts import Fused

_FLOAT = int(ir.DataType.FLOAT)


# What the two outputs in the middle hold, the mean and the deviation, only training needs.


def skip_layer_normalization(fused: Fused) -> list[ir.Value | None]:
    """y = x̂ · gamma + beta, x̂ standardised along the last axis from x + skip + bias."""
    total = _sum(fused, fused.optional(4))
    epsilon = fused.attribute("epsilon", 1e-12)
    y = fused("LayerNormalization", total, fused.required(2), fused.optional(3), axis=-1, epsilon=epsilon)
    return [y, None, None, total]


def skip_simplified_layer_normalization(fused: Fused) -> list[ir.Value | None]:
    """y = s / √(mean s² + ε) · gamma along the last axis, s = x + skip + bias."""
    total = _sum(fused, fused.optional(3))
    y = _rms(fused, total, fused.required(2), [-1], fused.attribute("epsilon", 1e-12))
    return [y, None, None, total]


def simplified_layer_normalization(fused: Fused) -> list[ir.Value] | None:
    """y = x / √(mean x² + ε) · scale from `axis` to the last axis."""
    axis = fused.attribute("axis", -1)
    if axis >= 0:
        if fused.x.shape is None:
            return None
        axis -= len(fused.x.shape)
    return [_rms(fused, fused.x, fused.required(1), list(range(axis, 0)), fused.attribute("epsilon", 1e-5))]


def _sum(fused: Fused, bias: ir.Value | None) -> ir.Value:
    total = fused("Add", fused.x, fused.required(1))
    return total if bias is None else fused("Add", total, bias)


def _rms(fused: Fused, x: ir.Value, scale: ir.Value, axes: list[int], epsilon: float) -> ir.Value:
    """Half precision does not hold squares."""
    wide = x if scale.dtype == ir.DataType.FLOAT else fused("Cast", x, to=_FLOAT)
    mean = fused("ReduceMean", fused("Mul", wide, wide), fused.array(axes))
    normal = fused("Div", wide, fused("Sqrt", fused("Add", mean, fused.number(epsilon))))
    return fused("Mul", normal if wide is x else fused("CastLike", normal, scale), scale)
