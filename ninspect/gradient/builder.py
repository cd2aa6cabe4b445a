"""Reverse accumulation: an ONNX graph in, the same graph with its input gradient out.

Every cotangent carries one leading axis S, the explained class: forward tensors of shape `[*s]` have cotangents of
shape `[S, *s]`. One run of the forward pass serves all classes, and S and the batch stay symbolic.
"""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as passes

from ninspect.errors import ModelError
from ninspect.gradient.objectives import seed
from ninspect.gradient.path import differentiable_path
from ninspect.gradient.registry import RULES
from ninspect.gradient.regroup import RegroupProducts
from ninspect.graph.expansions import Expand
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor
from ninspect.names import Objective

CLASSES, LOGITS, OBJECTIVE, GRADIENT = (
    "ninspect/classes",
    "ninspect/logits",
    "ninspect/objective",
    "ninspect/gradient",
)
_TIDYING = ir.passes.Sequential(RegroupProducts(CLASSES), passes.RemoveUnusedNodesPass(), passes.TopologicalSortPass())


def differentiate(
    model: ir.Model, wrt: str, of: str, count: int, objective: Objective = "logit", outputs: tuple[str, ...] = ()
) -> ir.Model:
    """Add the gradient of every class's objective with respect to one tensor.

    Args:
        model: a prepared model (opset 18 or newer, shapes inferred); it is not changed.
        wrt: name of the tensor to differentiate with respect to, `[N, …]`.
        of: name of the logits, `[N, K]` or any shape with N·K elements.
        count: number of classes K.
        objective: what is differentiated, see `objectives.seed`.
        outputs: names of further tensors to keep as outputs.

    Returns:
        A model with one more input, `ninspect/classes` `[S, N]` int64 (which class to explain for each image), and the
        outputs `ninspect/logits` `[N, K]`, `ninspect/objective` `[S, N]`, `ninspect/gradient` `[S, *shape of wrt]`, and
        `outputs`. S and N are free.

    Raises:
        UnsupportedOperatorError: operators between the two tensors have no gradient rule.
        ModelError: a tensor does not exist, the logits do not depend on `wrt`, or an operator is used in a way that
            has no gradient.

    >>> from pathlib import Path
    >>> from ninspect import load_classifier
    >>> c = load_classifier(Path("models/digits/clean_torch.onnx"))
    >>> [value.name for value in differentiate(c.model, wrt=c.input, of=c.logits, count=c.classes).graph.outputs]
    ['ninspect/logits', 'ninspect/objective', 'ninspect/gradient']
    """
    model = model.clone()
    Expand()(model)
    graph = model.graph
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    for name in (wrt, of, *outputs):
        if name not in values:
            raise ModelError(f"the model has no tensor named '{name}'")
    op = Ops()
    path = differentiable_path(graph, values[wrt], values[of])
    classes = ir.Value(name=CLASSES, shape=ir.Shape(["S", "N"]), type=ir.TensorType(ir.DataType.INT64))
    logits = op.Reshape(op.tensor(values[of]), [-1, count])
    start = seed(op, objective, logits, op.tensor(classes), count)
    gradient = _accumulate(op, path, values[wrt], values[of], start.cotangent)

    graph.inputs.append(classes)
    for constant in op.constants.values():
        graph.register_initializer(constant)
    graph.extend(op.nodes)
    graph.outputs.clear()
    graph.outputs.extend(values[name] for name in dict.fromkeys(outputs))
    for name, tensor in ((LOGITS, logits), (OBJECTIVE, start.value), (GRADIENT, gradient)):
        graph.outputs.append(_named(op, graph, name, tensor))
    _TIDYING(model)
    return model


def _named(op: Ops, graph: ir.Graph, name: str, tensor: Tensor) -> ir.Value:
    """An output of the model with a fixed name."""
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype))
    graph.append(ir.Node("", "Identity", [tensor.value], outputs=[value], name=name))
    return value


def _accumulate(op: Ops, path: list[ir.Node], wrt: ir.Value, of: ir.Value, start: Tensor) -> Tensor:
    """The backward pass: each node's rule turns the cotangents of its outputs into those of its inputs."""
    active = {wrt, *(v for node in path for v in node.outputs)}
    cotangents = {of: op.reshape_like(start, op.tensor(of))}
    for ir_node in reversed(path):
        node = Node(op, ir_node)
        ybars = [cotangents.get(value) for value in ir_node.outputs]
        if all(ybar is None for ybar in ybars):
            continue
        try:
            xbars = RULES[ir_node.op_type](op, node, *ybars)
        except ValueError as error:
            raise ModelError(f"{node} cannot be differentiated: {error}") from error
        for x, xbar in zip(ir_node.inputs, xbars, strict=True):
            if x is None or x not in active:
                continue
            if xbar is None:
                raise node.refuse(f"its input '{x.name}' depends on the image")
            cotangents[x] = cotangents[x] + xbar if x in cotangents else xbar
    if wrt not in cotangents:
        raise ModelError(f"'{of.name}' does not depend on '{wrt.name}' in a way that has a gradient")
    return cotangents[wrt]
