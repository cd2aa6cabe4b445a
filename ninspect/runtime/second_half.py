"""The second half of a classifier: what the logits make of an inner activation, whether an image causes it or not."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.gradient import CLASSES, GRADIENT, LOGITS, differentiate
from ninspect.gradient.middle import middle, never_negative
from ninspect.model import Classifier
from ninspect.names import Device
from ninspect.runtime.plan import DEFAULT_BUDGET, Budget, Plan
from ninspect.runtime.session import open_model, run

_LIVE = 16  # tensors as large as the activation that a run holds for each, roughly


class Tail:
    """Logits and gradients of inner activations.

    The classifier is cut in its middle, see `middle`.

    Args:
        classifier: the checked model.
        batch: how many activations a run takes; None if any number.
        device: where to run.
        budget: what one run may hold in memory.

    Attributes:
        nonnegative: no image can make the activation negative.
        plan: how many activations go together.

    Raises:
        ModelError: there is no tensor to cut at, or ONNX Runtime refuses the rest of the model.
    """

    def __init__(
        self, classifier: Classifier, batch: int | None, device: Device, budget: Budget = DEFAULT_BUDGET
    ) -> None:
        model, self._activation = middle(classifier.expanded, classifier.input, classifier.logits)
        rows = self._activation.shape[0] if self._activation.shape is not None else None
        if isinstance(rows, int) and rows != batch:
            raise ModelError(f"'{self.name}' has {rows} rows where the model takes {batch} images, so it cannot be cut")
        self.nonnegative = never_negative(self._activation)
        needed = _LIVE * 4 * math.prod(self.shape)
        self.plan = Plan(batch, needed, needed, budget)
        augmented = differentiate(model, self.name, classifier.logits, classifier.classes, "cross_entropy")
        self._session: Any = open_model(augmented, device)

    @property
    def name(self) -> str:
        """Of the tensor that the model is cut at."""
        return str(self._activation.name)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of one activation, without the batch axis."""
        assert self._activation.shape is not None
        return tuple(int(d) for d in self._activation.shape[1:] if isinstance(d, int))

    def gradients_at(
        self, activations: NDArray[np.float32], classes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits, and the derivative of cross-entropy to one class, at each activation.

        Args:
            activations: `[N, *shape]`.
            classes: `[N]`.

        Returns:
            `[N, K]` and `[N, *shape]`, float32.
        """
        logits, gradients = [], []
        for part in self.plan.images(len(activations)):
            batch, real = self.plan.filled(activations[part]), part.stop - part.start
            z, g = self._run(batch, np.resize(classes[part], (1, len(batch))))
            logits.append(z[:real])
            gradients.append(g[0, :real])
        return np.concatenate(logits).astype(np.float32), np.concatenate(gradients).astype(np.float32)

    def _run(self, batch: NDArray[np.float32], asked: NDArray[np.int64]) -> list[NDArray[Any]]:
        assert self._activation.dtype is not None
        inputs = {self.name: batch.astype(self._activation.dtype.numpy()), CLASSES: asked}
        return run(self._session, [LOGITS, GRADIENT], inputs)
