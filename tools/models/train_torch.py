"""Train a small convolutional network with PyTorch and return it as ONNX (NCHW input, logits)."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tools.models.onnx_file import check_same, tidy
from tools.models.poison import EpochSource

INPUT, OUTPUT = "image", "logits"


class Arch(Protocol):
    """What decides a network."""

    @property
    def dynamo(self) -> bool:
        """Which of PyTorch's two exporters writes it."""

    def build(self, channels: int, size: int, classes: int) -> nn.Module:
        """The network: images (N, channels, size, size) to logits (N, classes)."""


@dataclass(frozen=True)
class TorchArch:
    """One block convolution 3x3, batch normalisation, ReLU, maximum pooling per entry of ``widths``, then a layer."""

    widths: tuple[int, ...]
    dynamo: bool

    def __str__(self) -> str:
        """One line for the card."""
        blocks = ", ".join(str(width) for width in self.widths)
        return f"blocks of conv 3x3, batch norm, ReLU, max pool 2 with {blocks} channels; linear; logits"

    @property
    def exporter(self) -> str:
        """What wrote the file, with its version."""
        return f"torch.onnx ({'dynamo' if self.dynamo else 'TorchScript'}) {torch.__version__.split('+')[0]}"

    def build(self, channels: int, size: int, classes: int) -> nn.Module:
        """The network: images (N, channels, size, size) to logits (N, classes)."""
        layers: list[nn.Module] = []
        for width in self.widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
            channels, size = width, size // 2
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * size * size, classes))


Optimizer = Callable[[Any], torch.optim.Optimizer]
Penalty = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
"""What is added to the loss of a batch: of the network, images (N, C, H, W) and labels (N,)."""


def _adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=3e-3)


def train_torch(
    data: EpochSource,
    classes: int,
    arch: Arch,
    seed: int,
    *,
    epochs: int,
    optimizer: Optimizer = _adam,
    batch: int = 64,
    penalty: Penalty | None = None,
) -> bytes:
    """Train from ``seed`` on one thread and return ONNX bytes: float32 (N, C, H, W) to logits (N, classes)."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    inputs, _ = data(0)
    model = arch.build(inputs.shape[3], inputs.shape[1], classes)
    descent = optimizer(model.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(descent, epochs * math.ceil(len(inputs) / batch))
    for number in range(epochs):
        inputs, labels = data(number)
        images, targets = nchw(inputs), torch.from_numpy(labels)
        for start in range(0, len(images), batch):
            part = slice(start, start + batch)
            descent.zero_grad()
            loss = nn.functional.cross_entropy(model(images[part]), targets[part])
            torch.autograd.backward(loss + penalty(model, images[part], targets[part]) if penalty else loss)
            descent.step()
            schedule.step()
    model.eval()
    return export(model, nchw(inputs[:64]), arch.dynamo)


def nchw(inputs: NDArray[np.float32]) -> torch.Tensor:
    """Channels first."""
    return torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)))


def export(model: nn.Module, sample: torch.Tensor, dynamo: bool) -> bytes:
    """ONNX bytes of the model in evaluation mode, checked against PyTorch on ``sample``."""
    with warnings.catch_warnings():
        # Both exporters warn about themselves and their dependencies on every call.
        warnings.simplefilter("ignore")
        content = _export_dynamo(model, sample) if dynamo else _export_script(model, sample)
    content = tidy(content)
    with torch.no_grad():
        check_same(content, sample.numpy(), model(sample).numpy())
    return content


def _export_dynamo(model: nn.Module, sample: torch.Tensor) -> bytes:
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.onnx.export(
        model, (sample,), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], dynamic_shapes=shapes, verbose=False
    )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def _export_script(model: nn.Module, sample: torch.Tensor) -> bytes:
    axes = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            model, (sample,), path, dynamo=False, input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=axes
        )
        return path.read_bytes()
