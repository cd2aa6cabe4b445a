"""The two truth tests of every scan: the augmented model is the model, and its gradient is the derivative.

If either fails, nothing that follows can be trusted and the verdict is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.gradient import CLASSES, GRADIENT, OBJECTIVE
from ninspect.measure.calibration import TRUTH_TESTS
from ninspect.runtime import Network, Pixels, open_session, parts
from ninspect.runtime.session import run
from ninspect.search.direction import unit

DIFFERENT = "the converted model does not answer as the file does in ONNX Runtime"
_TRIED = 3  # images of a batch
_IMAGES = 4
_CLASSES = 8
# Half lengths of the line, in root mean square pixel change; over short lines a quantised network is a staircase.
_STEPS = (0.02, 0.005, 0.001, 0.1)
_POINTS = 16


@dataclass(frozen=True)
class TruthTest:
    """Outcome of one truth test.

    Attributes:
        name: `scores` or `gradient`.
        error: relative error, norm of the difference over norm.
        tolerance: the largest error that passes.
    """

    name: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within tolerance; an error that is not a number is not."""
        return bool(self.error <= self.tolerance)


def try_out(network: Network) -> None:
    """Run a network on noise, its gradient, and beside it the file: what cannot be done is found before all else.

    Raises:
        ModelError: the gradient cannot be built, ONNX Runtime refuses or cannot run it, or the converted model answers
            differently from the file.
    """
    pixels = _noise(network, network.batch or _TRIED)
    network.jacobian(pixels, np.zeros(1, np.int64))
    _refuse_other(network, "on noise", network.scores(pixels), original_scores(network, pixels))


def check_augmented(content: bytes, network: Network) -> None:
    """Load an augmented file, and compare it with the original, for one image and for three, or for the batch it takes.

    Args:
        content: of the file, as it will be written.
        network: what it was made of.

    Raises:
        ModelError: ONNX Runtime refuses the model or cannot run it, or it answers differently from the file.
    """
    classifier = network.classifier
    augmented, original = open_session(content, "cpu"), open_session(classifier.file.original, "cpu")
    shared = [output.name for output in original.get_outputs()]
    for count in (1, _TRIED) if network.batch is None else (network.batch,):
        feeds = classifier.file_feeds(network.input_map.to_model(_noise(network, count)))
        expected = run(original, shared, feeds)
        given = {value.name for value in augmented.get_inputs()}
        found = run(
            augmented,
            [*shared, OBJECTIVE, GRADIENT],
            {name: array for name, array in feeds.items() if name in given} | {CLASSES: np.zeros((1, count), np.int64)},
        )
        for name, ours, theirs in zip(shared, found, expected, strict=False):
            keys = classifier.outputs.keys(name)
            _refuse_other(network, f"in the output '{name}'", _as_array(ours, keys), _as_array(theirs, keys))


def _noise(network: Network, count: int) -> Pixels:
    """Random images of bytes."""
    values = np.random.default_rng(0).integers(0, 256, (count, *network.input_map.image_shape))
    return values.astype(np.float32) / np.float32(255)


def _refuse_other(network: Network, where: str, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    """Refuse answers that are not those of the file; what is not a number there is no measure."""
    if theirs.dtype.kind != "f" or not np.isfinite(theirs).all():
        return
    error = relative_error(ours.reshape(theirs.shape), theirs) if ours.size == theirs.size else math.inf
    if not error <= _score_tolerance(network):
        raise ModelError(
            f"{DIFFERENT} {where} (relative error {error:.2g}); please report this model's operators", "SC001"
        )


def check_scores(network: Network, pixels: Pixels) -> TruthTest:
    """The converted model's scores against those of the file's original bytes in ONNX Runtime."""
    some = pixels[:_IMAGES]
    expected = original_scores(network, some)
    given = network.scores(some)
    # Of labels, which need be no numbers, how many are others.
    numbers = expected.dtype.kind == "f" or network.classifier.direct
    error = relative_error(given, expected) if numbers else float(np.mean(given.astype(str) != expected.astype(str)))
    return TruthTest("scores", error, _score_tolerance(network))


def _score_tolerance(network: Network) -> float:
    if _is_quantized(network):
        return TRUTH_TESTS.quantized_scores
    return TRUTH_TESTS.half_scores if network.input_map.dtype.itemsize == 2 else TRUTH_TESTS.scores


def _is_quantized(network: Network) -> bool:
    return network.gradient_kind == "straight-through"


def check_same(content: bytes, network: Network, pixels: Pixels) -> None:
    """Load a file that was made of a network, and compare its scores with those of the network.

    Raises:
        ModelError: ONNX Runtime refuses the file, or it answers differently.
    """
    some = pixels[:_IMAGES]
    _refuse_other(network, "once it is written", scores_of(content, network, some), network.scores(some))


def original_scores(network: Network, pixels: Pixels) -> NDArray[Any]:
    """What the file itself answers in ONNX Runtime, on the CPU, `[N, …]`."""
    return scores_of(network.classifier.file.original, network, pixels)


def scores_of(content: bytes, network: Network, pixels: Pixels) -> NDArray[Any]:
    """What a file with the inputs and outputs of a network's own answers in ONNX Runtime, on the CPU, `[N, …]`."""
    classifier = network.classifier
    session = open_session(content, "cpu")
    x = network.input_map.to_model(pixels)
    pieces = []
    for part in parts(len(x), network.batch or len(x)):
        batch = network.plan.filled(x[part])
        (output,) = run(session, [classifier.output], classifier.file_feeds(batch))
        pieces.append(_as_array(output, classifier.outputs.keys(classifier.output)).reshape(len(batch), -1))
    return np.concatenate(pieces)[: len(x)]


def _as_array(output: Any, keys: Sequence[int | str]) -> NDArray[Any]:
    """Scores as an array; scikit-learn's ZipMap gives one dictionary per image, in the order of its keys."""
    return np.asarray([[row[key] for key in keys] for row in output]) if keys else np.asarray(output)


def check_gradient(network: Network, pixels: Pixels, seed: int) -> TruthTest:
    """Logit differences along a line against the integral of the gradient along it.

    By the fundamental theorem of calculus z(x + hv) − z(x − hv) = ∫ ⟨∂z/∂x, v⟩ dt for t from −h to h. A plain
    difference quotient has no good h in float32: a small one drowns in rounding, a large one crosses kinks of a ReLU
    network. The integral holds across kinks, up to its own quadrature error, so a right gradient agrees at one of
    a few lengths and a wrong one at none.
    """
    generator = np.random.default_rng(seed)
    classes = np.sort(generator.permutation(network.classes)[:_CLASSES])
    some = pixels[:_IMAGES]
    steepest = unit(network.jacobian(some, classes).sum(axis=0))
    random = unit(generator.standard_normal(some.shape, dtype=np.float32))
    direction = unit(steepest + 0.1 * random)  # not the gradient alone: one that is wrongly zero must fail
    tolerance = TRUTH_TESTS.quantized_gradient if _is_quantized(network) else TRUTH_TESTS.gradient
    error = np.inf
    for step in _STEPS:
        length = float(step * np.sqrt(some[0].size))
        error = min(error, _line_error(network, some, classes, direction, length))
        if error <= tolerance / 2:
            break
    return TruthTest("gradient", error, tolerance)


def _line_error(
    network: Network, pixels: Pixels, classes: NDArray[np.int64], direction: Pixels, length: float
) -> float:
    """Relative error of the integrated gradient over the line from x − length·v to x + length·v."""
    ahead, behind = (network.logits(pixels + sign * np.float32(length) * direction)[:, classes] for sign in (1, -1))
    midpoints = ((np.arange(_POINTS) + 0.5) / _POINTS * 2 - 1) * length
    slopes = [
        np.einsum("snhwc,nhwc->ns", network.jacobian(pixels + np.float32(t) * direction, classes), direction)
        for t in midpoints
    ]
    last_digit = float(np.finfo(np.float32).eps * np.linalg.norm(ahead.astype(np.float64)))
    return relative_error(np.mean(slopes, axis=0) * 2 * length, ahead - behind, last_digit)


def relative_error(actual: NDArray[np.floating], expected: NDArray[np.floating], resolution: float = 0.0) -> float:
    """Norm of the difference over the norm of the expected values; 0 where both are zero.

    Args:
        actual: what is judged.
        expected: what it should be.
        resolution: expected values with a smaller norm cannot be told from zero.
    """
    expected = expected.astype(np.float64)  # squares of large numbers overflow in float32
    difference = float(np.linalg.norm(actual - expected))
    norm = max(float(np.linalg.norm(expected)), resolution)
    return difference / norm if norm > 0 else (0.0 if difference == 0 else float("inf"))
