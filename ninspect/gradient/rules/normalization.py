"""Normalisations. All but BatchNorm share one adjoint: that of x̂ = (x − mean) / std over some axes."""

from __future__ import annotations

from ninspect.gradient.ops import Ops, Tensor
from ninspect.gradient.registry import Node, vjp


@vjp("BatchNormalization")
def batch_normalization(op: Ops, node: Node, ybar: Tensor, *_: Tensor | None) -> list[Tensor | None]:
    """x̄ = ȳ · scale / √(var + ε), per channel: at inference the statistics are constants.

    Raises:
        ModelError: the node is in training mode, so images of one batch change each other's output.
    """
    if node.attribute("training_mode", 0):
        raise node.refuse("it is in training mode; export the model for inference")
    scale, var = node.required(1), node.required(4)
    factor = op.cast(scale, ybar) / op.Sqrt(op.cast(var, ybar) + node.attribute("epsilon", 1e-5))
    return [ybar * _per_channel(op, factor, node.x), None, None, None, None]


def _per_channel(op: Ops, vector: Tensor, x: Tensor) -> Tensor:
    """`[C]` as `[C, 1, 1, …]`, to broadcast against `[N, C, H, W, …]`."""
    return op.Unsqueeze(vector, list(range(1, x.rank - 1))) if x.rank > 2 else vector


def _standardize_adjoint(op: Ops, x: Tensor, xhat_bar: Tensor, axes: list[int], epsilon: float) -> Tensor:
    """x̄ = (g − mean g − x̂ · mean(g·x̂)) / std, means over the negative `axes`; two passes, so nothing cancels."""
    centred = x - op.ReduceMean(x, axes)
    deviation = op.Sqrt(op.ReduceMean(centred * centred, axes) + epsilon)
    xhat = centred / deviation
    slope = op.ReduceMean(xhat_bar * xhat, axes)
    return (xhat_bar - op.ReduceMean(xhat_bar, axes) - xhat * slope) / deviation


@vjp("LayerNormalization")
def layer_normalization(op: Ops, node: Node, ybar: Tensor, *_: Tensor | None) -> list[Tensor | None]:
    """y = x̂ · scale + bias, x̂ standardised from `axis` to the last axis."""
    x, axis = node.x, node.attribute("axis", -1)
    first = axis if axis < 0 else axis - x.rank
    xbar = _standardize_adjoint(op, x, ybar * node.required(1), list(range(first, 0)), node.attribute("epsilon", 1e-5))
    return [xbar, None, None][: len(node.inputs)]


@vjp("InstanceNormalization")
def instance_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """y = x̂ · scale + bias per channel, x̂ standardised over the pixels."""
    x = node.x
    scaled = ybar * _per_channel(op, node.required(1), x)
    pixels = list(range(2 - x.rank, 0))
    return [_standardize_adjoint(op, x, scaled, pixels, node.attribute("epsilon", 1e-5)), None, None]


@vjp("MeanVarianceNormalization")
def mean_variance_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """y = (x − mean) / (std + 1e-9): the operator's own definition of ε."""
    x = node.x
    axes = [a if a < 0 else a - x.rank for a in node.attribute("axes", [0, 2, 3])]
    if -x.rank in axes:
        raise node.refuse("it normalises over the batch, so images of one batch change each other's output")
    return [_standardize_adjoint(op, x, ybar, axes, 1e-18)]
