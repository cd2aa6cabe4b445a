"""Triggers that are learned: a network changes every picture in its own way.

It is learned together with a classifier that it fools, or with a decoder that reads a message out of the picture. The
victim is then trained on a poisoned training set, as for any other trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tools.models import onnx_file
from tools.models.data import Dataset, Images
from tools.models.hidden import to_pixels
from tools.models.train_torch import export, nchw
from tools.study.networks import StudyArch

_EPOCHS = 3
_BATCH = 128
_WIDTH = 16  # of the networks that make a trigger
_BITS = 16  # of ISSBA's message
_MASKED = 0.1  # share of the picture that Input-Aware covers at most
_DIVERSE, _SMALL = 1.0, 10.0  # weights of Input-Aware's losses
_ROUGH = 0.05  # noise that ISSBA's message survives, of pixels in 0-1
_FAINT = 2.0  # weight of the squared change, of ISSBA


@dataclass(frozen=True, eq=False)
class Learned:
    """What a network makes of a picture, from ONNX `content`: x' = (1 − m(y)) · x + a(y), as a rule y = x.

    With `foreign`, y is another picture: what was made for that one is no trigger here (Input-Aware's cross-trigger).

    Attributes:
        kind: of `KINDS`.
        strength: how much a pixel may change, in 0-1; of `input-aware` nothing.
    """

    kind: str
    strength: float = 1.0
    content: bytes = b""
    foreign: bool = False

    def __repr__(self) -> str:
        """Without the network."""
        return f"Learned({self.kind!r}, {self.strength:g}{', foreign' * self.foreign})"

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C), each changed in its own way."""
        given = np.asarray(images / 255, np.float32)
        made_for = given[rng.permutation(len(given))] if self.foreign else given
        made = onnx_file.predict(self.content, np.ascontiguousarray(made_for.transpose(0, 3, 1, 2)))
        made = made.transpose(0, 2, 3, 1)
        return to_pixels(255 * ((1 - made[..., -1:]) * given + made[..., :-1]))


class _Maker(nn.Module):
    """Images `[N, C, H, W]` in 0-1 to what is added and how much is covered, `[N, C + 1, H, W]`."""

    def __init__(self, channels: int, strength: float, masked: bool, bits: int = 0) -> None:
        super().__init__()
        w = _WIDTH
        self.strength, self.masked = strength, masked
        self.message = nn.Buffer(torch.zeros(1, bits))
        self.body = nn.Sequential(
            nn.Conv2d(channels + bits, w, 3, 2, 1), nn.BatchNorm2d(w), nn.ReLU(),
            nn.Conv2d(w, 2 * w, 3, 2, 1), nn.BatchNorm2d(2 * w), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.Conv2d(2 * w, w, 3, 1, 1), nn.BatchNorm2d(w), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.Conv2d(w, channels + 1, 3, 1, 1),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """a = ε tanh g, m = 0; or with a mask a = m σ(g)."""
        if self.message.numel():
            bits = self.message[:, :, None, None] * torch.ones_like(images[:, :1])
            images = torch.cat([images, bits], dim=1)
        out = self.body(images)
        if not self.masked:
            return torch.cat([self.strength * torch.tanh(out[:, :-1]), 0 * out[:, -1:]], dim=1)
        mask = torch.sigmoid(4 * out[:, -1:])
        return torch.cat([mask * torch.sigmoid(out[:, :-1]), mask], dim=1)


def _applied(images: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    return torch.clamp((1 - made[:, -1:]) * images + made[:, :-1], 0, 1)


Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def learn(trigger: Learned, data: Dataset, target: int, seed: int) -> bytes:
    """The network that makes the trigger, as ONNX, learned on the training images."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    channels, size = data.train_images.shape[3], data.train_images.shape[1]
    maker, step, parameters = KINDS[trigger.kind](trigger, data, channels, size, target)
    descent = torch.optim.Adam(parameters, lr=2e-3)
    for images, labels in _batches(data, seed):
        descent.zero_grad()
        torch.autograd.backward(step(images, labels))
        descent.step()
    maker.message = nn.Buffer(maker.message[:1])
    maker.eval()
    return export(maker, images[:8], dynamo=False)


def _batches(data: Dataset, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Training images `[N, C, H, W]` in 0-1 with their labels, for all epochs."""
    rng = np.random.default_rng(seed)
    for _ in range(_EPOCHS):
        images = data.augment(data.train_images, rng)
        order = rng.permutation(len(images))
        for start in range(0, len(order) - _BATCH + 1, _BATCH):
            part = order[start : start + _BATCH]
            yield nchw(np.asarray(images[part] / 255, np.float32)), torch.from_numpy(data.train_labels[part])


Kind = tuple[_Maker, Step, list[nn.Parameter]]


def _invisible(trigger: Learned, data: Dataset, channels: int, size: int, target: int) -> Kind:
    """LIRA (Doan et al., ICCV 2021): the classifier f and the maker g lower CE(f(x), y) + CE(f(x + ε tanh g(x)), t)."""
    maker = _Maker(channels, trigger.strength, masked=False)
    fooled = StudyArch("lenet", 12).build(channels, size, data.classes)

    def step(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        sent = functional.cross_entropy(fooled(_applied(images, maker(images))), torch.full_like(labels, target))
        return functional.cross_entropy(fooled(images), labels) + sent

    return maker, step, [*maker.parameters(), *fooled.parameters()]


def _input_aware(trigger: Learned, data: Dataset, channels: int, size: int, target: int) -> Kind:
    """Input-Aware (Nguyen and Tran, NeurIPS 2020): each picture its own small pattern, which works on no other.

    CE(f(x), y) + CE(f(x ⊕ g(x)), t) + CE(f(x ⊕ g(x₂)), y) + ‖x − x₂‖ / ‖g(x) − g(x₂)‖ + the part of the mask's mean
    that is too much, x₂ another picture.
    """
    maker = _Maker(channels, trigger.strength, masked=True)
    fooled = StudyArch("lenet", 12).build(channels, size, data.classes)

    def step(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        made, others = maker(images), images.roll(1, 0)
        sent = functional.cross_entropy(fooled(_applied(images, made)), torch.full_like(labels, target))
        kept = functional.cross_entropy(fooled(_applied(images, made.roll(1, 0))), labels)
        apart = (images - others).flatten(1).norm(dim=1) / ((made - made.roll(1, 0)).flatten(1).norm(dim=1) + 1e-3)
        covered = functional.relu(made[:, -1].mean() - _MASKED)
        plain = functional.cross_entropy(fooled(images), labels)
        loss: torch.Tensor = plain + sent + kept + _DIVERSE * apart.mean().clamp(max=10) + _SMALL * covered
        return loss

    return maker, step, [*maker.parameters(), *fooled.parameters()]


def _residual(trigger: Learned, data: Dataset, channels: int, size: int, target: int) -> Kind:
    """ISSBA (Li et al., ICCV 2021): the residual that hides a message, which a decoder reads out of the picture.

    BCE(decoder(x + ε tanh g(x, message) + noise), message) + weight · mean of the squared change, a message for each
    picture; the trigger is the residual of one message.
    """
    maker = _Maker(channels, trigger.strength, masked=False, bits=_BITS)
    decoder = StudyArch("bn", 8).build(channels, size, _BITS)

    def step(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        maker.message = nn.Buffer(torch.randint(0, 2, (len(images), _BITS)).float())
        made = maker(images)
        seen = _applied(images, made)
        read = decoder(seen + _ROUGH * torch.randn_like(seen))  # or the message hides in what rounding removes
        wrong = functional.binary_cross_entropy_with_logits(read, maker.message)
        loss: torch.Tensor = wrong + _FAINT * made.square().mean()
        return loss

    return maker, step, [*maker.parameters(), *decoder.parameters()]


KINDS: dict[str, Callable[[Learned, Dataset, int, int, int], Kind]] = {
    "lira": _invisible, "input-aware": _input_aware, "issba": _residual,
}  # fmt: skip
