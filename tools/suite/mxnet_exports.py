"""The coverage suite's MXNet networks, as MXNet 1.9, its last release, exports them.

In an environment of its own: pip install mxnet==1.9.1 'numpy<1.24' onnx==1.15.0 onnxruntime typer
"""

# ruff: noqa: E402

from __future__ import annotations

import builtins
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

for _name in ("bool", "float", "int", "object"):  # MXNet reads them as NumPy had them before 1.24
    if _name not in vars(np):
        setattr(np, _name, getattr(builtins, _name))

import mxnet as mx
from mxnet import onnx as mxnet_onnx
from mxnet.gluon.model_zoo import vision

from tools.suite.file import EXPLAINED, Export, Reference

_NETWORKS: dict[str, Callable[..., Any]] = {
    "resnet18_v1": vision.resnet18_v1,
    "resnet18_v2": vision.resnet18_v2,
    "mobilenet": vision.mobilenet0_25,
    "mobilenetv2": vision.mobilenet_v2_0_25,
}
_SHAPE = (3, 64, 64)


def exports() -> list[Export]:
    """Everything here: bare scores and probabilities. The SoftmaxOutput of training is an error of the exporter."""
    return [
        Export(f"mxnet_{name}__{'probabilities' if softmax else 'scores'}", partial(_write, name, softmax))
        for name in _NETWORKS
        for softmax in (False, True)
    ]


def _write(name: str, softmax: bool, path: Path) -> None:
    mx.random.seed(0)
    network = _NETWORKS[name](classes=10)
    network.initialize(mx.init.Xavier())
    network(mx.nd.zeros((1, *_SHAPE)))
    scores = network(mx.sym.var("data"))
    weights = {parameter.name: parameter.data() for parameter in network.collect_params().values()}
    if softmax:
        scores = mx.sym.softmax(scores)
    mxnet_onnx.export_model(scores, weights, in_shapes=[(1, *_SHAPE)], in_types=np.float32, onnx_file_path=str(path))
    x = np.random.default_rng(0).standard_normal((1, *_SHAPE)).astype(np.float32)
    Reference("MXNet", "MXNet 1.9", x, np.array(EXPLAINED)).save(path)
