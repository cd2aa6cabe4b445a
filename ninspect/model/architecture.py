"""What two models have in common that differ in their weights alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import onnx_ir as ir

from ninspect.model.classifier import Classifier


def architecture(classifier: Classifier) -> str:
    """SHA-256 of the operators in their order, with their attributes, their connections and the shapes of weights.

    Neither weights nor names count, so models that were trained and exported in the same way have the same.
    """
    numbers: dict[ir.Value | None, int] = {None: -1}
    facts = [_node(node, numbers) for node in ir.traversal.RecursiveGraphIterator(classifier.model.graph)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _node(node: ir.Node, numbers: dict[ir.Value | None, int]) -> list[Any]:
    values = [*node.inputs, *node.outputs]
    for value in values:
        numbers.setdefault(value, len(numbers))
    weights = [_form(value.const_value) for value in node.inputs if value is not None and value.const_value is not None]
    return [node.domain, node.op_type, [numbers[value] for value in values], weights, [*_attributes(node)]]


def _attributes(node: ir.Node) -> Iterator[list[Any]]:
    """Names and values, of tensors their form; those of subgraphs come as nodes of their own."""
    for name, attribute in sorted(node.attributes.items()):
        if attribute.type == ir.AttributeType.TENSOR:
            yield [name, _form(attribute.value)]
        elif attribute.type not in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
            yield [name, str(attribute.value)]


def _form(tensor: Any) -> list[Any]:
    return [str(tensor.dtype), [int(size) for size in tensor.shape]]
