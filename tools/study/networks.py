"""Small PyTorch networks of many kinds, so that statistics do not rest on one architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "leaky": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh,
}  # fmt: skip


@dataclass(frozen=True)
class StudyArch:
    """A kind of network, from `NETWORKS`, with the number of channels of its first layer and its activation."""

    kind: str
    width: int
    activation: str = "relu"
    dropout: float = 0.0

    dynamo = False

    def __str__(self) -> str:
        """One phrase for the card."""
        return f"{self.kind}, width {self.width}, {self.activation}, dropout {self.dropout:g}"

    def build(self, channels: int, size: int, classes: int) -> nn.Module:
        """The network: images `[N, channels, size, size]` to logits `[N, classes]`."""
        return NETWORKS[self.kind](self, channels, size, classes)

    def act(self) -> nn.Module:
        """A new activation layer."""
        return _ACTIVATIONS[self.activation]()


def _head(arch: StudyArch, inputs: int, hidden: int, classes: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(inputs, hidden), arch.act(), nn.Dropout(arch.dropout), nn.Linear(hidden, classes)]


def _mlp(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Two hidden layers."""
    hidden = 8 * arch.width
    inputs = channels * size * size
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, hidden), arch.act(), *_head(arch, hidden, hidden, classes))


def _narrow(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Three hidden layers of a few units each."""
    w = arch.width
    inner = [layer for _ in range(2) for layer in (nn.Linear(w, w), arch.act())]
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, w), arch.act(), *inner, nn.Linear(w, classes))


def _lenet(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Two 5×5 convolutions without normalisation."""
    w, side = arch.width, ((size - 4) // 2 - 4) // 2
    return nn.Sequential(
        nn.Conv2d(channels, w, 5), arch.act(), nn.MaxPool2d(2),
        nn.Conv2d(w, 2 * w, 5), arch.act(), nn.MaxPool2d(2),
        *_head(arch, 2 * w * side * side, 8 * w, classes),
    )  # fmt: skip


def _vgg(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Pairs of 3×3 convolutions without normalisation: the usual traffic sign network."""
    w, layers, side = arch.width, list[nn.Module](), size
    for inputs, outputs in ((channels, w), (w, 2 * w), (2 * w, 4 * w)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), arch.act()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1), arch.act(), nn.MaxPool2d(2)]
        side //= 2
    return nn.Sequential(*layers, *_head(arch, 4 * w * side * side, 8 * w, classes))


def _bn(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Convolution, batch normalisation, maximum pooling; one linear layer."""
    layers, side = list[nn.Module](), size
    for width in (arch.width, 2 * arch.width, 4 * arch.width):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), arch.act(), nn.MaxPool2d(2)]
        channels, side = width, side // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(arch.dropout), nn.Linear(channels * side * side, classes))


def _strided(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Strided convolutions and a global average, no maximum pooling."""
    layers = list[nn.Module]()
    for width, stride in ((arch.width, 1), (2 * arch.width, 2), (4 * arch.width, 2)):
        layers += [nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), arch.act()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def _mobile(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Depthwise and pointwise convolutions."""
    w = arch.width
    layers: list[nn.Module] = [nn.Conv2d(channels, w, 3, 2, 1), nn.BatchNorm2d(w), arch.act()]
    for inputs, outputs, stride in ((w, 2 * w, 1), (2 * w, 4 * w, 2), (4 * w, 4 * w, 1)):
        layers += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs), nn.BatchNorm2d(inputs), arch.act()]
        layers += [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), arch.act()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), *_head(arch, 4 * w, 4 * w, classes))


class _Residual(nn.Module):
    """x plus two convolutions of it."""

    def __init__(self, arch: StudyArch, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), arch.act(),
            nn.Conv2d(outputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.skip = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()
        self.act = arch.act()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block."""
        result: torch.Tensor = self.act(self.main(x) + self.skip(x))
        return result


def _resnet(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """Three residual blocks and a global average."""
    w = arch.width
    return nn.Sequential(
        nn.Conv2d(channels, w, 3, 1, 1), nn.BatchNorm2d(w), arch.act(), nn.MaxPool2d(2),
        _Residual(arch, w, w, 1), _Residual(arch, w, 2 * w, 2), _Residual(arch, 2 * w, 4 * w, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * w, classes),
    )  # fmt: skip


def _wide(arch: StudyArch, channels: int, size: int, classes: int) -> nn.Module:
    """A small WideResNet: three stages of one residual block, twice as wide each, without pooling before the last."""
    w = arch.width
    return nn.Sequential(
        nn.Conv2d(channels, w, 3, 1, 1), nn.BatchNorm2d(w), arch.act(),
        _Residual(arch, w, 2 * w, 2), _Residual(arch, 2 * w, 4 * w, 2), _Residual(arch, 4 * w, 8 * w, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * w, classes),
    )  # fmt: skip


class _Attention(nn.Module):
    """One block of a vision transformer: tokens `[N, T, width]` look at each other, then each thinks for itself."""

    def __init__(self, arch: StudyArch, heads: int = 4) -> None:
        super().__init__()
        w = arch.width
        self.heads = heads
        self.before, self.after = nn.LayerNorm(w), nn.LayerNorm(w)
        self.mixed, self.out = nn.Linear(w, 3 * w), nn.Linear(w, w)
        self.inner = nn.Sequential(nn.Linear(w, 2 * w), arch.act(), nn.Linear(2 * w, w))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block."""
        n, tokens, w = x.shape
        parts = self.mixed(self.before(x)).reshape(n, tokens, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        weights = torch.softmax(query @ key.transpose(-1, -2) / (w // self.heads) ** 0.5, dim=-1)
        x = x + self.out((weights @ value).transpose(1, 2).reshape(n, tokens, w))
        result: torch.Tensor = x + self.inner(self.after(x))
        return result


class _Vit(nn.Module):
    """A vision transformer on squares of 4 pixels, three blocks, the mean of the tokens, one linear layer."""

    def __init__(self, arch: StudyArch, channels: int, size: int, classes: int) -> None:
        super().__init__()
        self.squares = nn.Conv2d(channels, arch.width, 4, 4)
        self.place = nn.Parameter(0.02 * torch.randn(1, (size // 4) ** 2, arch.width))
        self.blocks = nn.Sequential(*(_Attention(arch) for _ in range(3)), nn.LayerNorm(arch.width))
        self.head = nn.Linear(arch.width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to logits."""
        tokens = self.squares(x).flatten(2).transpose(1, 2) + self.place
        logits: torch.Tensor = self.head(self.blocks(tokens).mean(dim=1))
        return logits


NETWORKS: dict[str, Callable[[StudyArch, int, int, int], nn.Module]] = {
    "narrow": _narrow, "wide": _wide, "vit": _Vit,
    "mlp": _mlp, "lenet": _lenet, "vgg": _vgg, "bn": _bn, "strided": _strided, "mobile": _mobile, "resnet": _resnet,
}  # fmt: skip
