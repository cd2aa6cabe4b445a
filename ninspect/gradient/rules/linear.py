"""Matrix products. The class axis is one more batch axis of MatMul."""

from __future__ import annotations

from ninspect.gradient.ops import Ops, Tensor
from ninspect.gradient.registry import Node, vjp


def _transpose_last(op: Ops, x: Tensor) -> Tensor:
    """Swap the last two axes of a forward value."""
    return op.Transpose(x, perm=[*range(x.rank - 2), x.rank - 1, x.rank - 2])


@vjp("MatMul")
def matmul(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Ā = ȳ·Bᵀ, B̄ = Aᵀ·ȳ, summed over the axes that broadcasting added; a vector is a one-row or one-column matrix."""
    a, b = node.required(0), node.required(1)
    batch = node.y.symbols[: max(a.rank, b.rank, 2) - 2]
    if b.rank == 1:
        ybar = op.Unsqueeze(ybar, [-1])
    if a.rank == 1:
        ybar = op.Unsqueeze(ybar, [-2])
    abar = op.MatMul(ybar, op.Unsqueeze(b, [0]) if b.rank == 1 else _transpose_last(op, b))
    bbar = op.MatMul(op.Unsqueeze(a, [1]) if a.rank == 1 else _transpose_last(op, a), ybar)
    if b.rank == 1:
        bbar = op.Squeeze(bbar, [-1])
    rows = (1, *a.symbols) if a.rank == 1 else a.symbols[-2:]
    return [op.unbroadcast(abar, (*batch, *rows), a), op.unbroadcast(bbar, (*batch, *b.symbols[-2:]), b)]


@vjp("Gemm")
def gemm(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """y = α·A'·B' + β·C, where A' and B' may be transposed: Ā' = α·ȳ·B'ᵀ, B̄' = α·A'ᵀ·ȳ, C̄ = β·ȳ."""
    a, b, c = node.required(0), node.required(1), node.optional(2)
    trans_a, trans_b = node.attribute("transA", 0), node.attribute("transB", 0)
    scaled = ybar * node.attribute("alpha", 1.0) if node.attribute("alpha", 1.0) != 1.0 else ybar
    abar = op.MatMul(scaled, b if trans_b else _transpose_last(op, b))
    bbar = op.MatMul(a if trans_a else _transpose_last(op, a), scaled)
    swap = [0, 2, 1]
    cbar = None if c is None else op.unbroadcast(ybar * node.attribute("beta", 1.0), node.y.symbols, c)
    return [
        op.Transpose(abar, perm=swap) if trans_a else abar,
        op.Transpose(bbar, perm=swap) if trans_b else bbar,
        cbar,
    ][: len(node.inputs)]
