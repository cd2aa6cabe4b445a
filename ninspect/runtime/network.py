"""A classifier in ONNX Runtime: logits, and gradients of class objectives, of images in pixel space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.gradient import CLASSES, GRADIENT, LOGITS, OBJECTIVE, GradientKind, Objective, differentiate
from ninspect.model import Classifier
from ninspect.model.head import last_linear
from ninspect.preprocess import InputMap
from ninspect.runtime.memory import LIVE_COTANGENTS, forward_values
from ninspect.runtime.second_half import Tail
from ninspect.runtime.session import Device, first_line, open_model
from ninspect.runtime.weights import check_and_write, hold_weights

Pixels = NDArray[np.float32]  # [N, H, W, C] in [0, 1], RGB or grey

# Rows (images x classes) that one run may hold, by memory and by what still speeds the CPU up.
_MEMORY = 512 * 1024**2
_MOST_ROWS = 256


@dataclass(frozen=True)
class Gradients:
    """Gradients of some classes at some images.

    Attributes:
        images: which of the images that were asked for, N of them.
        classes: which of the classes that were asked for, S of them.
        objective: `[S, N]` float32, value of the objective.
        pixels: `[S, N, H, W, C]` float32, its derivative with respect to the pixels in [0, 1].
    """

    images: slice
    classes: slice
    objective: NDArray[np.float32]
    pixels: NDArray[np.float32]


class Network:
    """A classifier that answers for arrays of pixels; everything that detectors know of ONNX Runtime.

    Args:
        classifier: the checked model.
        input_map: how pixels become its input.
        device: where to run.

    Raises:
        UnsupportedOperatorError: an operator has no gradient rule.
        ModelError: ONNX Runtime refuses the model.
        UsageError: the device cannot be used.
    """

    def __init__(self, classifier: Classifier, input_map: InputMap, device: Device = "auto") -> None:
        self.classifier = classifier
        self.input_map = input_map
        self._device: Device = device
        self._sessions: dict[str, Any] = {}
        hold_weights(classifier.model)
        self._forward = open_model(_forward_model(classifier), device)

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider in use, such as `CPUExecutionProvider`."""
        return str(self._forward.get_providers()[0])

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return self.classifier.classes

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """Class scores before the final activation, `[N, K]`."""
        return self._forward_outputs(pixels, self.classifier.logits)

    def scores(self, pixels: Pixels) -> NDArray[np.float32]:
        """The model's own output, after the final activation, `[N, K]`."""
        return self._forward_outputs(pixels, self.classifier.scores)

    def gradients(
        self, pixels: Pixels, classes: NDArray[np.int64], objective: Objective = "logit"
    ) -> Iterator[Gradients]:
        """Gradients of every class at every image, in pieces that fit in memory.

        Args:
            pixels: `[N, H, W, C]` float32 in [0, 1].
            classes: `[S]` class indices.
            objective: what is differentiated.
        """
        session = self._gradient_session(objective)
        for images in self._parts(len(pixels), len(classes)):
            batch = self._input(pixels[images])
            real = images.stop - images.start
            for chosen in _slices(len(classes), max(1, self._rows // len(batch))):
                asked = np.repeat(classes[chosen, None], len(batch), axis=1)
                value, gradient = self._differentiate(session, batch, asked)
                yield Gradients(images, chosen, value[:, :real], gradient[:, :real])

    def gradients_at(
        self, pixels: Pixels, classes: NDArray[np.int64], objective: Objective = "logit"
    ) -> tuple[NDArray[np.float32], Pixels]:
        """The gradient of one class at each image.

        Args:
            pixels: `[N, H, W, C]` float32 in [0, 1].
            classes: `[N]`, the class to explain at each image.
            objective: what is differentiated.

        Returns:
            Value of the objective, `[N]`, and its derivative with respect to the pixels, `[N, H, W, C]`.
        """
        session = self._gradient_session(objective)
        values, gradients = [], []
        for images in self._parts(len(pixels), 1):
            batch = self._input(pixels[images])
            asked = np.resize(classes[images], (1, len(batch)))
            value, gradient = self._differentiate(session, batch, asked)
            values.append(value[0, : images.stop - images.start])
            gradients.append(gradient[0, : images.stop - images.start])
        return np.concatenate(values), np.concatenate(gradients)

    def _differentiate(
        self, session: Any, batch: NDArray[Any], classes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], Pixels]:
        """Objective `[S, N]` and pixel gradient `[S, N, H, W, C]` of the classes `[S, N]` at model inputs."""
        inputs = {self.classifier.input: batch, CLASSES: classes}
        value, gradient = self._run(session, [OBJECTIVE, GRADIENT], inputs)
        shaped = gradient.reshape(*classes.shape, *self.input_map.layout.input_shape)
        return value.astype(np.float32), self.input_map.to_pixels(shaped)

    @property
    def gradient_kind(self) -> GradientKind | None:
        """How far the gradients are derivatives."""
        return self.classifier.gradient_kind

    @cached_property
    def head(self) -> NDArray[np.float64] | None:
        """Weights of the last linear layer, `[K, d]`; None where the logits are made in another way."""
        return last_linear(self.classifier)

    @cached_property
    def tail(self) -> Tail:
        """The part of the model after its middle.

        Raises:
            ModelError: the model cannot be cut.
        """
        return Tail(self.classifier, self.batch, self._device)

    @cached_property
    def batch(self) -> int | None:
        """Images the model takes at a time; None if any number.

        A free batch axis is not taken on trust: graphs with a fixed batch inside, or whose images influence each
        other, answer differently for two images than for each alone. They are run one image at a time.
        """
        if self.classifier.batch is not None:
            return self.classifier.batch
        two = np.random.default_rng(0).random((2, *self.input_map.image_shape), dtype=np.float32)
        inputs = self.input_map.to_model(two)
        name = self.classifier.input
        alone = [self._run(self._forward, [self.classifier.logits], {name: inputs[i : i + 1]})[0] for i in (0, 1)]
        try:
            together = self._run(self._forward, [self.classifier.logits], {name: inputs})[0]
        except ModelError:
            return 1
        expected = np.concatenate(alone)
        same = together.shape == expected.shape and np.allclose(together, expected, rtol=1e-3, atol=1e-3)
        return None if same else 1

    def _parts(self, count: int, per_image: int) -> Iterator[slice]:
        """Slices of the images: as many as fit when each is explained for `per_image` classes."""
        return _slices(count, self.batch or max(1, min(self._rows // per_image, _MEMORY // sum(self._activations))))

    @cached_property
    def _rows(self) -> int:
        """How many (class, image) pairs one run may hold: a few of the largest cotangents are alive at a time."""
        return max(1, min(_MOST_ROWS, _MEMORY // (LIVE_COTANGENTS * max(self._activations))))

    @cached_property
    def _activations(self) -> list[int]:
        """Bytes of each forward value for one image; the backward pass needs most of them until its end."""
        return forward_values(self.classifier.model)

    def _input(self, pixels: Pixels) -> NDArray[Any]:
        """The model's input for a part of the images, filled up where the model wants a fixed number."""
        x = self.input_map.to_model(pixels)
        missing = (self.batch or 0) - len(x)
        return np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing > 0 else x

    def _forward_outputs(self, pixels: Pixels, name: str) -> NDArray[np.float32]:
        pieces = [np.empty((0, self.classes), np.float32)]  # for no images at all
        for part in self._parts(len(pixels), 1):
            (output,) = self._run(self._forward, [name], {self.classifier.input: self._input(pixels[part])})
            pieces.append(output.reshape(-1, self.classes)[: part.stop - part.start])
        return np.concatenate(pieces).astype(np.float32)

    def _gradient_session(self, objective: Objective) -> Any:
        if objective not in self._sessions:
            self._sessions[objective] = open_model(gradient_model(self.classifier, objective), self._device)
        return self._sessions[objective]

    @staticmethod
    def _run(session: Any, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return list(session.run(outputs, inputs))
        except Exception as error:  # ONNX Runtime's exception types share no base class
            raise ModelError(f"ONNX Runtime cannot run the model: {first_line(error)}") from error


def _forward_model(classifier: Classifier) -> ir.Model:
    """The classifier with its logits and its scores as the only outputs."""
    model = classifier.model.clone()
    values = {value.name: value for node in model.graph for value in node.outputs}
    model.graph.outputs.clear()
    model.graph.outputs.extend(values[name] for name in dict.fromkeys((classifier.logits, classifier.scores)))
    passes.RemoveUnusedNodesPass()(model)
    return model


def gradient_model(classifier: Classifier, objective: Objective = "logit") -> ir.Model:
    """The classifier with its input gradient: what `ninspect augment` writes.

    Raises:
        UnsupportedOperatorError: an operator has no gradient rule.
        ModelError: the logits do not depend on the image.
    """
    model = differentiate(
        classifier.expanded,
        wrt=classifier.input,
        of=classifier.logits,
        count=classifier.classes,
        objective=objective,
        outputs=(classifier.scores,),
    )
    batch = classifier.batch or "N"
    shapes: dict[str | None, list[int | str]] = {
        LOGITS: [batch, classifier.classes],
        OBJECTIVE: ["S", batch],
        GRADIENT: ["S", batch, *classifier.layout.input_shape],
    }
    for output in model.graph.outputs:
        if output.shape is None and output.name in shapes:  # the onnx checker wants them
            output.shape = ir.Shape(shapes[output.name])
    return model


def save_model(model: ir.Model, write: Callable[[bytes], object]) -> None:
    """Check a model with the onnx checker, and write it piece by piece if it passes.

    The model loses its weights.

    Raises:
        ModelError: the model is not valid ONNX.
    """
    try:
        check_and_write(model, write)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the augmented model is not valid ONNX: {first_line(error)}") from error


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
