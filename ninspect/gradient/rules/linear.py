"""Matrix products and sums of products. The class axis is one more batch axis."""

from __future__ import annotations

import string

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor


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


@vjp("Einsum")
def einsum(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Each operand gets the sum of products of ȳ and the other operands over the axes that it lacks itself.

    Raises:
        ModelError: it takes a diagonal.
    """
    terms, result = _letters(node)
    operands = [x for x in node.inputs if x is not None]
    sizes: dict[str, object] = {}
    for x, term in zip(operands, terms, strict=True):
        if len(set(term)) < len(term):
            raise node.refuse("it takes a diagonal")
        # An axis of size 1 is broadcast.
        sizes |= {letter: size for letter, size in zip(term, x.symbols, strict=True) if sizes.get(letter, 1) == 1}
    classes = next(letter for letter in string.ascii_letters if letter not in "".join(terms))
    xbars = []
    for i, (x, term) in enumerate(zip(operands, terms, strict=True)):
        others, other_terms = operands[:i] + operands[i + 1 :], terms[:i] + terms[i + 1 :]
        shared = [letter for letter in term if letter in result + "".join(other_terms)]
        equation = f"{','.join([classes + result, *other_terms])}->{classes}{''.join(shared)}"
        xbar = op.Einsum(ybar, *others, equation=equation)
        summed = [axis - len(term) for axis, letter in enumerate(term) if letter not in shared]
        if summed:
            xbar = op.Expand(op.Unsqueeze(xbar, summed), op.shape(x))
        source = tuple(
            sizes[letter] if letter in shared else size for letter, size in zip(term, x.symbols, strict=True)
        )
        xbars.append(op.unbroadcast(xbar, source, x))
    return xbars


def _letters(node: Node) -> tuple[list[str], str]:
    """The axes of the operands and of y by their letters; `...` becomes capital letters."""
    inputs, arrow, result = node.attribute("equation").replace(" ", "").partition("->")
    terms = inputs.split(",")
    used = [letter for letter in "".join(terms) if letter.isalpha()]
    free = [letter for letter in reversed(string.ascii_letters) if letter not in used]
    axes = max(x.rank - len(term.replace("...", "")) for x, term in zip(node.inputs, terms, strict=True) if x)
    if not arrow:
        result = "..." + "".join(sorted(letter for letter in set(used) if used.count(letter) == 1))
    spelled = []
    for x, term in zip([*node.inputs, node.y], [*terms, result], strict=True):
        assert x is not None
        count = x.rank - len(term.replace("...", ""))
        spelled.append(term.replace("...", "".join(free[axes - count : axes])))
    return spelled[:-1], spelled[-1]
