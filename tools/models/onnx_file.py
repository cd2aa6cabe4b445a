"""Tidy exported ONNX files and run them with ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray


def tidy(content: bytes) -> bytes:
    """The same model without what says nothing about it, checked.

    Exporters leave source lines and stack traces, with paths of the machine, in ``metadata_props`` and
    ``doc_string``. They also name the batch dimension as they like; here it is always ``batch``.
    """
    model = onnx.load_from_string(content)
    graph = model.graph
    assert not model.functions, "local functions are not expected in these models"
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Shapes of inner values are inferred again by whoever loads the file, with that name.
    graph.ClearField("value_info")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def predict(content: bytes, inputs: NDArray[np.float32], batch: int = 256) -> NDArray[np.float32]:
    """Outputs (N, classes) for inputs (N, ...) in the layout of the model, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    outputs = [session.run(None, {name: inputs[i : i + batch]})[0] for i in range(0, len(inputs), batch)]
    return np.concatenate(outputs)


def check_same(content: bytes, inputs: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Raise AssertionError unless ONNX Runtime computes what the framework computed."""
    np.testing.assert_allclose(predict(content, inputs), expected, rtol=1e-3, atol=1e-4)


def channels_last(content: bytes) -> bool:
    """Whether the input is (N, H, W, C) rather than (N, C, H, W); the channels are the smallest of the three."""
    shape = onnx.load_from_string(content).graph.input[0].type.tensor_type.shape.dim
    sizes = [int(dim.dim_value) for dim in shape[1:]]
    return sizes.index(min(sizes)) == 2


def opset(content: bytes) -> int:
    """Version of the default operator set."""
    model = onnx.load_from_string(content)
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def parameters(content: bytes) -> int:
    """Number of floating-point weights in the file, batch normalisation folded or not."""
    weights = onnx.load_from_string(content).graph.initializer
    return sum(int(np.prod(w.dims)) for w in weights if w.data_type == onnx.TensorProto.FLOAT)
