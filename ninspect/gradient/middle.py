"""Where a classifier can be cut in two."""

from __future__ import annotations

import onnx_ir as ir

from ninspect.errors import ModelError
from ninspect.gradient.path import differentiable_path
from ninspect.gradient.registry import facts_of
from ninspect.graph.cut import bottlenecks, cut

_LAYERS = ("Conv", "Gemm", "MatMul")


def middle(model: ir.Model, wrt: str, of: str) -> tuple[ir.Model, ir.Value]:
    """The model after its middle, and the tensor there.

    Only a tensor that every path from the image to the logits goes through can be cut at. Among these the one with the
    number of Conv, Gemm and MatMul before it nearest to half of all of them, and at least one before and behind; then
    one that is never negative; then the last of them.

    Args:
        model: a prepared model without operators of `EXPANSIONS`; it is not changed.
        wrt: name of the image.
        of: name of the logits.

    Raises:
        ModelError: there is none.
    """
    values = ir.convenience.create_value_mapping(model.graph, include_subgraphs=False)
    image, logits = values[wrt], values[of]
    path = differentiable_path(model.graph, image, logits)
    counted = [node.op_type in _LAYERS for node in path]
    inside = [
        (value, depth)
        for value, place in bottlenecks(path, image)
        if 0 < (depth := sum(counted[:place])) < sum(counted) and _fits(value)
    ]
    ranked = sorted(
        enumerate(inside),
        key=lambda item: (abs(item[1][1] - sum(counted) / 2), not never_negative(item[1][0]), -item[0]),
    )
    for _, (value, _) in ranked:
        rest = cut(model, str(value.name))
        if [v.name for v in rest.graph.inputs] == [value.name]:
            return rest, value
    raise ModelError("no inner tensor of the model carries all that the logits depend on, so it cannot be cut")


def _fits(value: ir.Value) -> bool:
    """Whether the first axis is the batch and the others are known."""
    shape = value.shape
    return shape is not None and len(shape) > 1 and all(isinstance(d, int) for d in shape[1:])


def never_negative(value: ir.Value) -> bool:
    """Whether the operators that make a tensor leave no negative values."""
    node = value.producer()
    if node is None:
        return False
    if node.op_type == "Clip":
        bound = node.inputs[1] if len(node.inputs) > 1 else None
        low = None if bound is None else ir.convenience.get_const_tensor(bound)
        return low is not None and float(low.numpy()) >= 0
    facts = facts_of(node)
    sources = node.inputs[: facts.keeps_sign_of]
    return facts.never_negative or (
        bool(sources) and all(source is not None and never_negative(source) for source in sources)
    )
