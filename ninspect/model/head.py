"""The last linear layer of a classifier."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.gradient.registry import facts_of
from ninspect.model.classifier import Classifier

_WITH_CONSTANT = ("Add", "Sub", "Mul", "Div")


def last_linear(classifier: Classifier) -> NDArray[np.float64] | None:
    """The weights of the layer that computes the logits, one row per class.

    The layer is Gemm(x, W, b), MatMul(x, W) or a Conv, followed at most by constants added or multiplied, views, a
    ReLU, and pooling over the positions of an image. Constant factors are not multiplied into W.

    Returns:
        `[K, d]`, or None where the logits are made in another way.
    """
    value = ir.convenience.create_value_mapping(classifier.model.graph, include_subgraphs=False)[classifier.logits]
    while (node := value.producer()) is not None:
        if node.op_type in _LAYERS:
            weights = _LAYERS[node.op_type](node)
            return weights if weights is not None and len(weights) == classifier.classes else None
        source = _source(node)
        if source is None:
            return None
        value = source
    return None


def _source(node: ir.Node) -> ir.Value | None:
    """The tensor that a node passes on, or None where it does something else."""
    if facts_of(node).classwise:
        return node.inputs[0]
    if node.op_type in _WITH_CONSTANT:
        varying = [value for value in node.inputs if value is not None and _constant(value) is None]
        return varying[0] if len(varying) == 1 else None
    return None


def _gemm(node: ir.Node) -> NDArray[np.float64] | None:
    weights = _constant(node.inputs[1])
    if weights is None:
        return None
    transposed = weights if node.attributes.get_int("transB", 0) else weights.T
    return transposed * node.attributes.get_float("alpha", 1.0)


def _matmul(node: ir.Node) -> NDArray[np.float64] | None:
    weights = _constant(node.inputs[1])
    return weights.T if weights is not None and weights.ndim == 2 else None


def _conv(node: ir.Node) -> NDArray[np.float64] | None:
    weights = _constant(node.inputs[1])
    if weights is None or node.attributes.get_int("group", 1) != 1:
        return None
    return weights.reshape(len(weights), -1)


_LAYERS = {"Gemm": _gemm, "MatMul": _matmul, "Conv": _conv}


def _constant(value: ir.Value | None) -> NDArray[np.float64] | None:
    """The value of a parameter, also behind a Reshape or Transpose."""
    if value is None:
        return None
    tensor, node = ir.convenience.get_const_tensor(value), value.producer()
    if tensor is not None:
        return tensor.numpy().astype(np.float64)
    if node is None or node.op_type not in ("Reshape", "Transpose"):
        return None
    array = _constant(node.inputs[0])
    if array is None or node.op_type == "Transpose":
        return None if array is None else array.transpose(node.attributes.get_ints("perm"))
    return None if value.shape is None or not value.shape.is_static() else array.reshape(value.shape.numpy())
