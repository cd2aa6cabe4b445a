"""Products of a cotangent with several factors, multiplied in the cheaper order."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

# A cotangent and what it is multiplied with.
_Product = tuple[ir.Value, ir.Value]


class RegroupProducts(ir.passes.InPlacePass):
    """Multiply the factors that all classes share before they meet a cotangent, which has one part for each class.

    (ȳ·a)·b → ȳ·(a·b), (ȳ·a)/b → ȳ·(a/b), −(ȳ·a) → ȳ·(−a), and ȳ·a ± ȳ·b → ȳ·(a ± b). Half precision keeps its
    order: it would round the product of the factors.

    Args:
        classes: name of the input that says which classes are explained; what depends on it varies with the class.
    """

    def __init__(self, classes: str) -> None:
        self._classes = classes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite the graph, whose nodes are sorted."""
        graph = model.graph
        varying = {value for value in graph.inputs if value.name == self._classes}
        products: dict[ir.Value, _Product] = {}
        modified = False
        for node in list(graph):
            if not any(value in varying for value in node.inputs):
                continue
            (result, *_) = node.outputs
            if (parts := _parts(node, varying, products)) is not None:
                cotangent, operands = parts
                if len(operands) == 1 and node.op_type == "Mul":
                    products[result] = cotangent, operands[0]
                else:
                    result, factor = _rewrite(graph, node, cotangent, operands)
                    products[result] = cotangent, factor
                    modified = True
            varying.update((result, *node.outputs))
        return ir.passes.PassResult(model, modified)


def _parts(
    node: ir.Node, varying: set[ir.Value], products: dict[ir.Value, _Product]
) -> tuple[ir.Value, list[ir.Value]] | None:
    """The cotangent in a node's result, and what the node's operator makes its factor of; None where it is no product.

    A plain product of a cotangent with one factor has that factor alone.
    """
    operands = [v for v in node.inputs if v is not None and v.dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE)]
    if len(operands) < len(node.inputs):
        return None
    if node.op_type in ("Add", "Sub"):
        terms = [products.get(value) for value in operands]
        if terms[0] is None or terms[1] is None or terms[0][0] is not terms[1][0]:
            return None
        return terms[0][0], [terms[0][1], terms[1][1]]
    if node.op_type not in ("Mul", "Div", "Neg"):
        return None
    if node.op_type == "Mul" and operands[1] in varying:
        operands.reverse()
    cotangent, *rest = operands
    if any(value in varying for value in rest):
        return None
    if cotangent in products:
        cotangent, factor = products[cotangent]
        return cotangent, [factor, *rest]
    return (cotangent, rest) if node.op_type == "Mul" else None


def _rewrite(
    graph: ir.Graph, node: ir.Node, cotangent: ir.Value, operands: Sequence[ir.Value]
) -> tuple[ir.Value, ir.Value]:
    """Put the cotangent times one factor in the place of a node; returns the product and the factor."""
    (old,) = node.outputs
    factor = ir.Node("", node.op_type, operands, name=f"{node.name}/factor")
    product = ir.Node("", "Mul", [cotangent, *factor.outputs], name=node.name)
    factor.outputs[0].name, factor.outputs[0].type = f"{old.name}/factor", old.type
    ir.convenience.replace_nodes_and_values(graph, node, [node], [factor, product], [old], product.outputs)
    return product.outputs[0], factor.outputs[0]
