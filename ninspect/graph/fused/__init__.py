"""ONNX Runtime's own operators on floats, which its optimisers put in the place of several standard ones.

Each is written out in operators of the standard again, before a model is differentiated: ONNX Runtime fuses what it can
once more when it runs the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import onnx
import onnx_ir as ir
from onnx_ir.tape import Tape

from ninspect.errors import ModelError, first_line
from ninspect.graph.fused import activations, attention, blocked, legacy, linear, normalization, quantized
from ninspect.graph.fused.parts import Fused, WriteOut

MICROSOFT, BLOCKED = "com.microsoft", "com.microsoft.nchwc"

# By domain and name.
FUSED: dict[tuple[str, str], WriteOut] = {
    (MICROSOFT, "Attention"): attention.attention,
    (MICROSOFT, "BiasGelu"): activations.bias_gelu,
    (MICROSOFT, "DynamicQuantizeMatMul"): quantized.dynamic_quantize_mat_mul,
    (MICROSOFT, "FastGelu"): activations.fast_gelu,
    (MICROSOFT, "FusedConv"): linear.fused_conv,
    (MICROSOFT, "FusedGemm"): linear.fused_gemm,
    (MICROSOFT, "FusedMatMul"): linear.fused_mat_mul,
    (MICROSOFT, "Gelu"): activations.gelu,
    (MICROSOFT, "MatMulIntegerToFloat"): quantized.mat_mul_integer_to_float,
    (MICROSOFT, "MatMulNBits"): quantized.mat_mul_bits,
    (MICROSOFT, "MultiHeadAttention"): attention.multi_head_attention,
    (MICROSOFT, "QAttention"): attention.quantized_attention,
    (MICROSOFT, "QuickGelu"): activations.quick_gelu,
    (MICROSOFT, "SkipLayerNormalization"): normalization.skip_layer_normalization,
    (MICROSOFT, "SkipSimplifiedLayerNormalization"): normalization.skip_simplified_layer_normalization,
    (MICROSOFT, "TransposeMatMul"): linear.fused_mat_mul,
    (BLOCKED, "AveragePool"): blocked.same,
    (BLOCKED, "Conv"): blocked.conv,
    (BLOCKED, "GlobalAveragePool"): blocked.same,
    (BLOCKED, "GlobalMaxPool"): blocked.same,
    (BLOCKED, "MaxPool"): blocked.same,
    (BLOCKED, "ReorderInput"): blocked.reorder_input,
    (BLOCKED, "ReorderOutput"): blocked.reorder_output,
    (BLOCKED, "Upsample"): blocked.upsample,
}
# Operators that ONNX Runtime takes for standard ones in old opsets, by name.
LEGACY: dict[str, WriteOut] = {
    "Affine": legacy.affine,
    "Crop": legacy.crop,
    "ImageScaler": legacy.image_scaler,
    "ParametricSoftplus": legacy.parametric_softplus,
    "Scale": legacy.scale,
    "ScaledTanh": legacy.scaled_tanh,
    "SimplifiedLayerNormalization": normalization.simplified_layer_normalization,
}
# Operators of ONNX Runtime that are called as those of the standard, and do the same.
SAME = frozenset([
    "DequantizeLinear", "GatherND", "GridSample", "LayerNormalization", "Pad", "QuantizeLinear", "Range",
    "ThresholdedRelu", "Trilu",
])  # fmt: skip

_WRITE_OUT = FUSED | {(MICROSOFT, name): code for name, code in LEGACY.items()}


class WriteOutFused(ir.passes.InPlacePass):
    """FusedConv(x, w, b) → Relu(Conv(x, w, b)), and so for all of `FUSED`; unknown forms stay.

    Some need to know how many axes a tensor has, and so the shapes of what comes before: those wait for the next time.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite the operators whose inputs are known well enough.

        Raises:
            ModelError: one of them is used in a form that has no equivalent.
        """
        graph = model.graph
        modified = False
        for node in list(graph):
            if node.domain == MICROSOFT and node.op_type in SAME:
                node.domain, modified = "", True
            if (node.domain, node.op_type) in _WRITE_OUT and _written_out(graph, node):
                graph.remove(node, safe=True)
                modified = True
        if modified:
            graph.sort()
        return ir.passes.PassResult(model, modified)


def _written_out(graph: ir.Graph, node: ir.Node) -> bool:
    """Whether other nodes do now what a node did.

    Raises:
        ModelError: it is used in a form that has no equivalent, or lacks what its operator asks for.
    """
    fused = Fused(Tape(graph), node)
    try:
        results = _WRITE_OUT[node.domain, node.op_type](fused)
    except ModelError:
        raise
    except Exception as error:  # a hostile file may give anything as an attribute or a shape
        raise fused.refuse(f"it is malformed, {first_line(error)}") from error
    return results is not None and _replace(node, results)


def _replace(node: ir.Node, results: Sequence[ir.Value | None]) -> bool:
    """Put new values in the place of the outputs of a node; return whether there is one for each that is used."""
    pairs = list(zip_longest(node.outputs, results[: len(node.outputs)]))
    if any(new is None and (old.uses() or old.is_graph_output()) for old, new in pairs):
        return False
    for old, new in pairs:
        if new is not None:
            new.name, new.type, old.name = old.name, new.type or old.type, None
            old.replace_all_uses_with(new, replace_graph_outputs=True)
    return True


def set_aside(nodes: Iterable[onnx.NodeProto], opset: int) -> None:
    """Move operators that ONNX Runtime knows by a name of the standard, in an opset without them, to its own domain.

    Its optimisers write LayerNormalization into models of any opset, and converters wrote what the first drafts of the
    standard had. The version converter would not know them.
    """
    for node in nodes:
        ours = node.op_type in LEGACY or node.op_type in SAME
        if node.domain == "" and ours and not onnx.defs.has(node.op_type, opset):
            node.domain = MICROSOFT
