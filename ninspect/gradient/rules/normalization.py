"""Normalisations. Most share one adjoint: that of x̂ = (x − mean) / std over some axes."""

from __future__ import annotations

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node, from_end
from ninspect.graph.writer import Ops, Tensor


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


def _scale_adjoint(op: Ops, x: Tensor, xhat_bar: Tensor, axes: list[int], epsilon: float) -> Tensor:
    """The adjoint of x̂ = x / r, r = √(mean x² + ε) over the negative `axes`: x̄ = (x̂̅ − x̂ · mean(x̂̅·x̂)) / r."""
    root = op.Sqrt(op.ReduceMean(x * x, axes) + epsilon)
    xhat = x / root
    return (xhat_bar - xhat * op.ReduceMean(xhat_bar * xhat, axes)) / root


def _standardize_adjoint(op: Ops, x: Tensor, xhat_bar: Tensor, axes: list[int], epsilon: float) -> Tensor:
    """The adjoint of x̂ = (x − mean) / √(var + ε): x is centred first, so nothing cancels, and x̄ at last."""
    centred_bar = _scale_adjoint(op, x - op.ReduceMean(x, axes), xhat_bar, axes, epsilon)
    return centred_bar - op.ReduceMean(centred_bar, axes)


@vjp("LayerNormalization")
def layer_normalization(op: Ops, node: Node, ybar: Tensor, *statistics: Tensor | None) -> list[Tensor | None]:
    """y = x̂ · scale + bias, x̂ standardised from `axis` to the last axis.

    Raises:
        ModelError: the network goes on to use the mean or the deviation itself.
    """
    if any(statistic is not None for statistic in statistics):
        raise node.refuse("its mean or deviation is used")
    axes = list(range(node.axis(-1), 0))
    xbar = _standardize_adjoint(op, node.x, ybar * node.required(1), axes, node.attribute("epsilon", 1e-5))
    return [xbar, None, None][: len(node.inputs)]


@vjp("RMSNormalization")
def rms_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """y = x̂ · scale, x̂ = x / √(mean x² + ε) from `axis` to the last axis."""
    axes = list(range(node.axis(-1), 0))
    return [_scale_adjoint(op, node.x, ybar * node.required(1), axes, node.attribute("epsilon", 1e-5)), None]


@vjp("InstanceNormalization")
def instance_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """y = x̂ · scale + bias per channel, x̂ standardised over the pixels."""
    x = node.x
    scaled = ybar * _per_channel(op, node.required(1), x)
    pixels = list(range(2 - x.rank, 0))
    return [_standardize_adjoint(op, x, scaled, pixels, node.attribute("epsilon", 1e-5)), None, None]


@vjp("GroupNormalization")
def group_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """y = x̂ · scale + bias, x̂ standardised over each group of channels; until opset 20 a group shares its scale."""
    x, scale, groups = node.x, node.required(1), node.attribute("num_groups")
    if scale.dims != (groups,):
        ybar = ybar * _per_channel(op, scale, x)
    # [N, groups, pixels of a group]
    grouped = op.Reshape(x, [0, groups, -1])
    xhat_bar = op.Reshape(ybar, op.vector(-1, op.size(x, 0), groups, op.Shape(grouped, start=2)))
    if scale.dims == (groups,):
        xhat_bar = xhat_bar * op.Unsqueeze(scale, [1])
    xbar = _standardize_adjoint(op, grouped, xhat_bar, [-1], node.attribute("epsilon", 1e-5))
    return [op.reshape_like(xbar, x), None, None]


@vjp("MeanVarianceNormalization")
def mean_variance_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """y = (x − mean) / (std + 1e-9): the operator's own definition of ε.

    Raises:
        ModelError: it normalises over the batch, so images of one batch change each other's output.
    """
    x = node.x
    axes = [from_end(axis, x.rank) for axis in node.attribute("axes", [0, 2, 3])]
    if -x.rank in axes:
        raise node.refuse("it normalises over the batch, so images of one batch change each other's output")
    return [_standardize_adjoint(op, x, ybar, axes, 1e-18)]


@vjp("LRN")
def local_response_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """y = x·r^(−β), r = bias + α/n · W·x², W sums over n channels: x̄ = ȳ·r^(−β) − 2αβ/n · x · Wᵀ(ȳ·y/r)."""
    x, y, size = node.x, node.y, node.attribute("size")
    alpha, beta, bias = node.attribute("alpha", 1e-4), node.attribute("beta", 0.75), node.attribute("bias", 1.0)
    channel = op.positions(op.size(x, 1))
    distance = channel - op.Unsqueeze(channel, [1])
    near = op.And(op.GreaterOrEqual(distance, -((size - 1) // 2)), op.LessOrEqual(distance, size // 2))
    window = op.cast(near, x)
    # [N, C, pixels], so that W is one matrix product.
    squares = op.MatMul(window, op.Reshape(x * x, [0, 0, -1]))
    root = op.Reshape(squares, op.shape(x)) * (alpha / size) + bias
    power = op.Pow(root, -beta)
    pixels = op.Reshape(ybar * (y / root), op.vector(-1, op.size(x, 0), op.size(x, 1), op.Shape(squares, start=2)))
    spread = op.reshape_like(op.MatMul(op.Transpose(window, perm=[1, 0]), pixels), x)
    return [ybar * power - spread * (x * (2.0 * alpha * beta / size))]


@vjp("LpNormalization")
def lp_normalization(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """y = x/‖x‖: x̄ = (ȳ − u · Σ ȳ·y) / ‖x‖ with u = y, or the sign of x for p = 1; 0 where the norm is 0."""
    x, axes, p = node.x, [node.axis(-1)], node.attribute("p", 2)
    norm = op.ReduceL1(x, axes) if p == 1 else op.ReduceL2(x, axes)
    slope = op.Sign(x) if p == 1 else node.y
    zero = op.Equal(norm, 0.0)
    inverse = op.Where(zero, op.const(0.0, x.dtype), 1.0 / op.Where(zero, op.const(1.0, x.dtype), norm))
    return [(ybar - slope * op.ReduceSum(ybar * node.y, axes)) * inverse]
