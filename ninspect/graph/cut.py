"""The second half of a model: what an inner activation becomes."""

from __future__ import annotations

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
    inner = next((value for node in graph for value in node.outputs if value.name == at), None)
    if inner is None:
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
