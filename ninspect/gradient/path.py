"""Which nodes carry a derivative from one tensor to another, and what kind of derivative it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import onnx_ir as ir

from ninspect.errors import ModelError, UnsupportedOperatorError
from ninspect.gradient import rules as rules  # fills the registry
from ninspect.gradient.registry import RULES, facts_of

GradientKind = Literal["exact", "straight-through"]


def gradient_kind(model: ir.Model, wrt: str, of: str) -> GradientKind | None:
    """What `differentiate` gives.

    Only operators that carry the gradient from one tensor to the other count: rounded weights are constants.

    Args:
        model: a prepared model without operators of `EXPANSIONS`.
        wrt: name of the tensor to differentiate with respect to.
        of: name of the logits.

    Returns:
        `exact`: the derivative. `straight-through`: an estimate, because numbers that depend on the image are rounded
        on the way, which has no derivative of its own and counts as the identity. None: there is no gradient.
    """
    values = ir.convenience.create_value_mapping(model.graph, include_subgraphs=False)
    try:
        path = differentiable_path(model.graph, values[wrt], values[of])
    except ModelError:
        return None
    return "straight-through" if any(facts_of(node).quantizes for node in path) else "exact"


def differentiable_path(graph: ir.Graph, wrt: ir.Value, of: ir.Value) -> list[ir.Node]:
    """The nodes that carry a derivative from one tensor to another, in graph order.

    Raises:
        UnsupportedOperatorError: some of them have no gradient rule.
        ModelError: there are none.
    """
    active = {wrt}
    reached = []
    for node in graph:
        if any(v in active for v in reads(node)) and not facts_of(node).zero_gradient:
            active.update(v for v in node.outputs if _carries_gradient(node, v))
            reached.append(node)
    needed = {of}
    path = []
    for node in reversed(reached):
        if any(v in needed and v in active for v in node.outputs):
            needed.update(reads(node))
            path.append(node)
    path.reverse()
    missing = [(_qualified(node), node.name or "") for node in path if node.domain or node.op_type not in RULES]
    if missing:
        raise UnsupportedOperatorError(missing)
    if not path and wrt is not of:
        raise ModelError(f"'{of.name}' does not depend on '{wrt.name}' in a way that has a gradient")
    return path


def reads(node: ir.Node) -> Iterator[ir.Value]:
    """The values that a node depends on: its inputs, and what its branches or loop bodies take from around them."""
    yield from (value for value in node.inputs if value is not None)
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            body = attribute.as_graph()
            yield from body.outputs
            for inner in body:
                yield from reads(inner)


def _carries_gradient(node: ir.Node, output: ir.Value) -> bool:
    """Floats do, and integers that stand for floats."""
    return output.dtype is None or output.dtype.is_floating_point() or facts_of(node).quantizes


def _qualified(node: ir.Node) -> str:
    return f"{node.domain}::{node.op_type}" if node.domain else node.op_type
