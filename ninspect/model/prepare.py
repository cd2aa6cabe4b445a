"""One form for every model: current opset, no functions, parameters as initializers, shapes known where they can be."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
import onnx_ir as ir
import onnx_ir.passes.common as passes

from ninspect.errors import ModelError
from ninspect.model.fold import fold_constants

# From this opset on every operator takes its axes as an input, so rules need one form only. Newer models keep theirs.
# Not higher: ONNX Runtime's CUDA provider lacks kernels for some operators of later opsets.
TARGET_OPSET = 18
_FOLDING_ROUNDS = 8
# Data propagation keeps a record of every element of a vector: with a length of 2^40, a 200-byte file takes all memory.
_MAX_VECTOR = 2**20


def prepare(proto: onnx.ModelProto) -> ir.Model:
    """Bring a model into the form that the gradient builder reads; the function it computes stays the same.

    Args:
        proto: the model as parsed; changed in place.

    Raises:
        ModelError: the model cannot be converted, or a weight is not finite.
    """
    opset = unify_opsets(proto)
    try:
        if proto.functions:
            proto = onnx.inliner.inline_local_functions(proto, convert_version=True)
        proto.ir_version = max(proto.ir_version, 8)
        if opset < TARGET_OPSET:
            proto = onnx.version_converter.convert_version(proto, TARGET_OPSET)
        model = ir.from_proto(proto)
    except Exception as error:  # C++ and protobuf raise many types; all mean the same to the user
        raise ModelError(f"the model cannot be brought to opset {TARGET_OPSET}: {_first_line(error)}") from error
    _normalize(model)
    _refuse_non_finite(model)
    return model


def unify_opsets(proto: onnx.ModelProto) -> int:
    """Merge the two names of the standard domain ("" and "ai.onnx") and return its version.

    Raises:
        ModelError: the model does not say which opset it uses.
    """
    versions: list[int] = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise ModelError("the model does not import the standard operator set; export it again")
    others = [entry for entry in proto.opset_import if entry.domain not in ("", "ai.onnx")]
    others = [onnx.OperatorSetIdProto(domain=entry.domain, version=entry.version) for entry in others]
    del proto.opset_import[:]
    proto.opset_import.extend([onnx.OperatorSetIdProto(domain="", version=max(versions)), *others])
    for node in proto.graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""
    return max(versions)


def _normalize(model: ir.Model) -> None:
    passes.RemoveInitializersFromInputsPass()(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    model.graph.sort()
    _forget_shapes(model.graph)
    for _ in range(_FOLDING_ROUNDS):
        infer_shapes(model)
        if not fold_constants(model):
            break
    passes.IdentityEliminationPass()(model)


def _forget_shapes(graph: ir.Graph) -> None:
    """Drop recorded shapes: files that were edited after export keep the old ones, and inference trusts them."""
    for node in graph:
        for value in node.outputs:
            value.shape = None


def infer_shapes(model: ir.Model) -> None:
    """Record the shape of every value, as far as it can be known."""
    passes.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=False)(model)
    graph = model.graph
    values = [*graph.inputs, *graph.initializers.values(), *(value for node in graph for value in node.outputs)]
    if all(_length(value) <= _MAX_VECTOR for value in values):
        passes.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)


def _length(value: ir.Value) -> int:
    """Length of a vector, as far as it is known; 0 for everything else."""
    if value.shape is None or len(value.shape) != 1 or not isinstance(value.shape[0], int):
        return 0
    return value.shape[0]


def _refuse_non_finite(model: ir.Model) -> None:
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or not tensor.dtype.is_floating_point() or tensor.size < 2:
            continue
        if not np.isfinite(tensor.numpy().astype(np.float32, copy=False)).all():
            raise ModelError(f"weight '{name}' holds NaN or infinite values; the model is damaged")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
