"""Which operators a model may hold at all: ONNX Runtime runs every node of the file, also those off the path."""

from __future__ import annotations

import onnx

from ninspect.errors import UnsupportedOperatorError
from ninspect.model.operators import supported
from ninspect.model.tensors import graphs_in

# Forms of others in old opsets, constants, branches that are resolved when the model is read, and what scikit-learn's
# converter puts behind the scores. All of them end, and touch nothing but their inputs.
ELSEWHERE = frozenset([
    "Compress", "Constant", "If", "Scatter", "Upsample",
    "ArrayFeatureExtractor", "Binarizer", "LabelEncoder", "ZipMap",
])  # fmt: skip
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")


def refuse_operators(proto: onnx.ModelProto) -> None:
    """Refuse a model that holds an operator which ninspect does not know, wherever it is.

    Raises:
        UnsupportedOperatorError: it does.
    """
    allowed = {*supported(), *ELSEWHERE}
    own = {(function.domain, function.name) for function in proto.functions}
    unknown = [
        (f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type, node.name)
        for graph in graphs_in(proto)
        for node in graph.node
        if (node.domain, node.op_type) not in own and not (node.op_type in allowed and node.domain in _DOMAINS)
    ]
    if unknown:
        raise UnsupportedOperatorError(unknown)
