"""Operators that are replaced by others before a model is differentiated, so that they need no rule of their own.

Unlike the definitions in the ONNX standard, by which `ninspect.model` replaces others, these need to know the shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from ninspect.graph.convert import infer_shapes
from ninspect.graph.expansions import recurrent, sampling
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

# (op, node) -> the outputs of the node.
Expansion = Callable[[Ops, Node], Sequence[Tensor]]

EXPANSIONS: dict[str, Expansion] = {
    "AffineGrid": sampling.affine_grid,
    "GRU": recurrent.gru,
    "GridSample": sampling.grid_sample,
    "LSTM": recurrent.lstm,
    "RNN": recurrent.rnn,
}


def expand(model: ir.Model) -> ir.Model:
    """A copy of a prepared model in which the operators of `EXPANSIONS` are replaced; values keep their names.

    Raises:
        ModelError: one of them is used in a form that is not known.
    """
    model = model.clone()
    graph = model.graph
    replaced = [node for node in graph if node.domain == "" and node.op_type in EXPANSIONS]
    if not replaced:
        return model
    op = Ops("ninspect/expanded/")
    for node in replaced:
        results = EXPANSIONS[node.op_type](op, Node(op, node))
        for old, new in zip(node.outputs, results, strict=False):
            if not old.name:  # an optional output that nobody wanted
                continue
            new.value.name, new.value.shape, old.name = old.name, old.shape, None
            old.replace_all_uses_with(new.value, replace_graph_outputs=True)
    for constant in op.constants.values():
        graph.register_initializer(constant)
    graph.extend(op.nodes)
    graph.remove(replaced, safe=True)
    graph.sort()
    infer_shapes(model)
    return model
