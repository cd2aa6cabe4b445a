"""Cutting a graph in two: where it can be done, and the second half, which says what an inner activation becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir
import onnx_ir.passes.common as passes

from ninspect.errors import ModelError


def cut(model: ir.Model, at: str) -> ir.Model:
    """The part of a model that follows one tensor, with that tensor as an input.

    `differentiate(cut(model, at), wrt=at, …)` gives gradients at any activation, whether an image causes it or not.

    Args:
        model: a prepared model; it is not changed.
        at: name of the tensor to cut at. It keeps its name, type and shape.

    Returns:
        A model with the inputs that are still needed, and the same outputs.

    Raises:
        ModelError: there is no such tensor, or an output does not come after it.
    """
    model = model.clone()
    graph = model.graph
    inner = ir.convenience.create_value_mapping(graph, include_subgraphs=False).get(at)
    if inner is None or inner.producer() is None:
        raise ModelError(f"no operator of the model computes a tensor named '{at}'")
    if inner.is_graph_output():
        raise ModelError(f"'{at}' is an output of the model, so nothing follows it")
    start = ir.Value(name=at, shape=inner.shape, type=inner.type)
    inner.name = f"{at}/before"
    inner.replace_all_uses_with(start)
    graph.inputs.append(start)
    passes.RemoveUnusedNodesPass()(model)
    for value in list(graph.inputs):
        if not value.uses() and not value.is_graph_output():
            graph.inputs.remove(value)
    return model


def bottlenecks(path: Sequence[ir.Node], start: ir.Value) -> Iterator[tuple[ir.Value, int]]:
    """Tensors that everything goes through which is computed from `start`, with the number of nodes up to each.

    In graph order everything before such a tensor comes first and everything behind it after, so it is the only one
    that is still to be read when its node is done.

    Args:
        path: all nodes between `start` and the end, in graph order.
        start: what the first of them read.
    """
    last_read = {value: i for i, node in enumerate(path) for value in node.inputs if value is not None}
    live = {start}
    for i, node in enumerate(path):
        live.update(value for value in node.outputs if last_read.get(value, i) > i)
        live = {value for value in live if last_read[value] > i}
        if len(live) == 1:
            yield next(iter(live)), i + 1
