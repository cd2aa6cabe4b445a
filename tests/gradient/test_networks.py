"""Whole networks, exported from PyTorch, against its autograd in float64."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional as fn

from tests.gradient.support import Explainer, autograd, randn, relative_error

CLASSES = 5
Layer = Callable[[torch.Tensor], torch.Tensor]


class LeNet(nn.Sequential):
    """As MNIST classifiers are written: tiling max pools and a flattened middle."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Tanh(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 30), nn.ReLU(), nn.Dropout(), nn.Linear(30, CLASSES),
        )  # fmt: skip


class Residual(nn.Module):
    """A strided stem, an overlapping max pool, and a block whose shortcut changes size."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        self.body = nn.Sequential(
            nn.Conv2d(8, 12, 3, 2, 1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 12, 3, 1, 1),
            nn.BatchNorm2d(12),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(8, 12, 1, 2, bias=False), nn.BatchNorm2d(12))
        self.head: Layer = nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = fn.relu(self.body(x) + self.shortcut(x))
        return self.head(fn.adaptive_avg_pool2d(x, 1).flatten(1))


class Separable(nn.Sequential):
    """Depthwise convolutions with the activations of mobile networks."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish(),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 16, 1), nn.SiLU(),
            nn.Conv2d(16, 32, 5, 2, 2, groups=16), nn.Hardsigmoid(), nn.Conv2d(32, 10, 1), nn.LeakyReLU(0.1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, CLASSES), nn.LogSoftmax(1),
        )  # fmt: skip


class Inception(nn.Module):
    """Branches of different pools and kernels, concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(3, 4, 1)
        self.wide = nn.Conv2d(3, 5, (1, 7), padding=(0, 3))
        self.pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.Conv2d(3, 3, 1))
        self.reduce = nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.ELU(), nn.AvgPool2d(2))
        self.head: Layer = nn.Linear(12 * 4 * 4, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.narrow(x), self.wide(x).sigmoid(), self.pooled(x)], 1)
        return self.head(self.reduce(x).flatten(1))


class Attention(nn.Module):
    """Patches, a class token, and two heads of attention between layer norms."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 12))
        self.norm = nn.LayerNorm(12)
        self.qkv = nn.Linear(12, 36)
        self.mlp = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12))
        self.head: Layer = nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        q, k, v = self.qkv(self.norm(x)).reshape(x.shape[0], x.shape[1], 3, 2, 6).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = (q @ k.transpose(-2, -1) / 6**0.5).softmax(-1) @ v
        x = x + mixed.transpose(1, 2).reshape(x.shape)
        return self.head((x + self.mlp(x))[:, 0])


class Squeezed(nn.Module):
    """Channels weighed by their own mean, and a standardised input: the image is used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same", padding_mode="reflect")
        self.gate = nn.Sequential(nn.Linear(8, 4), nn.Softplus(), nn.Linear(4, 8), nn.Sigmoid())
        self.act = nn.PReLU(8)
        self.head: Layer = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - x.mean((1, 2, 3), keepdim=True)) / (x.square().mean((1, 2, 3), keepdim=True) + 1e-3).sqrt()
        x = self.conv(x)
        x = self.act(x * self.gate(x.mean((2, 3)))[:, :, None, None])
        return self.head(fn.normalize(x.amax((2, 3)), dim=1))


def export(network: nn.Module, images: torch.Tensor, path: Path, opset: int) -> onnx.ModelProto:
    torch.onnx.export(
        network,
        (images,),
        path,
        input_names=["x"],
        output_names=["logits"],
        dynamic_axes={"x": {0: "N"}},
        opset_version=opset,
        dynamo=False,
    )
    return onnx.load(path)


@pytest.mark.filterwarnings("ignore")  # the exporter is deprecated, and traces shapes as constants
@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (LeNet, (1, 28, 28)),
        (Residual, (3, 33, 30)),
        (Separable, (3, 24, 24)),
        (Inception, (3, 17, 16)),
        (Attention, (3, 16, 16)),
        (Squeezed, (3, 12, 12)),
    ],
)
def test_the_gradient_of_a_network_is_that_of_autograd(
    build: Callable[[], nn.Module], shape: tuple[int, ...], opset: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = build()
    some = torch.randn(8, *shape)
    network(some)  # in training mode: gives batch normalisation its statistics
    explain = Explainer(export(network.eval(), some, tmp_path / "network.onnx", opset), CLASSES)
    network.double()
    for count in (1, 3):
        images = randn(count, *shape)
        classes = np.tile(np.arange(CLASSES)[:, None], (1, count))
        explanation = explain(images, classes)
        logits = network(torch.from_numpy(images).double()).detach().numpy()
        assert relative_error(explanation.logits, logits) < 1e-5
        assert relative_error(explanation.gradient, autograd(network, images, classes)) < 1e-4
