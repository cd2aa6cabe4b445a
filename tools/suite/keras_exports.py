"""The coverage suite's Keras applications: NHWC, through Keras' own export and through tf2onnx."""

from __future__ import annotations

import functools
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from keras import layers

from tools.suite.file import EXPLAINED, Array, Export, Reference

CLASSES = 10

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


@dataclass(frozen=True)
class Application:
    """One network of Keras.

    Attributes:
        name: of its files.
        build: (activation of the last layer) -> the network.
        size: sides of the images.
        policy: precision that Keras calculates in.
        low: of the inputs.
        high: of the inputs.
    """

    name: str
    build: Callable[[str | None], Any]
    size: int
    policy: str = "float32"
    low: float = -1
    high: float = 1


def _application(name: str, size: int = 64, **arguments: Any) -> Application:
    def build(activation: str | None) -> Any:
        shape = (size, size, 3)
        network = getattr(keras.applications, name)
        return network(weights=None, input_shape=shape, classes=CLASSES, classifier_activation=activation, **arguments)

    return Application(f"keras_{name.lower()}", build, size)


def _small(activation: str | None) -> Any:
    """What tutorials build: convolutions, several activations, dropout, dense layers."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(8, 3, padding="same"),
            layers.LeakyReLU(0.1),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(12, 3, strides=2, padding="same", activation="elu"),
            layers.BatchNormalization(),
            layers.Conv2D(16, 3, dilation_rate=2, padding="same"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.SpatialDropout2D(0.2),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="softplus"),
            layers.AveragePooling2D(3, 2, padding="same"),
            layers.GroupNormalization(4),
            layers.Flatten(),
            layers.Dense(24, activation="selu"),
            layers.LayerNormalization(),
            layers.Dense(24, activation=partial(keras.activations.gelu, approximate=True)),
            layers.UnitNormalization(),
            layers.Dropout(0.3),
            layers.Dense(CLASSES, activation=activation),
        ]
    )


def _attention(activation: str | None) -> Any:
    """A small vision transformer of Keras layers."""
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(32, 16, 16)(layers.UpSampling2D(2, interpolation="bilinear")(image))
    x = layers.Reshape((16, 32))(x)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 8)(y, y)])
        y = layers.Dense(48, activation="silu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(32, activation="tanh")(y)])
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(image, layers.Dense(CLASSES, activation=activation)(x))


APPLICATIONS = (
    Application("keras_small", _small, 32, low=0, high=255),
    Application("keras_attention", _attention, 32),
    Application("keras_small_mixed_float16", _small, 32, "mixed_float16", low=0, high=255),
    _application("MobileNet", alpha=0.25),
    _application("MobileNetV2", alpha=0.35),
    _application("MobileNetV3Small", alpha=0.75, minimalistic=False),
    _application("EfficientNetB0"),
    _application("EfficientNetV2B0", include_preprocessing=False),
    _application("DenseNet121"),
    _application("NASNetMobile"),
    _application("ConvNeXtTiny"),
    _application("Xception", 72),
    _application("InceptionV3", 80),
    _application("ResNet50V2"),
    _application("VGG16"),
)
EXPORTERS = ("keras", "tf2onnx")
TOLERANCE = {"float32": (1e-5, 1e-4), "mixed_float16": (1e-2, 1e-2)}


def exports() -> list[Export]:
    """Every application through both exporters."""
    return [
        Export(f"{application.name}__{exporter}", partial(_write, index, exporter))
        for index, application in enumerate(APPLICATIONS)
        for exporter in EXPORTERS
    ]


def _write(index: int, exporter: str, path: Path) -> None:
    application = APPLICATIONS[index]
    x, logits, gradients = _truth(index)
    model = _network(application, application.policy, "softmax")
    model(x)  # Keras exports only models that have been called
    _export(model, exporter, x.shape[1:], path)
    scores, tolerance = TOLERANCE[application.policy]
    family = f"Keras {application.name.removeprefix('keras_')}"
    form = f"{exporter}, {'dynamic' if exporter == 'keras' else 'fixed'}"
    if exporter == "tf2onnx":
        x, logits, gradients = x[:1], logits[:1], gradients[:, :1]
    Reference(family, form, x, np.array(EXPLAINED), logits, gradients, scores, tolerance).save(path)


def _export(model: Any, exporter: str, shape: tuple[int, ...], path: Path) -> None:
    if exporter == "keras":
        with tempfile.TemporaryDirectory() as folder:  # it leaves files of its own behind
            file = Path(folder) / "model.onnx"
            model.export(file, format="onnx", verbose=False)
            path.write_bytes(file.read_bytes())
    else:
        function = tf.function(lambda image: model(image, training=False))
        signature = [tf.TensorSpec((1, *shape), tf.float32, name="image")]
        tf2onnx.convert.from_function(function, signature, opset=17, output_path=str(path))


def _network(application: Application, policy: str, activation: str | None) -> Any:
    """The network with its weights, always the same whatever the precision."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        model = application.build(activation)
    finally:
        keras.config.set_dtype_policy("float32")
    random = np.random.default_rng(zlib.crc32(application.name.encode()))
    for weight in model.weights:
        weight.assign(_values(weight.path.rpartition("/")[2], tuple(weight.shape), random))
    return model


def _values(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    if name in ("gamma", "moving_variance", "scale") or (name == "variable" and len(shape) < 2):
        return random.uniform(0.5, 1.5, shape)
    if name in ("beta", "bias", "moving_mean", "alpha") or len(shape) < 2:
        return random.uniform(-0.2, 0.2, shape)
    depthwise = name == "depthwise_kernel"
    inputs = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
    return random.normal(0, np.sqrt(2 / inputs), shape)


@functools.lru_cache(maxsize=2)
def _truth(index: int) -> tuple[Array, Array, Array]:
    """Inputs `[2, H, W, C]`, logits and gradients of the explained classes, by automatic differentiation in float64."""
    application = APPLICATIONS[index]
    shape = (2, application.size, application.size, 3)
    x = np.random.default_rng(0).uniform(application.low, application.high, shape).astype(np.float32)
    model = _network(application, "float64", None)
    leaf = tf.constant(x, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(leaf)
        logits = model(leaf, training=False)
        chosen = [tf.reduce_sum(logits[:, c]) for c in EXPLAINED]
    gradients = np.stack([tape.gradient(value, leaf).numpy() for value in chosen]).astype(np.float32)
    return x, logits.numpy(), gradients
