"""The coverage suite's other forms: quantised, in half precision, of every opset, and what tools make of models."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import torch
from onnx import TensorProto, compose, helper, numpy_helper, version_converter
from onnxconverter_common import float16
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from ninspect.runtime import open_session
from tools.suite import torch_exports
from tools.suite.file import EXPLAINED, Array, Export, Reference
from tools.suite.shipped import interpreted, logits_of

FAMILY = "Forms"
Change = Callable[[onnx.ModelProto], onnx.ModelProto]


def exports() -> list[Export]:
    """Everything here."""
    return [*_changed(), *_opsets(), *_halves(), *_quantized()]


def script(name: str, folder: Path, *, free: bool = True, opset: int = 17) -> Path:
    """A PyTorch network of the suite as TorchScript exports it into a folder."""
    path = folder / "model.onnx"
    x = torch.from_numpy(torch_exports.images(name))
    torch_exports.torchscript(torch_exports.network(name), x, free, path, opset)
    return path


def _script(name: str, *, free: bool = True, opset: int = 17) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        return onnx.load(script(name, Path(folder), free=free, opset=opset))


def _save_reference(name: str, form: str, path: Path, scores: float = 1e-5, tolerance: float = 1e-4) -> None:
    x, logits, gradients = torch_exports.truth(name)
    Reference(FAMILY, form, x, np.array(EXPLAINED), logits, gradients, scores, tolerance).save(path)


# What tools do to a graph without changing what it computes.

_BASES = ("tv_lenet", "resnet18", "tv_vision_transformer")


def _changed() -> Iterator[Export]:
    changes: dict[str, Change] = {
        "functions": _outline,
        "inputs": _initializers_as_inputs,
        "constant_if": partial(_branch, computed=False),
        "shape_if": partial(_branch, computed=True),
        "constants": _initializers_as_nodes,
        "normalized": _with_preprocessing,
        "uint8": _with_byte_input,
    }
    for base in _BASES:
        for form, change in changes.items():
            yield Export(f"{base}__{form}", partial(_write_changed, base, form, change))
        for form, one_file in (("external", True), ("external_many", False)):
            yield Export(f"{base}__{form}", partial(_write_external, base, form, one_file))


def _write_changed(base: str, form: str, change: Change, path: Path) -> None:
    onnx.save(change(_script(base)), path)
    if form == "uint8":
        _save_byte_reference(base, path)
    else:
        _save_reference(base, form, path)


def _save_byte_reference(base: str, path: Path) -> None:
    """The reference at an image of whole numbers."""
    shape = torch_exports.truth(base)[0].shape
    x = np.random.default_rng(0).integers(0, 4, shape).astype(np.float32)
    classes = np.array(EXPLAINED)
    truth = torch_exports.differentiate(torch_exports.logits_of(base), x)
    Reference(FAMILY, "uint8", x, classes, *truth).save(path)


def _write_external(base: str, form: str, one_file: bool, path: Path) -> None:
    # With many files, each bears the name of its tensor, which does not say whose it is.
    model = compose.add_prefix(_script(base), f"{path.stem}.", rename_inputs=False, rename_outputs=False)
    location = f"{path.stem}.weights" if one_file else None
    onnx.save(
        model, path, save_as_external_data=True, all_tensors_to_one_file=one_file, location=location, size_threshold=0
    )
    _save_reference(base, form, path)


def _outline(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every operator in a function of the model, and that in a second one."""
    opsets = list(model.opset_import)
    local = helper.make_opsetid("local", 1)
    for index, node in enumerate(model.graph.node):
        if node.op_type == "Constant":
            continue
        inputs = [f"x{i}" if name else "" for i, name in enumerate(node.input)]
        formal, outputs = [name for name in inputs if name], [f"y{i}" for i in range(len(node.output))]
        body = onnx.NodeProto()
        body.CopyFrom(node)
        body.input[:], body.output[:] = inputs, outputs
        inner, outer = f"Inner{index}", f"Outer{index}"
        call = helper.make_node(inner, formal, outputs, domain="local")
        model.functions.append(helper.make_function("local", inner, formal, outputs, [body], opsets))
        model.functions.append(helper.make_function("local", outer, formal, outputs, [call], [*opsets, local]))
        given = [name for name in node.input if name]
        node.CopyFrom(helper.make_node(outer, given, list(node.output), node.name, domain="local"))
    model.opset_import.append(local)
    return model


def _initializers_as_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """What IR version 3 asked for."""
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return model


def _initializers_as_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights as Constant nodes."""
    nodes = [helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer]
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _branch(model: onnx.ModelProto, computed: bool) -> onnx.ModelProto:
    """One operator in an `If` whose condition is constant, as exporters write `squeeze` and scripted conditions."""
    graph = model.graph
    index = next(i for i, n in enumerate(graph.node) if n.op_type in ("Relu", "LayerNormalization"))
    node = graph.node[index]
    result = helper.make_tensor_value_info("taken", TensorProto.FLOAT, None)
    kept = onnx.NodeProto()
    kept.CopyFrom(node)
    kept.output[:] = ["taken"]
    skipped = helper.make_node("Identity", [node.input[0]], ["taken"])
    then, otherwise = (helper.make_graph([n], name, [], [result]) for n, name in ((kept, "then"), (skipped, "else")))
    condition = [helper.make_node("Constant", [], ["condition"], value=numpy_helper.from_array(np.array(True)))]
    if computed:
        channels = graph.input[0].type.tensor_type.shape.dim[1].dim_value
        constants = {"one": [1], "channels": [channels]}
        tensors = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
        graph.initializer.extend(tensors)
        condition = [
            helper.make_node("Shape", [graph.input[0].name], ["sizes"]),
            helper.make_node("Gather", ["sizes", "one"], ["size"]),
            helper.make_node("Equal", ["size", "channels"], ["condition"]),
        ]
    choice = helper.make_node("If", ["condition"], list(node.output), then_branch=then, else_branch=otherwise)
    nodes = [*graph.node[:index], *condition, choice, *graph.node[index + 1 :]]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _prefixed(model: onnx.ModelProto, nodes: list[onnx.NodeProto], element: int) -> onnx.ModelProto:
    """The network behind nodes that make `given` what its input was."""
    graph = model.graph
    image = graph.input[0].name
    for node in graph.node:
        node.input[:] = ["prepared" if name == image else name for name in node.input]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    graph.input[0].type.tensor_type.elem_type = element
    return model


def _with_preprocessing(model: onnx.ModelProto) -> onnx.ModelProto:
    """Normalisation inside the model, which here undoes itself."""
    image = model.graph.input[0].name
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    model.graph.initializer.append(two)
    nodes = [
        helper.make_node("Sub", [image, "two"], ["centered"]),
        helper.make_node("Div", ["centered", "two"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "two"], ["stretched"]),
        helper.make_node("Add", ["stretched", "two"], ["prepared"]),
    ]
    return _prefixed(model, nodes, TensorProto.FLOAT)


def _with_byte_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """An input of bytes, which the model casts."""
    cast = helper.make_node("Cast", [model.graph.input[0].name], ["prepared"], to=TensorProto.FLOAT)
    return _prefixed(model, [cast], TensorProto.UINT8)


# Opsets.


def _opsets() -> Iterator[Export]:
    for base in ("tv_lenet", "resnet18", "mobilenetv3_small_050"):
        for opset in range(7, 27):
            yield Export(f"{base}__opset{opset}", partial(_write_opset, base, opset))


def _write_opset(base: str, opset: int, path: Path) -> None:
    if opset <= 20:
        onnx.save(_script(base, opset=opset), path)
    else:
        onnx.save(version_converter.convert_version(_script(base, opset=20), opset), path)
    _save_reference(base, f"opset {opset}", path)


# Half precision. Rounding takes about one unit in a thousand across the kink of its ReLU, and a rule cannot tell: the
# gradient of a deep network of ReLUs is off by the root of that from every layer.

_HALF_GRADIENT = 1e-2
_HALF_GRADIENT_OF_RELUS = 2e-1


def _halves() -> Iterator[Export]:
    for base in ("tv_lenet", "resnet18", "vit_tiny_patch16_224", "convnext_tiny"):
        yield Export(f"{base}__float16", partial(_write_half, base, False))
        yield Export(f"{base}__float16_mixed", partial(_write_half, base, True))
        for exporter in torch_exports.EXPORTERS:
            yield Export(f"{base}__float16_{exporter}", partial(_write_cast, base, exporter))
    for base in ("tv_lenet", "resnet18"):
        yield Export(f"{base}__bfloat16_weights", partial(_write_bfloat16_weights, base))


def _write_half(base: str, mixed: bool, path: Path) -> None:
    """What onnxconverter-common makes: weights in float16, sensitive operators in float32 where mixed."""
    blocked = [*float16.DEFAULT_OP_BLOCK_LIST, "Softmax", "LayerNormalization", "GlobalAveragePool"]
    model = float16.convert_float_to_float16(
        _script(base), keep_io_types=mixed, op_block_list=blocked if mixed else None
    )
    onnx.save(model, path)
    _save_half_reference(base, "float16 mixed" if mixed else "float16", path)


def _write_cast(base: str, exporter: str, path: Path) -> None:
    """A network that PyTorch itself holds in float16."""
    x = torch.from_numpy(torch_exports.truth(base)[0]).half()
    torch_exports.EXPORTERS[exporter](torch_exports.network(base).half(), x, True, path)
    _save_half_reference(base, f"float16 {exporter}", path)


def _save_half_reference(base: str, form: str, path: Path) -> None:
    tolerance = _HALF_GRADIENT_OF_RELUS if base == "resnet18" else _HALF_GRADIENT
    _save_reference(base, form, path, 1e-2, tolerance)


def _write_bfloat16_weights(base: str, path: Path) -> None:
    """Weights in bfloat16, cast when used: ONNX Runtime's CPU provider does not calculate in bfloat16."""
    model = _script(base)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            name = tensor.name
            weights = numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16)
            tensor.CopyFrom(numpy_helper.from_array(weights, f"{name}.stored"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)
    interpreted(path, FAMILY, "bfloat16 weights", torch_exports.truth(base)[0])


# Static quantisation.

_QDQ, _QOPERATOR = quantization.QuantFormat.QDQ, quantization.QuantFormat.QOperator
_SIGNED, _UNSIGNED = quantization.QuantType.QInt8, quantization.QuantType.QUInt8
# ONNX Runtime's own two ways of running such a file, with and without fused operators, differ by as much.
_QUANTISED_SCORES = 5e-2
# Format, type of activations, type of weights, whether every channel has a scale of its own.
_QUANTIZED = {
    "qdq": (_QDQ, _UNSIGNED, _SIGNED, False),
    "qdq_channel": (_QDQ, _SIGNED, _SIGNED, True),
    "qoperator": (_QOPERATOR, _UNSIGNED, _UNSIGNED, False),
}


def _quantized() -> Iterator[Export]:
    for base in ("tv_lenet", "tv_squeezenet", "resnet18", "mobilenetv2_035", "tv_googlenet"):
        for form in _QUANTIZED:
            yield Export(f"{base}__{form}", partial(_write_quantized, base, form))


class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    """The given images, and some of noise."""

    def __init__(self, x: Array) -> None:
        random = np.random.default_rng(1)
        self._batches = iter([x, *(random.normal(0, 1, x.shape).astype(np.float32) for _ in range(4))])

    def get_next(self) -> dict[str, Array] | None:
        """The next batch."""
        batch = next(self._batches, None)
        return None if batch is None else {torch_exports.INPUT: batch}


def _write_quantized(base: str, form: str, path: Path) -> None:
    """What ONNX Runtime's static quantisation makes of a network."""
    x, *_ = torch_exports.truth(base)
    kind, activations, weights, per_channel = _QUANTIZED[form]
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared = Path(folder) / "plain.onnx", Path(folder) / "prepared.onnx"
        onnx.save(_script(base), plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared, path, Calibration(x), quant_format=kind, activation_type=activations, weight_type=weights,
            per_channel=per_channel,
        )  # fmt: skip
    if kind == _QDQ:
        _save_as_rounded(path, form, x)
        return
    exact, rounded = (logits_of(path, dtype) for dtype in (torch.float64, torch.float32))
    # A value halfway between two integers goes either way, and all that follows with it.
    x, good = torch_exports.clear_of_kinks(exact, [rounded], x.shape, 0, trials=30)
    if good:
        interpreted(path, "Quantised", form, x, _QUANTISED_SCORES)
    else:
        Reference("Quantised", form, x, np.array(EXPLAINED), score_tolerance=_QUANTISED_SCORES).save(path)


def _save_as_rounded(path: Path, form: str, x: Array) -> None:
    """The straight-through gradient, given the integers that ONNX Runtime rounds to as ninspect opens it.

    Products of integers times a common scale lie halfway between two integers so often that no image is free of them,
    and one integer more or less moves the gradient of a random network by much.
    """
    model = onnx.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = open_session(model.SerializeToString(), "cpu")
    exact = logits_of(path, torch.float64)
    exact.integers = dict(zip(names, session.run(names, {torch_exports.INPUT: x}), strict=True))
    classes = np.array(EXPLAINED)
    truth = torch_exports.differentiate(exact, x)
    Reference("Quantised", form, x, classes, *truth, score_tolerance=_QUANTISED_SCORES).save(path)
