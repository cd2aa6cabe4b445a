"""The networks of the benchmarks, with random weights: written out here, so that no model zoo is needed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn


@dataclass(frozen=True)
class Subject:
    """One row of the benchmark.

    Attributes:
        title: what the table calls it.
        make: builds the network.
        shape: of one image, `[C, H, W]`.
        classes: K.
    """

    title: str
    make: Callable[[], nn.Module]
    shape: tuple[int, int, int]
    classes: int

    def network(self) -> nn.Module:
        """The network with its weights, always the same, ready to classify."""
        torch.manual_seed(0)
        return self.make().eval().requires_grad_(False)

    def export(self, path: Path, batch: int | None = None) -> None:
        """Write it as ONNX, with a free batch axis or a fixed one."""
        free = {} if batch else {"image": {0: "N"}}
        x = torch.zeros(batch or 1, *self.shape)
        torch.onnx.export(
            self.network(), (x,), path, dynamo=False, input_names=["image"], output_names=["logits"],
            dynamic_axes=free, opset_version=18,
        )  # fmt: skip


def lenet() -> nn.Module:
    """LeNet on grey 28×28 images."""
    return nn.Sequential(
        *_conv(1, 16), nn.MaxPool2d(2), *_conv(16, 32), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def signs() -> nn.Module:
    """Six convolutions on 32×32 images: the usual traffic sign network."""
    return nn.Sequential(
        *_conv(3, 32), *_conv(32, 32), nn.MaxPool2d(2), *_conv(32, 64), *_conv(64, 64), nn.MaxPool2d(2),
        *_conv(64, 128), *_conv(128, 128), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128 * 16, 512), nn.ReLU(),
        nn.Linear(512, 43),
    )  # fmt: skip


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]


def _normed(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: type[nn.Module] = nn.Identity
) -> nn.Sequential:
    """A convolution that keeps the size (up to its stride), batch normalisation and an activation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), act())


class Residual(nn.Module):
    """relu(body(x) + shortcut(x))."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x through both ways."""
        return torch.relu(self.body(x) + self.shortcut(x))


def _basic(inputs: int, width: int, stride: int) -> nn.Module:
    body = nn.Sequential(_normed(inputs, width, 3, stride, act=nn.ReLU), _normed(width, width, 3))
    return Residual(body, nn.Identity() if inputs == width else _normed(inputs, width, 1, stride))


def _bottleneck(inputs: int, width: int, stride: int) -> nn.Module:
    body = nn.Sequential(
        _normed(inputs, width // 4, 1, act=nn.ReLU), _normed(width // 4, width // 4, 3, stride, act=nn.ReLU),
        _normed(width // 4, width, 1),
    )  # fmt: skip
    return Residual(body, nn.Identity() if inputs == width else _normed(inputs, width, 1, stride))


def _resnet(
    block: Callable[[int, int, int], nn.Module], depths: tuple[int, ...], width: int, classes: int
) -> nn.Module:
    widths = [width * 2**stage for stage in range(4)]
    blocks = [
        block(before if i == 0 else after, after, 2 if i == 0 and after > width else 1)
        for depth, (before, after) in zip(depths, itertools.pairwise([64, *widths]), strict=True)
        for i in range(depth)
    ]
    return nn.Sequential(
        _normed(3, 64, 7, 2, act=nn.ReLU), nn.MaxPool2d(3, 2, 1), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes),
    )  # fmt: skip


def resnet18() -> nn.Module:
    """ResNet-18 for 100 classes."""
    return _resnet(_basic, (2, 2, 2, 2), 64, 100)


def resnet152() -> nn.Module:
    """ResNet-152 for 1000 classes."""
    return _resnet(_bottleneck, (3, 8, 36, 3), 256, 1000)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, filter each channel by itself, project; added to x where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        wide = [_normed(inputs, inner, 1, act=nn.ReLU6)] if expansion > 1 else []
        narrow = [_normed(inner, inner, 3, stride, groups=inner, act=nn.ReLU6), _normed(inner, outputs, 1)]
        self.body = nn.Sequential(*wide, *narrow)
        self.add = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x through the block."""
        return torch.as_tensor(x + self.body(x) if self.add else self.body(x))


def mobilenet() -> nn.Module:
    """MobileNetV2 for 100 classes."""
    stages = [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ]  # fmt: skip
    blocks, width = list[nn.Module](), 32
    for expansion, outputs, depth, stride in stages:
        for i in range(depth):
            blocks.append(InvertedResidual(width, outputs, stride if i == 0 else 1, expansion))
            width = outputs
    return nn.Sequential(
        _normed(3, 32, 3, 2, act=nn.ReLU6), *blocks, _normed(320, 1280, 1, act=nn.ReLU6),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 100),
    )  # fmt: skip


class Attention(nn.Module):
    """Multi-head self-attention, written out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """softmax(q·kᵀ / √d)·v for `[N, tokens, width]`."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q * self.scale @ k.transpose(-1, -2)).softmax(-1)
        return torch.as_tensor(self.out((weights @ v).transpose(1, 2).flatten(2)))


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each behind a layer norm and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x through the layer."""
        x = x + self.attend(x)
        return torch.as_tensor(x + self.think(x))


class VisionTransformer(nn.Module):
    """Patches, a class token, encoder layers, and a linear layer on the class token."""

    def __init__(self, size: int, patch: int, width: int, depth: int, heads: int, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.position = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.02)
        self.layers = nn.Sequential(*(EncoderLayer(width, heads) for _ in range(depth)), nn.LayerNorm(width))
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images `[N, 3, H, W]` to logits `[N, K]`."""
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), patches], 1) + self.position
        return torch.as_tensor(self.head(self.layers(tokens)[:, 0]))


def vit_tiny() -> nn.Module:
    """ViT-tiny with patches of 16×16 for 100 classes."""
    return VisionTransformer(224, 16, 192, 12, 3, 100)


SUBJECTS = {
    "lenet": Subject("LeNet, 28×28", lenet, (1, 28, 28), 10),
    "signs": Subject("signs, 32×32", signs, (3, 32, 32), 43),
    "resnet18": Subject("ResNet-18, 224×224", resnet18, (3, 224, 224), 100),
    "mobilenet": Subject("MobileNetV2, 224×224", mobilenet, (3, 224, 224), 100),
    "vit_tiny": Subject("ViT-tiny, 224×224", vit_tiny, (3, 224, 224), 100),
}
