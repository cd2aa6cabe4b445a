"""What is differentiated: a scalar per image and explained class, as a function of the logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ninspect.graph.writer import Ops, Tensor
from ninspect.names import Objective


@dataclass(frozen=True)
class Seed:
    """Value of the objective, `[S, N]`, and its derivative with respect to the logits, `[S, N, K]`."""

    value: Tensor
    cotangent: Tensor


def seed(op: Ops, objective: Objective, logits: Tensor, classes: Tensor, count: int) -> Seed:
    """The objective of every image and class, and where the backward pass starts.

    Args:
        op: where nodes go.
        objective: `logit` z_c, `margin` z_c − max_{j≠c} z_j, `logprob` log softmax(z)_c,
            or its negative `cross_entropy`.
        logits: `[N, K]`.
        classes: `[S, N]` int64, the class c to explain for each image.
        count: K.
    """
    chosen = op.Equal(op.Unsqueeze(classes, [-1]), op.const(np.arange(count)))
    return _SEEDS[objective](op, logits, chosen)


def _logit(op: Ops, logits: Tensor, chosen: Tensor) -> Seed:
    onehot = op.cast(chosen, logits)
    return Seed(_sum(op, onehot * logits), onehot)


def _margin(op: Ops, logits: Tensor, chosen: Tensor) -> Seed:
    others = op.Where(chosen, op.const(-np.inf, logits.dtype), logits)
    best = op.ArgMax(others, axis=-1, keepdims=1)
    count = op.Shape(logits, start=1, end=2)
    columns = op.positions(count)
    rival = op.cast(op.Equal(best, columns), logits)
    direction = op.cast(chosen, logits) - rival
    return Seed(_sum(op, direction * logits), direction)


def _logprob(op: Ops, logits: Tensor, chosen: Tensor) -> Seed:
    onehot = op.cast(chosen, logits)
    return Seed(_sum(op, onehot * op.LogSoftmax(logits, axis=-1)), onehot - op.Softmax(logits, axis=-1))


def _cross_entropy(op: Ops, logits: Tensor, chosen: Tensor) -> Seed:
    logprob = _logprob(op, logits, chosen)
    return Seed(-logprob.value, -logprob.cotangent)


def _sum(op: Ops, x: Tensor) -> Tensor:
    return op.ReduceSum(x, [-1], keepdims=0)


_SEEDS: dict[str, Callable[[Ops, Tensor, Tensor], Seed]] = {
    "logit": _logit,
    "margin": _margin,
    "logprob": _logprob,
    "cross_entropy": _cross_entropy,
}
