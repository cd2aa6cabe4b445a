"""Convolutions and products that took in their neighbours."""

from __future__ import annotations

import onnx_ir as ir

from ninspect.graph.fused.parts import Fused


def fused_conv(fused: Fused) -> list[ir.Value]:
    """y = f(x ⋆ w + b + z).

    Raises:
        ModelError: it was fused with an unknown activation.
    """
    return convolution(fused, fused.required(1))


def convolution(fused: Fused, weights: ir.Value) -> list[ir.Value]:
    """What a fused convolution computes with given weights in the place of its own.

    Raises:
        ModelError: it was fused with an unknown activation.
    """
    y = fused("Conv", fused.x, weights, fused.optional(2), **fused.attributes("activation", "activation_params"))
    z = fused.optional(3)
    y = y if z is None else fused("Add", y, z)
    return [fused.activate(y, fused.attribute("activation", ""), fused.attribute("activation_params", []))]


def fused_gemm(fused: Fused) -> list[ir.Value]:
    """y = f(α·A'·B' + β·C).

    Raises:
        ModelError: it was fused with an unknown activation.
    """
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    y = fused("Gemm", *fused.inputs, **fused.attributes("activation", *names))
    parameters = [value for name in names if (value := fused.attribute(name)) is not None]
    return [fused.activate(y, fused.attribute("activation", ""), parameters)]


def fused_mat_mul(fused: Fused) -> list[ir.Value] | None:
    """y = α·A'·B', where the last two axes of A and B may be swapped, or the first one may belong before the last."""
    operands = [(fused.x, "A"), (fused.required(1), "B")]
    if any(_is_turned(fused, which) and fused.rank(x) is None for x, which in operands):
        return None
    y, alpha = fused("MatMul", *(_turned(fused, x, which) for x, which in operands)), fused.attribute("alpha", 1.0)
    return [y if alpha == 1 else fused("Mul", y, fused.number(alpha))]


def _is_turned(fused: Fused, which: str) -> bool:
    return bool(fused.attribute(f"trans{which}", 0) or fused.attribute(f"transBatch{which}", 0))


def _turned(fused: Fused, x: ir.Value, which: str) -> ir.Value:
    """An operand as the product takes it."""
    order = list(range(fused.rank(x) or 0))
    if not _is_turned(fused, which) or len(order) < 2:  # a vector has nothing to swap
        return x
    if fused.attribute(f"transBatch{which}", 0):
        order = [*order[1:-1], order[0], order[-1]]
    if fused.attribute(f"trans{which}", 0):
        order[-2:] = order[:-3:-1]
    return fused("Transpose", x, perm=order)
