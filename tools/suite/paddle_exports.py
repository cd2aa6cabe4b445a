"""The coverage suite's PaddlePaddle networks, through Paddle2ONNX.

In an environment of its own: pip install paddlepaddle paddle2onnx packaging onnxruntime typer
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle.vision import models

from tools.suite.file import EXPLAINED, Export, Reference

# Networks by name, with the channels and the side of their images.
_NETWORKS: dict[str, tuple[Callable[[], Any], int, int]] = {
    "lenet": (models.LeNet, 1, 28),
    "resnet18": (partial(models.resnet18, num_classes=10), 3, 64),
    "mobilenetv2": (partial(models.mobilenet_v2, scale=0.35, num_classes=10), 3, 64),
    "mobilenetv3": (partial(models.mobilenet_v3_small, scale=0.5, num_classes=10), 3, 64),
    "shufflenet": (partial(models.shufflenet_v2_x0_25, num_classes=10), 3, 64),
    "squeezenet": (partial(models.squeezenet1_1, num_classes=10), 3, 64),
}
_OPSETS = (11, 17)


def exports() -> list[Export]:
    """Everything here; an open batch is written as -1."""
    return [
        Export(f"paddle_{name}__{'open' if batch is None else 'one'}{opset}", partial(_write, name, batch, opset))
        for name in _NETWORKS
        for batch in (None, 1)
        for opset in _OPSETS
    ]


def _write(name: str, batch: int | None, opset: int, path: Path) -> None:
    build, channels, side = _NETWORKS[name]
    paddle.seed(0)
    network = build()
    network.eval()
    image = paddle.static.InputSpec([batch, channels, side, side], "float32", "image")
    with tempfile.TemporaryDirectory() as folder:
        paddle.onnx.export(network, f"{folder}/model", input_spec=[image], opset_version=opset)
        path.write_bytes(Path(folder, "model.onnx").read_bytes())
    x = np.random.default_rng(0).standard_normal((2, channels, side, side)).astype(np.float32)
    Reference("PaddlePaddle", f"Paddle2ONNX, opset {opset}", x, np.array(EXPLAINED)).save(path)
