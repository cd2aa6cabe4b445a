"""The coverage suite's Core ML networks, through onnxmltools: images without a batch axis, Core ML's own tails.

In an environment of its own: pip install coremltools onnxmltools==1.11.2 onnxconverter-common==1.13.0 onnx==1.16.2
'numpy<2' onnxruntime typer
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxmltools
from coremltools.models import datatypes
from coremltools.models.neural_network import NeuralNetworkBuilder

from tools.suite.file import EXPLAINED, Array, Export, Reference

_SHAPE = (3, 32, 32)
_CLASSES = 10
_FORMS = {"plain": (False, False), "normalized": (True, False), "classifier": (True, True)}
_OPSETS = (9, 13)


def exports() -> list[Export]:
    """Everything here."""
    return [
        Export(f"coreml_{form}__opset{opset}", partial(_write, form, opset)) for form in _FORMS for opset in _OPSETS
    ]


def _write(form: str, opset: int, path: Path) -> None:
    model = onnxmltools.convert_coreml(_network(*_FORMS[form]), target_opset=opset)
    onnxmltools.utils.save_model(model, str(path))
    x = np.random.default_rng(0).standard_normal((1, *_SHAPE)).astype(np.float32)
    Reference("Core ML", f"onnxmltools, opset {opset}", x, np.array(EXPLAINED)).save(path)


def _network(normalized: bool, labelled: bool) -> Any:
    """Two convolutions and a dense layer; labelled, it says the name of the class as well."""
    weights = np.random.default_rng(0)

    def kernel(*shape: int) -> Array:
        return (weights.standard_normal(shape) / math.sqrt(math.prod(shape[:-1]))).astype(np.float32)

    def zeros(length: int) -> Array:
        return np.zeros(length, np.float32)

    build = NeuralNetworkBuilder(
        [("image", datatypes.Array(*_SHAPE))],
        [("probabilities", datatypes.Array(_CLASSES))],
        mode="classifier" if labelled else None,
    )
    convolution = {"stride_height": 1, "stride_width": 1, "groups": 1, "has_bias": True}
    build.add_convolution(
        "first", 3, 8, 3, 3, border_mode="same", W=kernel(3, 3, 3, 8), b=zeros(8), input_name="image",
        output_name="a", **convolution,
    )  # fmt: skip
    if normalized:
        ones = np.ones(8, np.float32)
        build.add_batchnorm("norm", 8, ones, zeros(8), zeros(8), ones, input_name="a", output_name="b")
        build.add_activation("leaky", "LEAKYRELU", "b", "c", params=[0.1])
    else:
        build.add_activation("relu", "RELU", "a", "c")
    build.add_pooling("max", 2, 2, 2, 2, "MAX", "VALID", "c", "d")
    build.add_convolution(
        "second", 8, 8, 3, 3, border_mode="valid", W=kernel(3, 3, 8, 8), b=zeros(8), input_name="d",
        output_name="e", **convolution,
    )  # fmt: skip
    build.add_activation("relu2", "RELU", "e", "f")
    build.add_pooling("average", 2, 2, 2, 2, "AVERAGE", "VALID", "f", "g")
    build.add_flatten("flat", 0, "g", "h")
    length = 8 * 7 * 7
    build.add_inner_product("dense", kernel(_CLASSES, length), zeros(_CLASSES), length, _CLASSES, True, "h", "i")
    build.add_softmax("softmax", "i", "probabilities")
    if labelled:
        build.set_class_labels([f"class {label}" for label in range(_CLASSES)])
    return build.spec
