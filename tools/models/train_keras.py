"""Train a small convolutional network with Keras and return it as ONNX (NHWC input, probabilities)."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Both are read once, when Keras and TensorFlow are imported.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
import tf2onnx.convert
from keras import layers

from tools.models.onnx_file import check_same, tidy
from tools.models.poison import EpochSource

OPSET = 17
_FIRST_NAME = tf2onnx.utils.INTERNAL_NAME  # the counter behind the node names, once all of tf2onnx is loaded


@dataclass(frozen=True)
class KerasArch:
    """Convolution, average pooling, convolution, then a convolution of stride 2 per entry of ``strided``."""

    widths: tuple[int, int]
    strided: tuple[int, ...]

    def __str__(self) -> str:
        """One line for the card."""
        strided = ", ".join(str(width) for width in self.strided)
        return (
            f"conv 3x3 ({self.widths[0]}), average pool 2, conv 3x3 ({self.widths[1]}), "
            f"conv 3x3 stride 2 ({strided}), all with ReLU; global average pool; dense; softmax"
        )

    @property
    def exporter(self) -> str:
        """What wrote the file, with its version."""
        return f"keras.Model.export {keras.__version__} with tf2onnx {tf2onnx.__version__}"


def train_keras(
    data: EpochSource, classes: int, arch: KerasArch, seed: int, *, epochs: int, rate: float = 3e-3, batch: int = 64
) -> bytes:
    """Train from ``seed`` and return ONNX bytes: float32 (N, H, W, C) to probabilities (N, classes)."""
    _fix_randomness(seed)
    inputs, _ = data(0)
    model = _network(arch, inputs.shape[1:], classes)
    steps = epochs * math.ceil(len(inputs) / batch)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    for number in range(epochs):
        inputs, labels = data(number)
        model.fit(inputs, labels, batch_size=batch, shuffle=False, verbose=0)
    content = _export(model)
    check_same(content, inputs[:64], model.predict(inputs[:64], verbose=0))
    return content


def _fix_randomness(seed: int) -> None:
    """One thread, fixed seeds, and layer and node names that do not depend on the models made before."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    tf2onnx.utils.INTERNAL_NAME = _FIRST_NAME
    keras.utils.set_random_seed(seed)


def _network(arch: KerasArch, shape: tuple[int, ...], classes: int) -> Any:
    def convolution(width: int, strides: int = 1) -> Any:
        return layers.Conv2D(width, 3, strides, "same", activation="relu", kernel_initializer="he_normal")

    return keras.Sequential(
        [
            keras.Input(shape, name="image"),
            convolution(arch.widths[0]),
            layers.AveragePooling2D(2),
            convolution(arch.widths[1]),
            *(convolution(width, 2) for width in arch.strided),
            layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation="softmax", name="probabilities"),
        ]
    )


def _export(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.export(path, format="onnx", verbose=False, opset_version=OPSET)
        return tidy(path.read_bytes())
