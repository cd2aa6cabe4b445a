"""One form for every model: current opset, no functions, parameters as initializers, shapes known where they can be."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
import onnx_ir as ir
import onnx_ir.passes.common as passes
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.findings import FindingError
from ninspect.graph.fold import choose_branches, fold_constants
from ninspect.graph.integers import write_out_integers
from ninspect.graph.tabular import write_out_tabular

# From this opset on every operator takes its axes as an input, so rules need one form only. Newer models keep theirs.
# Not higher: ONNX Runtime's CUDA provider lacks kernels for some operators of later opsets.
TARGET_OPSET = 18
# Operators that ONNX defines by others, where the definition serves as well as a rule of its own would.
EXPANDED = ("Attention", "CenterCropPad", "RotaryEmbedding")
_FOLDING_ROUNDS = 8
# Data propagation keeps a record of every element of a vector: with a length of 2^40, a 200-byte file takes all memory.
_MAX_VECTOR = 2**20


def prepare(proto: onnx.ModelProto) -> ir.Model:
    """Bring a model into the form that the gradient builder reads; the function it computes stays the same.

    Args:
        proto: the model as parsed; changed in place.

    Raises:
        ModelError: the model cannot be converted.
        FindingError: a weight is not finite (IN005).
    """
    opset = unify_opsets(proto)
    try:
        if proto.functions:
            proto = onnx.inliner.inline_local_functions(proto, convert_version=True)
        proto.ir_version = max(proto.ir_version, 8)
        if opset < TARGET_OPSET:
            proto = onnx.version_converter.convert_version(proto, TARGET_OPSET)
        model = ir.from_proto(_expand(proto))
    except Exception as error:  # C++ and protobuf raise many types; all mean the same to the user
        raise ModelError(f"the model cannot be brought to opset {TARGET_OPSET}: {_first_line(error)}") from error
    if opset < 11:
        _restore_pixel_positions(model.graph)
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


def _expand(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Replace the operators of `EXPANDED` by their definitions."""
    graph = proto.graph
    if not any(node.op_type in EXPANDED and node.domain == "" for node in graph.node):
        return proto
    # The inliner looks for types here, and not at the initializers themselves.
    graph.value_info.extend(onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in graph.initializer)
    names = [("", name) for name in EXPANDED]
    return onnx.inliner.inline_selected_functions(proto, names, inline_schema_functions=True)


def _restore_pixel_positions(graph: ir.Graph) -> None:
    """Say in every Resize what opset 10 meant: the version converter leaves the defaults of opset 11, which are others.

    As nearest pixel, ONNX Runtime then took the one before where it enlarged an axis, the one behind where it shrank
    one; for a Resize that does both there is no such setting any more.
    """
    for node in graph:
        if node.op_type == "Resize":
            scales = None if node.inputs[2] is None else ir.convenience.get_const_tensor(node.inputs[2])
            shrinks = scales is not None and bool((scales.numpy() <= 1).all())
            node.attributes.add(ir.AttrString("coordinate_transformation_mode", "asymmetric"))
            node.attributes.add(ir.AttrString("nearest_mode", "ceil" if shrinks else "floor"))


def _normalize(model: ir.Model) -> None:
    passes.RemoveInitializersFromInputsPass()(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    model.graph.sort()
    write_out_integers(model)
    write_out_tabular(model)
    _forget_shapes(model.graph)
    for _ in range(_FOLDING_ROUNDS):
        infer_shapes(model)
        if not fold_constants(model) and not choose_branches(model):
            break
    passes.IdentityEliminationPass()(model)


def _forget_shapes(graph: ir.Graph) -> None:
    """Drop recorded shapes: files that were edited after export keep the old ones, and inference trusts them."""
    for node in graph:
        for value in node.outputs:
            value.shape = None


def infer_shapes(model: ir.Model) -> None:
    """Record the shape of every value, as far as it can be known."""
    _infer_shapes(model, data_prop=False)
    graph = model.graph
    values = [*graph.inputs, *graph.initializers.values(), *(value for node in graph for value in node.outputs)]
    if all(_length(value) <= _MAX_VECTOR for value in values):
        _infer_shapes(model, data_prop=True)


def _infer_shapes(model: ir.Model, data_prop: bool) -> None:
    infer = passes.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=data_prop)
    infer(model)
    while _infer_group_normalization(model.graph):
        infer(model)


def _infer_group_normalization(graph: ir.Graph) -> bool:
    """Fill the one gap in onnx's shape inference, from the first node to the last; return whether there was one."""
    filled = False
    for node in graph:
        x, y = node.inputs[0] if node.inputs else None, node.outputs[0]
        if node.op_type == "GroupNormalization" and x is not None and x.shape is not None and y.shape is None:
            y.shape, y.type, filled = x.shape, x.type, True
    return filled


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
        array = tensor.numpy().astype(np.float32, copy=False)
        if not (np.isfinite(array).all() or _is_mask(array)):
            raise FindingError("IN005", f"weight '{name}' holds NaN or infinite values; the model is damaged", name)


def _is_mask(array: NDArray[np.float32]) -> bool:
    """Whether the array is what attention adds to its scores: 0 where it may look, −∞ elsewhere."""
    return bool((array == 0).any() and ((array == 0) | (array == -np.inf)).all())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
