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
from ninspect.runtime.session import Device, first_line, open_model

_MEMORY = 256 * 1024**2
_MOST_ROWS = 256


class Tail:
    """Logits and gradients of inner activations.

    The classifier is cut in its middle, see `middle`.

    Args:
        classifier: the checked model.
        batch: how many activations a run takes; None if any number.
        device: where to run.

    Attributes:
        nonnegative: no image can make the activation negative.

    Raises:
        ModelError: there is no tensor to cut at, or ONNX Runtime refuses the rest of the model.
    """

    def __init__(self, classifier: Classifier, batch: int | None, device: Device) -> None:
        model, self._activation = middle(classifier.expanded, classifier.input, classifier.logits)
        self.nonnegative = never_negative(self._activation)
        self._classes, self._batch = classifier.classes, batch
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
        step = self._batch or max(1, min(_MOST_ROWS, _MEMORY // (8 * 4 * math.prod(self.shape))))
        for start in range(0, len(activations), step):
            batch, asked = activations[start : start + step], classes[start : start + step]
            real, missing = len(batch), (self._batch or 0) - len(batch)
            if missing > 0:
                batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            z, g = self._run(batch, np.resize(asked, (1, len(batch))))
            logits.append(z[:real])
            gradients.append(g[0, :real])
        return np.concatenate(logits).astype(np.float32), np.concatenate(gradients).astype(np.float32)

    def _run(self, batch: NDArray[np.float32], asked: NDArray[np.int64]) -> list[NDArray[Any]]:
        assert self._activation.dtype is not None
        inputs = {self.name: batch.astype(self._activation.dtype.numpy()), CLASSES: asked}
        try:
            return list(self._session.run([LOGITS, GRADIENT], inputs))
        except Exception as error:  # ONNX Runtime's exception types share no base class
            raise ModelError(f"ONNX Runtime cannot run the model: {first_line(error)}") from error
