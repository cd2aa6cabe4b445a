"""Reductions, Softmax, and pooling over the whole image."""

from __future__ import annotations

import numpy as np

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node, from_end
from ninspect.graph.writer import Ops, Tensor


def _axes(node: Node) -> list[int]:
    """The reduced axes, counted from the end; empty when the node does nothing."""
    given = node.attribute("axes")
    axes = node.constant(1, []) if given is None else np.asarray(given)
    if axes.size == 0:
        return [] if node.attribute("noop_with_empty_axes", 0) else list(range(-node.x.rank, 0))
    return [from_end(int(axis), node.x.rank) for axis in axes]


def _keep_axes(op: Ops, node: Node, tensor: Tensor) -> Tensor:
    """Put axes of size 1 back where the reduction dropped them."""
    axes = _axes(node)
    return tensor if node.attribute("keepdims", 1) or not axes else op.Unsqueeze(tensor, axes)


def _count(op: Ops, node: Node, like: Tensor) -> Tensor:
    """How many values were reduced to one, as a scalar."""
    sizes = [op.size(node.x, axis) for axis in _axes(node)]
    return op.cast(op.ReduceProd(op.vector(*sizes), keepdims=0), like) if sizes else op.const(1.0, like.dtype)


def _result(node: Node, xbar: Tensor) -> list[Tensor | None]:
    return [xbar, None][: len(node.inputs)]


@vjp("ReduceSum")
def reduce_sum(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ repeated along the reduced axes."""
    return _result(node, op.Expand(_keep_axes(op, node, ybar), op.shape(node.x)))


@vjp("ReduceMean", keeps_sign_of=1, classwise=True)
def reduce_mean(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ / count, repeated along the reduced axes."""
    return _result(node, op.Expand(_keep_axes(op, node, ybar) / _count(op, node, ybar), op.shape(node.x)))


@vjp("ReduceMax", "ReduceMin")
def reduce_extremum(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """ȳ goes to the elements that reach the extremum, in equal shares."""
    (x,), y = node.comparable()
    hit = op.cast(op.Equal(x, _keep_axes(op, node, y)), ybar)
    ties = op.ReduceSum(hit, op.const(_axes(node)), keepdims=1, noop_with_empty_axes=1)
    return _result(node, _keep_axes(op, node, ybar) * (hit / ties))


@vjp("ReduceSumSquare")
def reduce_sum_square(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = 2·x·ȳ."""
    return _result(node, _keep_axes(op, node, ybar) * (node.x * 2.0))


@vjp("ReduceL2")
def reduce_l2(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · x/y, and 0 where the norm is 0."""
    y = _keep_axes(op, node, node.y)
    safe = op.Where(op.Equal(y, 0.0), op.const(1.0, y.dtype), y)
    return _result(node, _keep_axes(op, node, ybar) * (node.x / safe))


@vjp("ReduceL1")
def reduce_l1(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · sign(x)."""
    return _result(node, _keep_axes(op, node, ybar) * op.Sign(node.x))


@vjp("ReduceLogSumExp")
def reduce_log_sum_exp(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · e^(x − y)."""
    return _result(node, _keep_axes(op, node, ybar) * op.Exp(node.x - _keep_axes(op, node, node.y)))


@vjp("ReduceLogSum")
def reduce_log_sum(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · e^(−y), the same for every summand."""
    share = ybar * op.Exp(-node.y)
    return _result(node, op.Expand(_keep_axes(op, node, share), op.shape(node.x)))


@vjp("ReduceProd")
def reduce_prod(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ · product of the other factors, which is 0 where one of those is 0."""
    x, axes = node.x, op.const(_axes(node))
    zero = op.Equal(x, 0.0)
    factor = op.Where(zero, op.const(1.0, x.dtype), x)
    others = op.ReduceProd(factor, axes, noop_with_empty_axes=1) / factor
    zeros = op.cast(zero, x)
    other_zeros = op.ReduceSum(zeros, axes, noop_with_empty_axes=1) - zeros
    return _result(node, _keep_axes(op, node, ybar) * (others * op.cast(op.Equal(other_zeros, 0.0), x)))


@vjp("CumSum")
def cum_sum(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = the sums of ȳ from the other end."""
    axis = from_end(int(node.constant(1)), node.x.rank)
    backwards = 1 - node.attribute("reverse", 0)
    return [op.CumSum(ybar, op.const(axis), exclusive=node.attribute("exclusive", 0), reverse=backwards), None]


@vjp("GlobalAveragePool", keeps_sign_of=1, classwise=True)
def global_average_pool(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ / (H·W), the same at every pixel."""
    sizes = op.vector(*(op.size(node.x, axis) for axis in range(2, node.x.rank)))
    return [op.Expand(ybar / op.cast(op.ReduceProd(sizes, keepdims=0), ybar), op.shape(node.x))]


@vjp("GlobalMaxPool", keeps_sign_of=1, classwise=True)
def global_max_pool(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """ȳ goes to the pixels that reach the maximum, in equal shares."""
    (x,), y = node.comparable()
    hit = op.cast(op.Equal(x, y), ybar)
    return [ybar * (hit / op.ReduceSum(hit, list(range(2, node.x.rank)), keepdims=1))]


@vjp("GlobalLpPool")
def global_lp_pool(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """y = (Σ |x|ᵖ)^(1/p): x̄ = ȳ · sign(x) · (|x|/y)^(p−1), and 0 where y is 0."""
    x, y, p = node.x, node.y, node.attribute("p", 2)
    safe = op.Where(op.Equal(y, 0.0), op.const(1.0, y.dtype), y)
    return [ybar * (op.Sign(x) * op.Pow(op.Abs(x) / safe, float(p - 1)))]


@vjp("Softmax", never_negative=True)
def softmax(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = y · (ȳ − Σ ȳ·y)."""
    weighted = ybar * node.y
    return [weighted - node.y * op.ReduceSum(weighted, [node.axis(-1)], keepdims=1)]


@vjp("LogSoftmax")
def log_softmax(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ − eʸ · Σ ȳ."""
    return [ybar - op.Exp(node.y) * op.ReduceSum(ybar, [node.axis(-1)], keepdims=1)]
