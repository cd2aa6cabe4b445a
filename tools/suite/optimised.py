"""The coverage suite's optimised forms: what ONNX Runtime and its tools make of networks before people publish them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime import GraphOptimizationLevel, quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers import optimizer

from tools.suite import torch_exports
from tools.suite.file import EXPLAINED, Export, Reference
from tools.suite.forms import Calibration, script

FAMILY = "Optimised"
_BASES = (
    "tv_lenet", "tv_squeezenet", "tv_vision_transformer", "tv_transformer_encoder", "resnet18", "mobilenetv2_035",
    "mobilenetv3_small_050",
)  # fmt: skip
# With random weights their answers to two images differ by less than what rounding does, so differences tell nothing.
_DROWNED = ("tv_squeezenet", "mobilenetv2_035")
_LEVELS = {
    "extended": GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_SIGNED, _UNSIGNED = quantization.QuantType.QInt8, quantization.QuantType.QUInt8
# Format, type of activations, type of weights, whether every channel has a scale of its own.
_STATIC = {
    "qdq": (quantization.QuantFormat.QDQ, _UNSIGNED, _SIGNED, False),
    "qoperator": (quantization.QuantFormat.QOperator, _UNSIGNED, _UNSIGNED, False),
}


def exports() -> list[Export]:
    """Everything here."""
    return [export for base in _BASES for export in _of(base)]


def _of(base: str) -> Iterator[Export]:
    for level in _LEVELS:
        yield Export(f"{base}__ort_{level}", partial(_write_offline, base, level))
    for opset in (14, 17):
        yield Export(f"{base}__transformers{opset}", partial(_write_transformers, base, opset))
    if base in _DROWNED:
        return
    for kind, per_channel in ((_UNSIGNED, False), (_SIGNED, True)):
        form = "dynamic_channel" if per_channel else "dynamic"
        yield Export(f"{base}__{form}", partial(_write_dynamic, base, form, kind, per_channel))
    for form in _STATIC:
        for level in _LEVELS:
            yield Export(f"{base}__{form}_{level}", partial(_write_static, base, form, level))


def _save_offline(source: Path, target: Path, level: str) -> None:
    """What ONNX Runtime saves of a model that it has optimised."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = _LEVELS[level]
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _write_offline(base: str, level: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _save_offline(script(base, Path(folder)), path, level)
    _save_truth(base, f"ONNX Runtime, {level}", path)


def _write_transformers(base: str, opset: int, path: Path) -> None:
    """The optimiser for transformers by its own rules alone."""
    with tempfile.TemporaryDirectory() as folder:
        source = script(base, Path(folder), opset=opset)
        optimizer.optimize_model(str(source), model_type="vit", opt_level=0).save_model_to_file(str(path))
    _save_truth(base, f"onnxruntime.transformers, opset {opset}", path)


def _save_truth(base: str, form: str, path: Path) -> None:
    x, logits, gradients = torch_exports.truth(base)
    Reference(FAMILY, form, x, np.array(EXPLAINED), logits, gradients).save(path)


def _write_dynamic(base: str, form: str, kind: quantization.QuantType, per_channel: bool, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        quantized = Path(folder) / "quantized.onnx"
        quantization.quantize_dynamic(script(base, Path(folder)), quantized, weight_type=kind, per_channel=per_channel)
        _save_offline(quantized, path, "all")
    _save_without_truth(base, form, path)


def _write_static(base: str, form: str, level: str, path: Path) -> None:
    kind, activations, weights, per_channel = _STATIC[form]
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(script(base, Path(folder)), prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared, quantized, Calibration(torch_exports.images(base)), quant_format=kind,
            activation_type=activations, weight_type=weights, per_channel=per_channel,
        )  # fmt: skip
        _save_offline(quantized, path, level)
    _save_without_truth(base, f"{form}, {level}", path)


def _save_without_truth(base: str, form: str, path: Path) -> None:
    """No framework knows these integers: the truth tests of every scan judge the gradient."""
    Reference(FAMILY, form, torch_exports.images(base), np.array(EXPLAINED)).save(path)
