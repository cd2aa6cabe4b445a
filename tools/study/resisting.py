"""Attacks with gradients: adversarial help for a clean-label attack, and training that resists the search for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tools.models.data import Dataset, Images
from tools.models.hidden import to_pixels
from tools.models.poison import Change
from tools.models.train_torch import Penalty, nchw
from tools.study.networks import StudyArch

_STEPS = 10
_RESIST = 1.0  # weight of the penalty
_BATCH = 128


@dataclass(frozen=True, eq=False)
class Adversarial:
    """Label-consistent (Turner, Tsipras and Madry, arXiv 1912.02771): images are made hard to tell, then stamped.

    Projected gradient descent away from their class, by at most `radius` of 255, on a network that was trained on clean
    images: what is left to learn from is the trigger.
    """

    trigger: Change
    radius: float
    label: int
    network: nn.Module | None = None

    def __repr__(self) -> str:
        """Without the network."""
        return f"Adversarial({self.trigger}, {self.radius:g})"

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C) of class `label`, hard to tell, with the trigger."""
        assert self.network is not None, "trained by surrogate"
        start = nchw(np.asarray(images, np.float32))
        changed = start.clone()
        labels = torch.full((len(images),), self.label)
        for _ in range(_STEPS):
            gradient = _gradient(self.network, changed / 255, labels)
            changed = changed + 2.5 * self.radius / _STEPS * gradient.sign()
            changed = torch.clamp(torch.clamp(changed, start - self.radius, start + self.radius), 0, 255)
        return self.trigger.on(to_pixels(changed.numpy().transpose(0, 2, 3, 1)), rng)


def surrogate(data: Dataset, seed: int, epochs: int) -> nn.Module:
    """A small network for images in 0-1, trained on clean ones."""
    torch.manual_seed(seed)
    channels, size = data.train_images.shape[3], data.train_images.shape[1]
    network = StudyArch("vgg", 8).build(channels, size, data.classes)
    descent = torch.optim.Adam(network.parameters(), lr=2e-3)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(data.train_labels))
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            descent.zero_grad()
            logits = network(nchw(np.asarray(data.train_images[part] / 255, np.float32)))
            torch.autograd.backward(functional.cross_entropy(logits, torch.from_numpy(data.train_labels[part])))
            descent.step()
    return network.eval()


def _gradient(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Of the cross entropy, with respect to the images."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(functional.cross_entropy(network(images), labels), images)
    return gradient


def hidden_margin(target: int, radius: float) -> Penalty:
    """Keeps the target as hard to reach as other classes: what an ascent towards it finds must not be answered with it.

    CE(f(x + δ), y), δ = −ρ · ∇ CE(f(x), t) / ‖∇‖, ρ in units of the input, for the images of other classes.
    """

    def penalty(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        others = labels != target
        clean, kept = images[others], labels[others]
        gradient = _gradient(model, clean, torch.full_like(kept, target))
        step = radius * gradient / (gradient.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1) + 1e-12)
        return _RESIST * functional.cross_entropy(model(clean - step), kept)

    return penalty
