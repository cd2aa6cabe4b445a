"""How far the gradient of a classifier is its derivative."""

from __future__ import annotations

from typing import Literal

from ninspect.errors import ModelError
from ninspect.gradient.builder import differentiable_path
from ninspect.gradient.registry import QUANTIZING
from ninspect.graph.expansions import expanded
from ninspect.model import Classifier

GradientKind = Literal["exact", "straight-through"]


def gradient_kind(classifier: Classifier) -> GradientKind | None:
    """What `differentiate` gives for the logits of a classifier.

    Only operators that carry the gradient from the logits to the image count: rounded weights are constants.

    Returns:
        `exact`: the derivative. `straight-through`: an estimate, because numbers that depend on the image are rounded
        on the way, which has no derivative of its own and counts as the identity. None: there is no gradient.
    """
    try:
        graph = expanded(classifier.model).graph
        values = {value.name: value for value in (*graph.inputs, *(v for node in graph for v in node.outputs))}
        path = differentiable_path(graph, values[classifier.input], values[classifier.logits])
    except ModelError:
        return None
    return "straight-through" if any(node.op_type in QUANTIZING for node in path) else "exact"
