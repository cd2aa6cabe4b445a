"""One form for every model: current opset, no functions, parameters as initializers, shapes known where they can be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
import onnx_ir as ir
import onnx_ir.passes.common as passes
from numpy.typing import NDArray

from ninspect.errors import ModelError, first_line
from ninspect.findings import FindingError
from ninspect.graph.branches import ChooseBranches
from ninspect.graph.fold import FoldConstants
from ninspect.graph.fused import WriteOutFused, set_aside
from ninspect.graph.integers import WriteOutIntegers
from ninspect.graph.shapes import ForgetShapes, InferShapes
from ninspect.graph.tabular import WriteOutTabular

# From this opset on every operator takes its axes as an input, so rules need one form only. Newer models keep theirs.
# Not higher: ONNX Runtime's CUDA provider lacks kernels for some operators of later opsets.
TARGET_OPSET = 18
_STANDARD = ("", "ai.onnx")
_MOST_LAYERS = 256  # of operators that wait for one another
# Operators that ONNX defines by others, where the definition serves as well as a rule of its own would.
EXPANDED = ("Attention", "CenterCropPad", "RotaryEmbedding")


def prepare(proto: onnx.ModelProto) -> ir.Model:
    """Bring a model into the form that the gradient builder reads; the function it computes stays the same.

    Args:
        proto: the model as parsed; changed in place.

    Raises:
        ModelError: the model cannot be converted.
        FindingError: a weight is not finite (IN005).
    """
    opset = standard_opset(proto)
    _unify_domains(proto, opset)
    set_aside(_nodes(proto), opset)
    target = _target(proto)
    proto = inlined(proto)
    try:
        proto.ir_version = max(proto.ir_version, 8)
        if opset < target:
            proto = onnx.version_converter.convert_version(proto, target)
        model = ir.from_proto(_expand(proto))
    except Exception as error:  # C++ and protobuf raise many types; all mean the same to the user
        why = first_line(error).rstrip(".")
        trained = "BatchNormalization outputs" in why  # the batch's own mean and variance
        cure = "; export the model for inference, not for training" if trained else ""
        raise ModelError(f"the model cannot be brought to opset {target}: {why}{cure}") from error
    if opset < 11:
        RestorePixelPositions()(model)
    try:
        PASSES(model)
    except ir.passes.PassError as error:
        raise _reason(error) from error
    _refuse_non_finite(model)
    return model


def _reason(error: BaseException) -> BaseException:
    """What a pass raised, out of what the passes around it made of that."""
    while isinstance(error, ir.passes.PassError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def inlined(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the nodes of its own functions in place of their calls.

    Raises:
        ModelError: it cannot be done.
    """
    if not proto.functions:
        return proto
    try:
        return onnx.inliner.inline_local_functions(proto, convert_version=True)
    except Exception as error:  # C++ and protobuf raise many types; all mean the same to the user
        raise ModelError(f"the functions of the model cannot be written out: {first_line(error)}") from error


def standard_opset(proto: onnx.ModelProto) -> int:
    """The version of the standard operators that a model uses, by either name of their domain.

    Raises:
        ModelError: the model does not say.
    """
    versions: list[int] = [entry.version for entry in proto.opset_import if entry.domain in _STANDARD]
    if not versions:
        raise ModelError("the model does not import the standard operator set; export it again")
    return max(versions)


def _nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a model and of its functions, without those in branches."""
    for part in (proto.graph, *proto.functions):
        yield from part.node


def _target(proto: onnx.ModelProto) -> int:
    """The opset to bring a model to: numbers of 16 and 4 bits, which ONNX Runtime quantised to first, came later."""
    quantizers = ("QuantizeLinear", "DequantizeLinear")
    return 21 if any(node.domain and node.op_type in quantizers for node in _nodes(proto)) else TARGET_OPSET


def _unify_domains(proto: onnx.ModelProto, opset: int) -> None:
    """Call the domain of the standard operators by one of its two names."""
    others = [entry for entry in proto.opset_import if entry.domain not in _STANDARD]
    others = [onnx.OperatorSetIdProto(domain=entry.domain, version=entry.version) for entry in others]
    del proto.opset_import[:]
    proto.opset_import.extend([onnx.OperatorSetIdProto(domain="", version=opset), *others])
    for node in proto.graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""


def _expand(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Replace the operators of `EXPANDED` by their definitions."""
    graph = proto.graph
    if not any(node.op_type in EXPANDED and node.domain == "" for node in graph.node):
        return proto
    # The inliner looks for types here, and not at the initializers themselves.
    graph.value_info.extend(onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in graph.initializer)
    names = [("", name) for name in EXPANDED]
    return onnx.inliner.inline_selected_functions(proto, names, inline_schema_functions=True)


class RestorePixelPositions(ir.passes.InPlacePass):
    """Resize → Resize<asymmetric, floor or ceil>: what opset 10 meant.

    The version converter leaves the defaults of opset 11, which are others. As nearest pixel, ONNX Runtime then took
    the one before where it enlarged an axis, the one behind where it shrank one; for a Resize that does both there is
    no such setting any more.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Say it in every Resize."""
        resizing = [node for node in model.graph if node.op_type == "Resize"]
        for node in resizing:
            scales = None if node.inputs[2] is None else ir.convenience.get_const_tensor(node.inputs[2])
            shrinks = scales is not None and bool((scales.numpy() <= 1).all())
            node.attributes.add(ir.AttrString("coordinate_transformation_mode", "asymmetric"))
            node.attributes.add(ir.AttrString("nearest_mode", "ceil" if shrinks else "floor"))
        return ir.passes.PassResult(model, bool(resizing))


# Folding may decide a branch, whose nodes have constants to fold; and some operators are written out only when the
# shapes of those before them are known.
_FOLDING = ir.passes.PassManager(
    [InferShapes(), WriteOutFused(), FoldConstants(), ChooseBranches()], steps=_MOST_LAYERS, early_stop=True
)
PASSES = ir.passes.Sequential(
    passes.RemoveInitializersFromInputsPass(),
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
    passes.TopologicalSortPass(),
    WriteOutIntegers(),
    WriteOutTabular(),
    ForgetShapes(),
    _FOLDING,
    passes.IdentityEliminationPass(),
)


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
