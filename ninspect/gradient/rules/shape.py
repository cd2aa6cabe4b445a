"""Operators that move values without changing them.

Axes count from the end, so the class axis does not disturb them.
"""

from __future__ import annotations

from ninspect.gradient.registry import MANY, vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor


@vjp("Flatten", "Squeeze", "Unsqueeze", keeps_sign_of=1, classwise=True)
@vjp("Reshape", keeps_sign_of=1, classwise=True, shape_from=1)
def reshape(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ in the shape of x."""
    return [op.reshape_like(ybar, node.x), None][: len(node.inputs)]


@vjp("Transpose", keeps_sign_of=1)
def transpose(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = ȳ with the inverse permutation."""
    rank = node.x.rank
    perm = node.attribute("perm", list(reversed(range(rank))))
    inverse = sorted(range(rank), key=lambda axis: int(perm[axis]))
    return [op.Transpose(ybar, perm=[0, *(axis + 1 for axis in inverse)])]


@vjp("Expand", shape_from=1)
def expand(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ summed over the repeated axes."""
    return [op.unbroadcast(ybar, node.y.symbols, node.x), None]


@vjp("Concat", keeps_sign_of=MANY)
def concat(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """Each input gets its own piece of ȳ."""
    axis = node.axis(1)
    parts = [x for x in node.inputs if x is not None]
    sizes = op.vector(*(op.size(x, axis) for x in parts))
    return op.emit("Split", [ybar, sizes], {"axis": axis}, outputs=len(parts))


@vjp("Split", shape_from=1)
def split(op: Ops, node: Node, *ybars: Tensor | None) -> list[Tensor | None]:
    """x̄ = the pieces joined again, zeros for pieces that nothing uses."""
    some = next(ybar for ybar in ybars if ybar is not None)
    pieces = [op.zeros(some, y) if ybar is None else ybar for ybar, y in zip(ybars, node.outputs, strict=True)]
    axis = node.axis(0)
    return [op.Concat(*pieces, axis=axis), None][: len(node.inputs)]


@vjp("Tile", shape_from=1)
def tile(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ summed over the copies."""
    x, repeats = node.x, node.required(1)
    # [S, copies, size, copies, size, …]
    pairs = op.Concat(op.Unsqueeze(repeats, [1]), op.Unsqueeze(op.shape(x), [1]), axis=1)
    copies = op.Reshape(ybar, op.vector(-1, op.Reshape(pairs, [-1])))
    return [op.ReduceSum(copies, list(range(1, 2 * x.rank, 2)), keepdims=0), None]


@vjp("SpaceToDepth")
def space_to_depth(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = every block of pixels put together again from the channels."""
    block = node.attribute("blocksize")
    merged = op.merge_leading(ybar, node.y, keep=3)
    return [op.reshape_like(op.DepthToSpace(merged, blocksize=block), node.x)]


@vjp("DepthToSpace")
def depth_to_space(op: Ops, node: Node, ybar: Tensor) -> list[Tensor]:
    """x̄ = every block of pixels taken apart into channels, which are numbered block by block (CRD) or across (DCR)."""
    x, block = node.x, node.attribute("blocksize")
    height, width = op.size(x, 2), op.size(x, 3)
    # [-1, channels of y, height of x, row in the block, width of x, column in the block]
    blocks = op.Reshape(ybar, op.vector(-1, op.size(node.y, 1), height, block, width, block))
    order = [0, 1, 3, 5, 2, 4] if node.attribute("mode", "DCR") == "CRD" else [0, 3, 5, 1, 2, 4]
    return [op.reshape_like(op.Transpose(blocks, perm=order), x)]


@vjp("Trilu")
def trilu(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = the same triangle of ȳ."""
    return [op.Trilu(ybar, node.optional(1), upper=node.attribute("upper", 1)), None][: len(node.inputs)]
