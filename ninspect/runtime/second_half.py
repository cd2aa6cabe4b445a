"""The second half of a classifier: what the logits make of an inner activation, whether an image causes it or not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.gradient import CLASSES, GRADIENT, LOGITS, differentiate
from ninspect.gradient.builder import differentiable_path
from ninspect.graph.cut import cut
from ninspect.graph.expansions import expanded
from ninspect.model import Classifier
from ninspect.runtime.session import Device, first_line, open_model

_LAYERS = ("Conv", "Gemm", "MatMul")
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Exp", "Abs")
# Never negative where what they read is not.
_SIGN_KEEPING = (
    *("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Dropout", "Concat", "Add"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean"),
)
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
        model, self._activation = middle(classifier)
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


def middle(classifier: Classifier) -> tuple[ir.Model, ir.Value]:
    """The model after its middle, and the tensor there.

    Only a tensor that every path from the image to the logits goes through can be cut at. Among these the one with the
    number of Conv, Gemm and MatMul before it nearest to half of all of them, and at least one before and behind; then
    one that is never negative; then the last of them.

    Raises:
        ModelError: there is none.
    """
    model = expanded(classifier.model)
    image = next(value for value in model.graph.inputs if value.name == classifier.input)
    logits = next(v for node in model.graph for v in node.outputs if v.name == classifier.logits)
    path = differentiable_path(model.graph, image, logits)
    layers = sum(node.op_type in _LAYERS for node in path)
    inside = [(value, depth) for value, depth in _bottlenecks(path, image) if 0 < depth < layers and _fits(value)]
    ranked = sorted(
        enumerate(inside),
        key=lambda item: (abs(item[1][1] - layers / 2), not never_negative(item[1][0]), -item[0]),
    )
    for _, (value, _) in ranked:
        rest = cut(model, str(value.name))
        if [v.name for v in rest.graph.inputs] == [value.name]:
            return rest, value
    raise ModelError("no inner tensor of the model carries all that the logits depend on, so it cannot be cut")


def _bottlenecks(path: list[ir.Node], image: ir.Value) -> Iterator[tuple[ir.Value, int]]:
    """Tensors that every path goes through, with the number of layers before each.

    In graph order everything before such a tensor comes first and everything behind it after, so it is the only one
    that is still to be read when its node is done.
    """
    last_read = {value: i for i, node in enumerate(path) for value in node.inputs if value is not None}
    live, depth = {image}, 0
    for i, node in enumerate(path):
        depth += node.op_type in _LAYERS
        live.update(value for value in node.outputs if last_read.get(value, i) > i)
        live = {value for value in live if last_read[value] > i}
        if len(live) == 1:
            yield next(iter(live)), depth


def _fits(value: ir.Value) -> bool:
    """Whether the first axis is the batch and the others are known."""
    shape = value.shape
    return shape is not None and len(shape) > 1 and all(isinstance(d, int) for d in shape[1:])


def never_negative(value: ir.Value) -> bool:
    """Whether the operators that make a tensor leave no negative values."""
    node = value.producer()
    if node is None:
        return False
    if node.op_type == "Clip":
        bound = node.inputs[1] if len(node.inputs) > 1 else None
        low = None if bound is None else ir.convenience.get_const_tensor(bound)
        return low is not None and float(low.numpy()) >= 0
    if node.op_type in _SIGN_KEEPING:
        sources = node.inputs if node.op_type in ("Concat", "Add") else node.inputs[:1]
        return all(source is not None and never_negative(source) for source in sources)
    return node.op_type in _NEVER_NEGATIVE
