"""A scan from end to end: a path goes in, a `Result` comes out."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.detect import Activated, Detection, Detector, Evidence, Progress, listed
from ninspect.errors import InconclusiveError, UsageError
from ninspect.features import heatmaps
from ninspect.gradient import Objective
from ninspect.model import Classifier, load_classifier
from ninspect.outliers import SMALLEST_P, critical_index
from ninspect.report.result import (
    SCHEMA,
    DetectorInfo,
    ModelInfo,
    PreprocessInfo,
    Result,
    SampleInfo,
    TruthInfo,
    Verdict,
)
from ninspect.runtime import Device, Network, TruthTest, check_gradient, check_scores
from ninspect.samples import InputMap, Preprocess, Samples, load_samples

FEWEST_IMAGES = 10
ADVISED_IMAGES = 50
_LIBRARIES = ("ninspect", "onnx", "onnx-ir", "numpy", "scipy")


@dataclass(frozen=True)
class ScanOptions:
    """How to scan.

    Attributes:
        preprocess: how images become model inputs.
        preprocess_source: where that comes from, for the report.
        output: name of the class-score output, where the model has several.
        classes: classes to judge; None: all.
        detector: what judges them.
        images: use at most this many clean images, evenly over their classes.
        seed: of every random choice.
        alpha: largest probability of suspecting a clean model.
        device: where to run.
    """

    preprocess: Preprocess = field(default_factory=Preprocess)
    preprocess_source: str = "defaults"
    output: str | None = None
    classes: Sequence[int] | None = None
    detector: Detector = field(default_factory=Activated)
    images: int = 100
    seed: int = 0
    alpha: float = 0.01
    device: Device = "auto"


def open_network(model: Path, options: ScanOptions) -> Network:
    """The classifier in a file, ready to be asked.

    Raises:
        UsageError: the file does not exist, or an option does not fit it.
        ModelError: it is not a classifier that can be analysed.
    """
    settings = options.preprocess
    classifier = load_classifier(model, output=options.output, layout=settings.layout, size=settings.size)
    dtype = classifier.dtype if classifier.dtype.kind == "f" else np.float32
    input_map = InputMap.of(settings, classifier.layout, dtype)
    if classifier.dtype.kind == "u" and (np.any(input_map.gain != 255) or np.any(input_map.offset != 0)):
        raise UsageError("the model takes pixels from 0 to 255 as they are; give --scale 1, and no --mean or --std")
    return Network(classifier, input_map, options.device)


def scan(
    model: Path, samples: Path, options: ScanOptions | None = None, progress: Progress = lambda done, total: None
) -> Result:
    """Judge one model with clean images.

    What cannot be judged gives an `inconclusive` result with the reason, never `clean`.

    Args:
        model: path of an ONNX file.
        samples: path of clean images, see `load_samples`.
        options: how to scan.
        progress: called with (gradients computed, gradients in total).

    Raises:
        UsageError: a path does not exist, or an option does not fit the model or the images.
    """
    options = options or ScanOptions()
    record = _Record(str(model), options)
    try:
        network = open_network(model, options)
        record.network = network
        record.explained = _chosen_classes(options.classes, network.classes)
        record.samples = load_samples(
            samples,
            image_shape=network.input_map.image_shape,
            resize=options.preprocess.resize,
            limit=options.images,
            seed=options.seed,
        )
        _judge(record, progress)
    except InconclusiveError as error:
        record.problems.append(str(error))
    return record.result()


@dataclass(frozen=True)
class Explanation:
    """One class explained at one image.

    Attributes:
        image: `[H, W, C]` float32 in [0, 1].
        heatmap: `[H, W]` float32 in [0, 1].
        value: of the objective.
        predicted: the class that the model answers.
    """

    image: NDArray[np.float32]
    heatmap: NDArray[np.float32]
    value: float
    predicted: int


def explain_image(model: Path, image: Path, label: int, options: ScanOptions, objective: Objective) -> Explanation:
    """Explain one class at one image.

    Raises:
        UsageError: a path does not exist, the class is out of range, or an option does not fit.
        ModelError: the model cannot be analysed.
    """
    network = open_network(model, options)
    classes = _chosen_classes([label], network.classes)
    samples = load_samples(image, image_shape=network.input_map.image_shape, resize=options.preprocess.resize, limit=1)
    pixels = samples.unit_pixels
    (part,) = network.gradients(pixels, classes, objective)
    predicted = int(network.logits(pixels)[0].argmax())
    return Explanation(pixels[0], heatmaps(part.pixels)[0, 0], float(part.objective[0, 0]), predicted)


def _chosen_classes(classes: Sequence[int] | None, count: int) -> NDArray[np.int64]:
    if classes is None:
        return np.arange(count)
    outside = [c for c in classes if not 0 <= c < count]
    if outside:
        raise UsageError(f"class {outside[0]} is out of range; the model has the classes 0 to {count - 1}")
    return np.unique(np.asarray(classes, np.int64))


@dataclass
class _Record:
    """What is known so far; a scan that stops early reports just that."""

    path: str
    options: ScanOptions
    network: Network | None = None
    samples: Samples | None = None
    explained: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    accuracy: float | None = None
    truth: list[TruthTest] = field(default_factory=list)
    detections: list[Detection] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    start: float = field(default_factory=time.perf_counter)

    def result(self) -> Result:
        verdict, reason, targets, p = self._verdict()
        return Result(
            schema=SCHEMA,
            verdict=verdict,
            reason=reason,
            targets=targets,
            p_value=p,
            alpha=self.options.alpha,
            classes=self.network.classes if self.network else None,
            explained=self.explained.tolist(),
            model=_model_info(self.path, self.network),
            samples=_sample_info(self.samples, self.accuracy),
            preprocess=_preprocess_info(self.options, self.network),
            truth_tests=[_truth_info(test) for test in self.truth],
            detectors=[_detector_info(d, self.options) for d in self.detections],
            warnings=self.warnings,
            provider=self.network.provider if self.network else None,
            versions=_versions(),
            seed=self.options.seed,
            seconds=round(time.perf_counter() - self.start, 3),
        )

    def _verdict(self) -> tuple[Verdict, str, list[int], float | None]:
        """Failed truth tests come first, then suspicion, then whatever keeps a model from being called clean."""
        failed = [test for test in self.truth if not test.passed]
        if failed or not self.detections:
            return "inconclusive", "; ".join(self.problems), [], None
        detection = self.detections[0]
        targets, p = detection.targets(self.options.alpha), detection.p_value
        if targets:
            return "suspected", _suspicion(targets, p, detection.measured), targets, p
        problems = [*self.problems, *([detection.problem] if detection.problem else [])]
        if problems:
            return "inconclusive", "; ".join(problems), [], p
        return "clean", f"no class stands out from the other {detection.measured - 1} ({_probability(p)})", [], p


def _suspicion(targets: list[int], p: float | None, measured: int) -> str:
    verb, kind = ("looks", "the target") if len(targets) == 1 else ("look", "targets")
    return (
        f"{listed(targets)} {verb} like {kind} of a backdoor, compared with all {measured} classes ({_probability(p)})"
    )


def _probability(p: float | None) -> str:
    assert p is not None
    return f"p ≤ {p:.1g}" if p <= SMALLEST_P else f"p = {p:.2g}"


def _judge(record: _Record, progress: Progress) -> None:
    """Check the scan itself and the images first; then let the detector look."""
    assert record.network is not None
    assert record.samples is not None
    network, samples, options = record.network, record.samples, record.options
    pixels = samples.unit_pixels
    record.truth += [check_scores(network, pixels), check_gradient(network, pixels, options.seed)]
    for test in record.truth:
        if not test.passed:
            record.problems.append(_truth_problem(test))
    if record.problems:
        return
    _check_images(record, network.logits(pixels))
    record.detections.append(
        options.detector.detect(Evidence(network, pixels, record.explained, options.seed, progress))
    )
    if len(record.explained) < network.classes:
        record.problems.append(f"only {len(record.explained)} of {network.classes} classes were examined")


def _truth_problem(test: TruthTest) -> str:
    what = {
        "scores": "the converted model does not answer as the file does in ONNX Runtime",
        "gradient": "the gradient is not the derivative of the logits",
    }[test.name]
    return f"{what} (relative error {test.error:.2g}, allowed {test.tolerance:g}); please report this model's operators"


def _check_images(record: _Record, logits: NDArray[np.float32]) -> None:
    """What about the images and the answers to them forbids calling the model clean, or deserves a warning."""
    assert record.samples is not None
    count, labels, predictions = len(logits), record.samples.labels, logits.argmax(axis=1)
    if not np.isfinite(logits).all():
        record.problems.append("the model answers with NaN or infinite values; check the preprocessing")
    elif (predictions == predictions[0]).all() and count > 1 and (labels is None or len(np.unique(labels)) > 1):
        record.problems.append(
            f"the model answers class {predictions[0]} for every image; the preprocessing is wrong or the model is"
            " degenerate"
        )
    if count < FEWEST_IMAGES:
        record.problems.append(f"{count} images are too few; give at least {FEWEST_IMAGES}, better {ADVISED_IMAGES}")
    elif count < ADVISED_IMAGES:
        record.warnings.append(f"{count} images find fewer backdoors than {ADVISED_IMAGES} or more would")
    if record.samples.skipped:
        record.warnings.append(f"{len(record.samples.skipped)} unreadable images were skipped")
    if labels is not None:
        record.accuracy = float((predictions == labels).mean())
        if _near_chance(record.accuracy, count, logits.shape[1]):
            record.problems.append(
                f"clean accuracy is {record.accuracy:.0%}, near chance; check the preprocessing and the labels"
            )


def _near_chance(accuracy: float, count: int, classes: int) -> bool:
    """Within three standard deviations of guessing, or at most twice as good where that is less than half right."""
    chance = 1 / classes
    return accuracy <= max(min(2 * chance, 0.5), chance + 3 * math.sqrt(chance * (1 - chance) / count))


def _model_info(path: str, network: Network | None) -> ModelInfo:
    if network is None:
        return ModelInfo(path=path)
    classifier: Classifier = network.classifier
    return ModelInfo(
        path=path,
        sha256=classifier.file.sha256,
        opset=classifier.opset,
        producer=classifier.producer,
        input=classifier.input,
        input_shape=[classifier.batch, *classifier.layout.input_shape],
        layout=classifier.layout.name,
        output=classifier.output,
        logits=classifier.logits,
    )


def _sample_info(samples: Samples | None, accuracy: float | None) -> SampleInfo | None:
    if samples is None:
        return None
    return SampleInfo(
        source=samples.source,
        kind=samples.kind,
        count=len(samples),
        labelled=samples.labels is not None,
        skipped=list(samples.skipped),
        clean_accuracy=accuracy,
    )


def _preprocess_info(options: ScanOptions, network: Network | None) -> PreprocessInfo:
    settings = options.preprocess.model_dump()
    if network is not None:  # what was left open is now known
        layout = network.input_map.layout
        height, width, channels = layout.image_shape
        settings["layout"], settings["size"] = layout.name, (height, width)
        settings["color"] = settings["color"] or ("gray" if channels == 1 else "rgb")
    return PreprocessInfo(**settings, source=options.preprocess_source)


def _truth_info(test: TruthTest) -> TruthInfo:
    return TruthInfo(name=test.name, error=_number(test.error), tolerance=test.tolerance, passed=test.passed)


def _detector_info(detection: Detection, options: ScanOptions) -> DetectorInfo:
    return DetectorInfo(
        name=detection.name,
        settings=options.detector.settings,
        scores={name: _numbers(column) for name, column in detection.scores.items()},
        index=_numbers(detection.index),
        p_value=detection.p_value,
        critical_index=None if detection.p_value is None else critical_index(options.alpha, detection.measured),
        flagged=detection.flagged,
        targets=detection.targets(options.alpha),
        problem=detection.problem,
        seconds=round(detection.seconds, 3),
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [_number(value) for value in values]


def _versions() -> dict[str, str]:
    import onnxruntime

    versions = {name: version(name) for name in _LIBRARIES}
    return versions | {"onnxruntime": onnxruntime.__version__, "python": platform.python_version()}
