"""A classifier in ONNX Runtime: logits, and gradients of class objectives, of images in pixel space."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.gradient import CLASSES, GRADIENT, OBJECTIVE, GradientKind, Objective
from ninspect.machine import allowed_cores
from ninspect.model import Classifier
from ninspect.model.head import last_linear
from ninspect.model.outputs import refuse_rows
from ninspect.names import Device
from ninspect.preprocess import InputMap, Preprocess
from ninspect.runtime.graphs import asked_for, forward_model, gradient_model
from ninspect.runtime.memory import LIVE_COTANGENTS, forward_values
from ninspect.runtime.plan import CACHED, DEFAULT_BUDGET, Budget, Plan, workers
from ninspect.runtime.second_half import Tail
from ninspect.runtime.session import open_model, run, uses_cuda
from ninspect.runtime.weights import hold_weights

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")
Pixels = NDArray[np.float32]  # [N, H, W, C] in [0, 1], RGB or grey


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
        budget: what one run may hold in memory.

    >>> import numpy as np, ninspect
    >>> network = ninspect.open_network("models/digits/clean_torch.onnx")
    >>> network.logits(np.zeros((2, 28, 28, 1), np.float32)).shape
    (2, 10)

    Raises:
        UnsupportedOperatorError: an operator has no gradient rule.
        ModelError: ONNX Runtime refuses the model.
        UsageError: the device cannot be used.
    """

    def __init__(
        self,
        classifier: Classifier,
        input_map: InputMap,
        device: Device = "auto",
        budget: Budget = DEFAULT_BUDGET,
    ) -> None:
        self.classifier = classifier
        self.input_map = input_map
        self._device: Device = device
        self._budget = budget
        self._sessions: dict[str, Any] = {}
        values = forward_values(classifier.model)
        self._bytes = sum(values), LIVE_COTANGENTS * max(values)
        self._workers = 1 if uses_cuda(device) else workers(allowed_cores(), self._bytes[1], budget)
        self._pool = ThreadPoolExecutor(self._workers)  # its threads live as long as the network
        hold_weights(classifier.model)
        self._forward = self._open(forward_model(classifier))

    def with_preprocess(self, settings: Preprocess) -> Network:
        """The same model, in the same sessions, with other settings for its pixels.

        Raises:
            UsageError: the settings do not fit the number of channels.
        """
        _ = self.plan  # found by asking the model, once for all that share it
        other = copy.copy(self)
        other.input_map = InputMap.of(settings, self.input_map.layout, self.input_map.dtype)
        return other

    def with_model(self, model: ir.Model) -> Network:
        """Another model with the same inputs and tensors, for the same pixels on the same device.

        Raises:
            ModelError: ONNX Runtime refuses it.
        """
        return Network(replace(self.classifier, model=model), self.input_map, self._device, self._budget)

    @property
    def device(self) -> Device:
        """Where it was asked to run."""
        return self._device

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
        logits = self._forward_outputs(pixels, self.classifier.logits)
        return logits.reshape(-1, self.classes).astype(np.float32)

    def scores(self, pixels: Pixels) -> NDArray[Any]:
        """The model's own output, `[N, …]`: scores of all classes, one score, sorted scores or labels."""
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

        def explain(part: tuple[slice, slice]) -> Gradients:
            images, chosen = part
            batch, real = self._input(pixels[images]), images.stop - images.start
            asked = np.repeat(classes[chosen, None], len(batch), axis=1)
            value, gradient = self._differentiate(session, batch, asked)
            return Gradients(images, chosen, value[:, :real], gradient[:, :real])

        parts = (
            (images, chosen)
            for images in self.plan.images(len(pixels), len(classes))
            for chosen in self.plan.classes(len(classes), self.plan.batch or images.stop - images.start)
        )
        return self._in_order(explain, parts)

    def jacobian(
        self, pixels: Pixels, classes: NDArray[np.int64], objective: Objective = "logit"
    ) -> NDArray[np.float32]:
        """All pieces of `gradients` in one array, `[S, N, H, W, C]`."""
        result = np.empty((len(classes), *pixels.shape), np.float32)
        for part in self.gradients(pixels, classes, objective):
            result[part.classes, part.images] = part.pixels
        return result

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

        def explain(images: slice) -> tuple[NDArray[np.float32], Pixels]:
            batch, real = self._input(pixels[images]), images.stop - images.start
            value, gradient = self._differentiate(session, batch, np.resize(classes[images], (1, len(batch))))
            return value[0, :real], gradient[0, :real]

        values, gradients = zip(*self._in_order(explain, self.plan.images(len(pixels))), strict=True)
        return np.concatenate(values), np.concatenate(gradients)

    def _differentiate(
        self, session: Any, batch: NDArray[Any], classes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], Pixels]:
        """Objective `[S, N]` and pixel gradient `[S, N, H, W, C]` of the classes `[S, N]` at model inputs."""
        inputs = self.classifier.feeds(batch) | {CLASSES: classes}
        value, gradient = run(session, [OBJECTIVE, GRADIENT], inputs)
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
        return Tail(self.classifier, self.batch, self._device, self._budget)

    @property
    def batch(self) -> int | None:
        """Images the model takes at a time; None if any number."""
        return self._batch[0]

    @cached_property
    def _batch(self) -> tuple[int | None, str]:
        """Images the model takes at a time, and why it is not what the file says.

        A batch axis is not taken on trust: graphs with a fixed batch inside, or whose images influence each other,
        answer differently for two images than for each alone. They are run one image at a time.

        Raises:
            ModelError: they influence each other, and the model takes several at a time.
        """
        size = self.classifier.batch
        noise = np.random.default_rng(0).random((size or 2, *self.input_map.image_shape), dtype=np.float32)
        rows = self.input_map.to_model(noise)
        ends = [np.repeat(rows[i : i + 1], size or 1, axis=0) for i in (0, len(rows) - 1)]
        first, last = (self._rows(end)[0] for end in ends)
        if size == 1:
            return 1, ""
        try:
            together = self._rows(rows)
        except ModelError:
            if size is not None:
                raise
            return 1, "two images cannot go through the model together, so they go one at a time"
        if np.allclose(together[[0, -1]], [first, last], rtol=1e-3, atol=1e-3, equal_nan=True):
            return size, ""
        if size is not None:
            raise ModelError(f"the {size} images of a batch change each other's scores; export the model for one image")
        return 1, "images of a batch change each other's scores, so they go through one at a time"

    def _rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Logits `[N, K]` of model inputs.

        Raises:
            ModelError: there are more or fewer than one row for an image.
        """
        (logits,) = run(self._forward, [self.classifier.logits], self.classifier.feeds(rows))
        refuse_rows(self.classifier.output, len(rows), logits.size / self.classes)
        return np.asarray(logits.reshape(-1, self.classes))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of how images reach the model, in sentences without their full stop."""
        return (*self.classifier.remarks, *([self._batch[1]] if self._batch[1] else []))

    @cached_property
    def plan(self) -> Plan:
        """How many images and classes go together.

        The backward pass needs most forward values until its end, and a few of the largest cotangents at a time.
        """
        budget = self._budget
        if self.provider == "CPUExecutionProvider":
            budget = replace(budget, rows=min(budget.rows, CACHED))
        return Plan(self.batch, *self._bytes, budget, self._workers)

    def _input(self, pixels: Pixels) -> NDArray[Any]:
        """The model's input for the images of one run."""
        return self.plan.filled(self.input_map.to_model(pixels))

    def _forward_outputs(self, pixels: Pixels, name: str) -> NDArray[Any]:
        """A row for each image, `[N, …]`.

        Raises:
            ModelError: the rows of the logits are not images.
        """

        def ask(part: slice) -> NDArray[Any]:
            batch = self._input(pixels[part])
            (output,) = run(self._forward, [name], self.classifier.feeds(batch))
            if name == self.classifier.logits:
                refuse_rows(self.classifier.output, len(batch), output.size / self.classes)
            rows: NDArray[Any] = output.reshape(len(batch), -1)
            return rows[: part.stop - part.start]

        found = list(self._in_order(ask, self.plan.images(len(pixels))))
        return np.concatenate(found) if found else np.empty((0, self.classes), np.float32)

    def _gradient_session(self, objective: Objective) -> Any:
        if objective not in self._sessions:
            self._sessions[objective] = self._open(
                asked_for(gradient_model(self.classifier, objective), OBJECTIVE, GRADIENT)
            )
        return self._sessions[objective]

    def _open(self, model: ir.Model) -> Any:
        return open_model(model, self._device, threads=1 if self._workers > 1 else None)

    def _in_order(self, function: Callable[[_Item], _Found], items: Iterable[_Item]) -> Iterator[_Found]:
        """What a function returns for each item, in order: as many at a time as there are workers, none far ahead."""
        running = deque[Future[_Found]]()
        for item in items:
            running.append(self._pool.submit(function, item))
            if len(running) > self._workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
