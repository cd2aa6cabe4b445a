"""Branches whose condition is known when the model is read."""

from __future__ import annotations

import onnx_ir as ir


class ChooseBranches(ir.passes.InPlacePass):
    """If(true) { a } else { b } → a, and If(false) { a } else { b } → b."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace every If whose condition is a constant by the nodes of the branch it takes."""
        modified = False
        for node in list(model.graph):
            condition = node.inputs[0].const_value if node.op_type == "If" and node.inputs[0] is not None else None
            if condition is not None:
                taken = node.attributes["then_branch" if condition.numpy().all() else "else_branch"].as_graph()
                _inline(model.graph, node, taken)
                modified = True
        return ir.passes.PassResult(model, modified)


def _inline(graph: ir.Graph, node: ir.Node, branch: ir.Graph) -> None:
    """Put the nodes and constants of a branch in the place of the node that holds it."""
    results = list(branch.outputs)
    branch.outputs.clear()
    constants, nodes = list(branch.initializers.values()), list(branch)
    branch.initializers.clear()
    branch.remove(nodes)
    computed = [output for inner in nodes for output in inner.outputs]
    for value in (*constants, *computed):
        # Other branches may use the same names.
        value.name = f"{node.outputs[0].name}/{value.name}"
    for value in (*computed, *node.outputs):
        value.shape = None
    for constant in constants:
        graph.register_initializer(constant)
    copies = [ir.Node("", "Identity", [x]) for x in results]
    outputs = [copy.outputs[0] for copy in copies]
    ir.convenience.replace_nodes_and_values(graph, node, [node], [*nodes, *copies], node.outputs, outputs)
