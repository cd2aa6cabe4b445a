"""Architectures of torchvision that timm lacks, small, with the operators of the originals."""

from __future__ import annotations

import torch
from torch import nn


def alexnet(classes: int = 10) -> nn.Module:
    """AlexNet: large strides, overlapping pools, an adaptive pool and dropout; for images of 224 pixels."""
    features = nn.Sequential(
        nn.Conv2d(3, 16, 11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(16, 24, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(24, 32, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.AdaptiveAvgPool2d((6, 6)),
    )
    head = [nn.Dropout(), nn.Linear(32 * 36, 64), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(64, classes)]
    return nn.Sequential(features, nn.Flatten(1), *head)


class _Fire(nn.Module):
    """SqueezeNet's block: squeeze, then two convolutions side by side."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.small, self.large = nn.Conv2d(squeeze, expand, 1), nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Both expansions, concatenated."""
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.small(x)), torch.relu(self.large(x))], 1)


def squeezenet(classes: int = 10) -> nn.Module:
    """SqueezeNet 1.1: fire modules, pools that round their size up, a convolution as classifier."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(16, 8, 16),
        _Fire(32, 8, 16),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(32, 12, 24),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(48, 12, 24),
        nn.Dropout(),
        nn.Conv2d(48, classes, 1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(1),
    )


def _convolution(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    padding = kernel // 2
    layers = [nn.Conv2d(channels, out, kernel, stride, padding, bias=False), nn.BatchNorm2d(out, eps=1e-3)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class _Inception(nn.Module):
    """GoogLeNet's block: four branches, concatenated."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([
            _convolution(channels, width, 1),
            nn.Sequential(_convolution(channels, width, 1), _convolution(width, width, 3)),
            nn.Sequential(_convolution(channels, width // 2, 1), _convolution(width // 2, width, 3)),
            nn.Sequential(nn.MaxPool2d(3, 1, padding=1, ceil_mode=True), _convolution(channels, width, 1)),
        ])  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All branches, concatenated."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class _GoogLeNet(nn.Module):
    """GoogLeNet with torchvision's `transform_input`, which rescales every colour by itself."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            _convolution(3, 16, 7, 2),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            _convolution(16, 32, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            _Inception(32, 12),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            _Inception(48, 16),
            nn.MaxPool2d(2, 2, ceil_mode=True),
            _Inception(64, 20),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(1), nn.Dropout(0.2), nn.Linear(80, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        red = x[:, 0].unsqueeze(1) * (0.229 / 0.5) + (0.485 - 0.5) / 0.5
        green = x[:, 1].unsqueeze(1) * (0.224 / 0.5) + (0.456 - 0.5) / 0.5
        blue = x[:, 2].unsqueeze(1) * (0.225 / 0.5) + (0.406 - 0.5) / 0.5
        logits: torch.Tensor = self.head(self.stages(torch.cat((red, green, blue), 1)))
        return logits


def googlenet(classes: int = 10) -> nn.Module:
    """GoogLeNet: inception blocks, pools that round their size up."""
    return _GoogLeNet(classes)


class _Shuffle(nn.Module):
    """ShuffleNet v2's block: split or downsample, depthwise convolution, concatenate, shuffle the channels."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        half = out // 2
        self.split = stride == 1
        inner = half if self.split else channels
        depthwise = [nn.Conv2d(half, half, 3, stride, 1, groups=half, bias=False), nn.BatchNorm2d(half)]
        self.main = nn.Sequential(_convolution(inner, half, 1), *depthwise, _convolution(half, half, 1))
        side = [nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner)]
        self.side = nn.Identity() if self.split else nn.Sequential(*side, _convolution(inner, half, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The two branches with their channels interleaved."""
        left, right = x.chunk(2, dim=1) if self.split else (x, x)
        y = torch.cat([self.side(left), self.main(right)], 1)
        batch, channels, height, width = y.size()
        return (
            y.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous().view(batch, -1, height, width)
        )


class _Mean(nn.Module):
    """Global average as torchvision's ShuffleNet and MNASNet write it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mean over height and width."""
        return x.mean([2, 3])


def shufflenet(classes: int = 10) -> nn.Module:
    """ShuffleNet v2: channel splits and shuffles."""
    stem = [_convolution(3, 16, 3, 2), nn.MaxPool2d(3, 2, 1)]
    blocks = [_Shuffle(16, 32, 2), _Shuffle(32, 32, 1), _Shuffle(32, 64, 2), _Shuffle(64, 64, 1)]
    return nn.Sequential(*stem, *blocks, _convolution(64, 96, 1), _Mean(), nn.Linear(96, classes))


class _VisionTransformer(nn.Module):
    """torchvision's vision transformer: `nn.MultiheadAttention` with a class token."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 48, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 48))
        self.positions = nn.Parameter(torch.randn(1, 17, 48) * 0.1)
        self.norms = nn.ModuleList(nn.LayerNorm(48, eps=1e-6) for _ in range(5))
        self.attention = nn.ModuleList(nn.MultiheadAttention(48, 4, batch_first=True) for _ in range(2))
        self.mlp = nn.ModuleList(nn.Sequential(nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 48)) for _ in range(2))
        self.head = nn.Linear(48, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        batch = x.shape[0]
        x = self.patches(x).reshape(batch, 48, 16).permute(0, 2, 1)
        x = torch.cat([self.token.expand(batch, -1, -1), x], 1) + self.positions
        for index in range(2):
            y = self.norms[2 * index](x)
            y, _ = self.attention[index](y, y, y, need_weights=False)
            x = x + y
            x = x + self.mlp[index](self.norms[2 * index + 1](x))
        logits: torch.Tensor = self.head(self.norms[4](x)[:, 0])
        return logits


def vision_transformer(classes: int = 10) -> nn.Module:
    """torchvision's ViT, for images of 32 pixels."""
    return _VisionTransformer(classes)


class _EncoderClassifier(nn.Module):
    """`nn.TransformerEncoder` over patches."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 48, 8, 8)
        layer = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(48, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        logits: torch.Tensor = self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(1))
        return logits


def transformer_encoder(classes: int = 10) -> nn.Module:
    """PyTorch's own transformer encoder, for images of 32 pixels."""
    return _EncoderClassifier(classes)


def lenet(classes: int = 10) -> nn.Module:
    """A small convolutional network for grey images of 28 pixels that ends with a log-softmax."""
    model = nn.Sequential(
        nn.Conv2d(1, 8, 5),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 5),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 64),
        nn.Sigmoid(),
        nn.Linear(64, classes),
        nn.LogSoftmax(dim=1),
    )
    with torch.no_grad():  # fresh weights are so small that the image hardly moves the logits
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def vgg(classes: int = 10) -> nn.Module:
    """torchvision's VGG head: an adaptive pool to 7x7 and fully connected layers; for images of 56 pixels."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (8, 16, 24):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(True), nn.MaxPool2d(2, 2)]
        channels = width
    head = [nn.Linear(24 * 49, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, classes)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((7, 7)), nn.Flatten(1), *head)


class _SpatialTransformer(nn.Module):
    """A network that turns and scales the image before it looks at it, as is common for traffic signs."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.localize = nn.Sequential(
            nn.Conv2d(3, 8, 7), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(8, 10, 5), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(160, 24), nn.ReLU(), nn.Linear(24, 6), nn.Tanh(),
        )  # fmt: skip
        self.classify = nn.Sequential(
            nn.Conv2d(3, 12, 5), nn.LeakyReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(12), nn.Conv2d(12, 16, 3),
            nn.LeakyReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(576, 48), nn.ReLU(), nn.Linear(48, classes),
        )  # fmt: skip
        self.register_buffer("upright", torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The classes of what the grid selects."""
        theta = (self.upright + 0.3 * self.localize(x)).view(-1, 2, 3)
        grid = nn.functional.affine_grid(theta, list(x.shape), align_corners=False)
        y: torch.Tensor = self.classify(nn.functional.grid_sample(x, grid, align_corners=False))
        return y


def spatial_transformer(classes: int = 10) -> nn.Module:
    """A spatial transformer for signs of 32 pixels."""
    return _SpatialTransformer(classes)


class _Rows(nn.Module):
    """A recurrent network that reads a grey image row by row."""

    def __init__(self, recurrent: nn.RNNBase, classes: int) -> None:
        super().__init__()
        self.recurrent = recurrent
        width = recurrent.hidden_size * (2 if recurrent.bidirectional else 1)
        self.classify = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The classes of the state after the last row."""
        states, _ = self.recurrent(x.squeeze(1))
        y: torch.Tensor = self.classify(states[:, -1])
        return y


def row_lstm(classes: int = 10) -> nn.Module:
    """Two layers of LSTM over the rows of a digit."""
    return _Rows(nn.LSTM(28, 24, 2, batch_first=True), classes)


def row_gru(classes: int = 10) -> nn.Module:
    """A GRU that reads a digit in both directions."""
    return _Rows(nn.GRU(28, 16, batch_first=True, bidirectional=True), classes)
