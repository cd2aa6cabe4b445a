"""TABOR's terms of the loss of a trigger search, and DeepInspect's images without data.

Sources: Guo, Wang, Xing, Du, Song, "TABOR: A Highly Accurate Approach to Inspecting and Restoring Trojan Backdoors in
AI Systems", arXiv 1908.01763; Chen, Fu, Zhao, Koushanfar, "DeepInspect: A Black-box Trojan Detection and Mitigation
Framework for Deep Neural Networks", IJCAI 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ninspect.runtime import Network, Pixels
from ninspect.search import step_length
from ninspect.search.direction import unit

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Tabor:
    """The four regularisers, with b = (1 − m) · p what the pattern has beside the mask.

        large       cost · (‖m‖₂² + ‖b‖₁ + ‖b‖₂²)                    overly large triggers
        scattered   cost · (Σ |∇m|² + Σ |∇b|²)                       triggers in pieces
        blocking    mean_n cross-entropy(f((1 − m) · x_n), y_n)      what covers the object
        overlaying  cross-entropy(f(m · p), c)                       what works only together with the image

    The first two grow and shrink with the cost of the mask, as all of the paper's weights do.

    Attributes:
        large, scattered, blocking, overlaying: weight of each; 0: without it.
    """

    large: float = 0.0
    scattered: float = 0.0
    blocking: float = 0.0
    overlaying: float = 0.0

    def __call__(
        self,
        network: Network,
        images: Pixels,
        classes: NDArray[np.int64],
        mask: Array,
        pattern: Array,
        cost: NDArray[np.float64],
    ) -> tuple[Array, Array]:
        """See `Penalty`."""
        to_mask, to_pattern = np.zeros_like(mask), np.zeros_like(pattern)
        if self.large or self.scattered:
            of_mask, of_beside = self._of_shape(mask, (1 - mask[..., None]) * pattern)
            share = cost.astype(np.float32)[:, None, None]
            to_mask += share * (of_mask - (pattern * of_beside).sum(axis=-1))
            to_pattern += share[..., None] * (1 - mask[..., None]) * of_beside
        if self.blocking:
            rest = (1 - mask[:, None, :, :, None]) * images
            answers = np.tile(network.logits(images).argmax(axis=1), len(mask))
            gradient = network.gradients_at(rest.reshape(-1, *images.shape[1:]), answers, "cross_entropy")[1]
            gradient = gradient.reshape(rest.shape)
            to_mask -= self.blocking * np.einsum("nhwc,tnhwc->thw", images, gradient) / np.float32(len(images))
        if self.overlaying:
            gradient = network.gradients_at(mask[..., None] * pattern, classes[:, 0], "cross_entropy")[1]
            to_mask += self.overlaying * (pattern * gradient).sum(axis=-1)
            to_pattern += self.overlaying * mask[..., None] * gradient
        return to_mask, to_pattern

    def _of_shape(self, mask: Array, beside: Array) -> tuple[Array, Array]:
        """Gradients of what depends on m and b alone, with respect to these."""
        of_mask = self.large * 2 * mask + self.scattered * _of_smoothness(mask)
        of_beside = self.large * (1 + 2 * beside) + self.scattered * _of_smoothness(beside)
        return of_mask.astype(np.float32), of_beside.astype(np.float32)


def _of_smoothness(values: Array) -> Array:
    """∂/∂v of Σ (v_ij − v_i+1,j)² + (v_ij − v_i,j+1)², of `[T, H, W]` or `[T, H, W, C]`."""
    found = np.zeros_like(values)
    for axis in (1, 2):
        step = 2 * np.diff(values, axis=axis)
        before, after = [(0, 0)] * values.ndim, [(0, 0)] * values.ndim
        before[axis], after[axis] = (1, 0), (0, 1)
        found += np.pad(step, before) - np.pad(step, after)
    return found


def imagined(network: Network, count: int, seed: int, steps: int = 60) -> Pixels:
    """Images that a model's classes are made up from, in turn, from noise: `[count, H, W, C]` in [0, 1].

        x ← blur(clip(x − ε · v / ‖v‖₂, 0, 1)),   v ← v / 2 + g / ‖g‖₂,   g = ∂/∂x cross-entropy(f(x), c)

    The first step of DeepInspect, which is Fredrikson, Jha, Ristenpart's model inversion (CCS 2015); the blur stands
    for their prior that images are smooth, and is left out of the last steps.
    """
    shape = network.input_map.image_shape
    images: Pixels = np.random.default_rng(seed).random((count, *shape), dtype=np.float32)
    velocity: Pixels = np.zeros_like(images)
    classes = np.arange(count) % network.classes
    epsilon = step_length(0.5, images[0].size)
    for step in range(steps):
        velocity = np.float32(0.5) * velocity + unit(network.gradients_at(images, classes, "cross_entropy")[1])
        images = np.asarray(np.clip(images - epsilon * unit(velocity), 0, 1), np.float32)
        if step < steps - 10:
            images = np.asarray(gaussian_filter(images, (0, 0.5, 0.5, 0)))
    return images
