"""Operators that are replaced by others before a model is differentiated, so that they need no rule of their own.

Unlike the definitions in the ONNX standard, by which `ninspect.model` replaces others, these need to know the shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from ninspect.graph.expansions import recurrent, sampling
from ninspect.graph.node import Node
from ninspect.graph.shapes import InferShapes
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


class Expand(ir.passes.InPlacePass):
    """LSTM(x, …) → its steps in MatMul, Sigmoid and Tanh, and so for all of `EXPANSIONS`; values keep their names.

    Raises:
        ModelError: one of them is used in a form that is not known.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace these operators in a prepared model."""
        graph = model.graph
        replaced = [node for node in graph if _is_replaced(node)]
        if not replaced:
            return ir.passes.PassResult(model, modified=False)
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
        InferShapes()(model)
        return ir.passes.PassResult(model, modified=True)


def expanded(model: ir.Model) -> ir.Model:
    """A prepared model without operators of `EXPANSIONS`: itself where it has none, else a copy.

    Raises:
        ModelError: one of them is used in a form that is not known.
    """
    if not any(map(_is_replaced, model.graph)):
        return model
    copy = model.clone()
    Expand()(copy)
    return copy


def _is_replaced(node: ir.Node) -> bool:
    return node.domain == "" and node.op_type in EXPANSIONS
