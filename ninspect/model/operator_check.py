"""Which operators a model may hold at all: ONNX Runtime runs every node of the file, also those off the path."""

from __future__ import annotations

import onnx

from ninspect.errors import UnsupportedOperatorError
from ninspect.graph.fused import MICROSOFT
from ninspect.graph.integers import INTEGER_OPERATORS
from ninspect.model.operators import supported
from ninspect.model.tensors import graphs_in

# Forms of others in old opsets, constants, branches that are resolved when the model is read, and what scikit-learn's
# converter puts behind the scores. All of them end, and touch nothing but their inputs.
ELSEWHERE = frozenset([
    "Compress", "Constant", "If", "Scatter", "Upsample",
    "ArrayFeatureExtractor", "Binarizer", "LabelEncoder", "ZipMap",
])  # fmt: skip
# The domains whose operators the table has without them.
_PLAIN = ("", "ai.onnx", "ai.onnx.ml")


def refuse_operators(proto: onnx.ModelProto) -> None:
    """Refuse a model that holds an operator which ninspect does not know, wherever it is.

    Raises:
        UnsupportedOperatorError: it does.
    """
    allowed = {*supported(), *ELSEWHERE, *(f"{MICROSOFT}::{operator}" for operator in INTEGER_OPERATORS)}
    own = {(function.domain, function.name) for function in proto.functions}
    unknown = [
        (_qualified(node), node.name)
        for graph in graphs_in(proto)
        for node in graph.node
        if (node.domain, node.op_type) not in own and _qualified(node) not in allowed
    ]
    if unknown:
        raise UnsupportedOperatorError(unknown)


def _qualified(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in _PLAIN else f"{node.domain}::{node.op_type}"
