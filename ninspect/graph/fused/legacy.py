"""Operators of the standard's first drafts: converters from Core ML and Caffe2 wrote them, ONNX Runtime runs them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ninspect.graph.fused.parts import Fused


def affine(fused: Fused) -> list[ir.Value]:
    """y = α·x + β."""
    return [_line(fused, fused.x)]


def _line(fused: Fused, x: ir.Value, alpha: float = 1.0, beta: float = 0.0) -> ir.Value:
    """α·x + β with the attributes of those names."""
    product = fused("Mul", x, fused.number(fused.attribute("alpha", alpha)))
    return fused("Add", product, fused.number(fused.attribute("beta", beta)))


def scale(fused: Fused) -> list[ir.Value]:
    """y = scale · x."""
    return [fused("Mul", fused.x, fused.number(fused.attribute("scale", 1.0)))]


def scaled_tanh(fused: Fused) -> list[ir.Value]:
    """y = α · tanh(β·x)."""
    inner = fused("Mul", fused.x, fused.number(fused.attribute("beta", 0.0)))
    return [fused("Mul", fused("Tanh", inner), fused.number(fused.attribute("alpha", 0.0)))]


def parametric_softplus(fused: Fused) -> list[ir.Value]:
    """y = α · log(1 + e^(β·x))."""
    inner = fused("Mul", fused.x, fused.number(fused.attribute("beta", 0.0)))
    return [fused("Mul", fused("Softplus", inner), fused.number(fused.attribute("alpha", 0.0)))]


def image_scaler(fused: Fused) -> list[ir.Value]:
    """y = scale · x + bias, with a bias for every channel of an image `[N, C, H, W]`."""
    product = fused("Mul", fused.x, fused.number(fused.attribute("scale", 1.0)))
    bias = np.asarray(fused.attribute("bias", [0.0]), np.float32)
    return [fused("Add", product, fused.array(bias.reshape(-1, 1, 1)))]


def crop(fused: Fused) -> list[ir.Value]:
    """y = x without the border, which is given as left, top, right and bottom; or as much of it as `scale` says."""
    left, top, right, bottom = fused.attribute("border")
    size = fused.attribute("scale")
    ends = [-bottom or 2**31, -right or 2**31] if size is None else [top + size[0], left + size[1]]
    return [fused("Slice", fused.x, *map(fused.array, ([top, left], ends, [2, 3])))]
