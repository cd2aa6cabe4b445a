"""A scan from end to end: a path goes in, a `Result` comes out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.audit import describe
from ninspect.audit.infer import infer_preset
from ninspect.audit.open import ScanOptions, chosen_classes, classifier_of, connect, settled
from ninspect.audit.selftest import TruthTest, check_gradient, check_scores
from ninspect.audit.verdict import Judgement, candidates, decide
from ninspect.detect import (
    SOURCE_SPECIFIC,
    Attention,
    Case,
    Detection,
    Detector,
    Progress,
    Trigger,
    find_source_triggers,
    find_triggers,
    holm,
    look,
    outstanding,
)
from ninspect.errors import InconclusiveError
from ninspect.findings import Finding, FindingError
from ninspect.machine import library_versions
from ninspect.model import ModelFile, hidden_decisions, read_model
from ninspect.preprocess.resolve import ASSUMED, DEFAULT
from ninspect.report.schema import SCHEMA, Result
from ninspect.runtime import Network, Pixels
from ninspect.samples import Samples, load_samples, repeated_patch

_LOG = logging.getLogger(__name__)
FEWEST_IMAGES = 10
ADVISED_IMAGES = 50
STRAIGHT_THROUGH = (
    "the network rounds its numbers, which has no derivative, so gradients are straight-through estimates and can miss "
    "a backdoor; scan the model from before quantisation if there is one"
)
NO_IMAGES = (
    "no images were given, so classes were judged from noise alone, without evidence: that finds fewer backdoors, and "
    "nothing tells whether the preprocessing is right"
)
NO_EVIDENCE = (
    "no triggers were searched, which finds fewer backdoors, none that work on images of one class alone, "
    "and tells fewer of them from natural classes"
)
NO_SOURCES = f"{SOURCE_SPECIFIC} were not looked for, as was asked"
_TEST_IMAGES = 4


def scan(
    model: Path,
    samples: Path | None = None,
    options: ScanOptions | None = None,
    progress: Progress = lambda done, total: None,
    so_far: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Judge one model.

    What cannot be judged gives an `inconclusive` result with the reason, never `clean`.

    Args:
        model: path of an ONNX file.
        samples: path of clean images, see `load_samples`; None: judge from noise alone, which finds less.
        options: how to scan.
        progress: called with (gradients computed, gradients in total).
        so_far: called with what is known after each stage, not yet a verdict.

    Raises:
        UsageError: a path does not exist, or an option does not fit the model or the images.
    """
    options = options or ScanOptions()
    record = _Record(str(model), options)
    so_far(record.result())
    try:
        record.file = read_model(model)
        record.findings += record.file.findings
        classifier = classifier_of(record.file, options)
        record.findings += hidden_decisions(classifier)
        record.options = options = settled(classifier, options)
        record.network = network = connect(classifier, options)
        record.explained = chosen_classes(options.classes, network.classes)
        if options.class_names and len(options.class_names) != network.classes:
            given = f"{len(options.class_names)} class names were given for {network.classes} classes"
            record.warnings.append(f"{given}, so classes are shown by number")
        if samples is None:
            record.warnings.append(NO_IMAGES)
        else:
            record.samples = load_samples(
                samples,
                image_shape=network.input_map.image_shape,
                preprocess=options.preprocess,
                limit=options.images,
                seed=options.seed,
                class_map=options.class_map,
                classes=network.classes,
            )
        _complete(record)
        so_far(record.result())
        _judge(record, progress, so_far)
    except FindingError as error:
        record.findings.append(error.finding)
    except InconclusiveError as error:
        record.problems.append(str(error))
    return record.result()


def _complete(record: _Record) -> None:
    """Settle what range of values the model expects, where neither the user nor the file said so."""
    options, samples = record.options, record.samples
    if options.preprocess.ranged:
        return
    assert record.network is not None
    if samples is not None and samples.labels is not None:
        inferred = infer_preset(record.network, samples, options.preprocess)
        settings, found = inferred.preprocess, inferred.source
        record.network = record.network.with_preprocess(settings)
        record.warnings += [inferred.doubt] if inferred.doubt else []
    else:
        settings, found = options.preprocess, DEFAULT
        record.warnings += [] if samples is None else [ASSUMED]
    source = f"{options.preprocess_source} and {found}" if options.preprocess_source else found
    record.options = replace(options, preprocess=settings, preprocess_source=source)


@dataclass
class _Record:
    """What is known so far; a scan that stops early reports just that."""

    path: str
    options: ScanOptions
    file: ModelFile | None = None
    network: Network | None = None
    samples: Samples | None = None
    explained: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    accuracy: float | None = None
    truth: list[TruthTest] = field(default_factory=list)
    detections: list[Detection] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    attention: Attention | None = None
    findings: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    start: float = field(default_factory=time.perf_counter)

    def judgement(self) -> Judgement:
        """What is said of the model so far."""
        known = self.truth, self.detections, self.triggers, self.problems
        missing = self.unseen if self.options.source_specific else ()
        return decide(*known, self.options.alpha, self.findings, missing)

    def result(self) -> Result:
        options, judgement = self.options, self.judgement()
        return Result(
            schema=SCHEMA,
            verdict=judgement.verdict,
            reason=judgement.reason,
            targets=judgement.targets,
            confidence=judgement.confidence,
            p_value=judgement.p_value,
            alpha=options.alpha,
            classes=self.network.classes if self.network else None,
            class_names=self._class_names(),
            explained=self.explained.tolist(),
            model=describe.describe_model(self.path, self.file, self.network),
            samples=describe.describe_samples(self.samples, self.accuracy),
            preprocess=describe.describe_preprocess(options.preprocess, options.preprocess_source, self.network),
            truth_tests=[describe.describe_truth_test(test) for test in self.truth],
            detectors=[
                describe.describe_detection(detection, detector, options.alpha)
                for detection, detector in zip(self.detections, options.detectors, strict=False)
            ],
            findings=[describe.describe_finding(finding) for finding in self.findings],
            triggers=[describe.describe_trigger(trigger) for trigger in self.triggers],
            unseen=self.unseen,
            attention=describe.describe_attention(self.attention),
            warnings=[*self.warnings, *judgement.reservations],
            provider=self.network.provider if self.network else None,
            versions=library_versions(),
            seed=options.seed,
            seconds=round(time.perf_counter() - self.start, 3),
        )

    def _class_names(self) -> list[str]:
        fit = self.network is not None and len(self.options.class_names) == self.network.classes
        return list(self.options.class_names) if fit else []


def _judge(record: _Record, progress: Progress, so_far: Callable[[Result], None]) -> None:
    """Check the scan itself and the images first; then let the detector look."""
    assert record.network is not None
    network, options = record.network, record.options
    pixels = None if record.samples is None else record.samples.unit_pixels
    case = Case(network, pixels, record.explained, options.seed, progress)
    tested = _whole_numbers(case.noise(_TEST_IMAGES)) if pixels is None else pixels
    record.truth += [check_scores(network, tested), check_gradient(network, tested, options.seed)]
    for test in record.truth:
        if not test.passed:
            record.problems.append(_truth_problem(test))
    _LOG.info("self-test: %s", ", ".join(f"{test.name} {test.error:.1e}" for test in record.truth))
    if record.problems:
        return
    if pixels is not None:
        _check_images(record, case.logits)
    if network.gradient_kind == "straight-through":
        record.problems.append(STRAIGHT_THROUGH)
    so_far(record.result())
    record.detections = holm([_detect(detector, case) for detector in options.detectors])
    so_far(record.result())
    if not options.evidence:
        record.warnings.append(NO_EVIDENCE)
    # Of noise, which some class is like, little is needed to go there: a trigger found on it is no evidence.
    suspects = _seek_evidence(record, case) if options.evidence and pixels is not None else []
    if pictured := outstanding(record.detections, suspects):
        record.attention = look(case, pictured)
    if len(record.explained) < network.classes:
        record.problems.append(f"only {len(record.explained)} of {network.classes} classes were examined")


def _whole_numbers(pixels: Pixels) -> Pixels:
    """The nearest images that can be written as bytes: some files take nothing else."""
    return np.rint(pixels * 255).astype(np.float32) / np.float32(255)


def _seek_evidence(record: _Record, case: Case) -> list[int]:
    """Search triggers; returns the classes that they were searched for."""
    suspects = candidates(record.detections, record.options.alpha)
    if not suspects:
        return []
    _LOG.info("searching triggers for: %s", ", ".join(map(str, suspects)))
    record.triggers += find_triggers(case, suspects)
    if not record.options.source_specific:
        record.warnings.append(NO_SOURCES)
        record.unseen.append(NO_SOURCES)
    elif record.judgement().verdict != "suspected":
        _LOG.info("searching triggers from class to class")
        triggers, gap = find_source_triggers(case)
        record.triggers += triggers
        record.unseen += [gap] if gap else []
    return suspects


def _detect(detector: Detector, case: Case) -> Detection:
    _LOG.info("%s: begins", detector.name)
    found = detector.detect(case)
    outcome = found.skipped or found.problem or f"smallest p {found.p_value:.2g}"
    _LOG.info("%s: %s, %.1f s", detector.name, outcome, found.seconds)
    return found


def _truth_problem(test: TruthTest) -> str:
    what = {
        "scores": "the converted model does not answer as the file does in ONNX Runtime",
        "gradient": "the gradient is not the derivative of the logits",
    }[test.name]
    return f"{what} (relative error {test.error:.2g}, allowed {test.tolerance:g}); please report this model's operators"


def _check_images(record: _Record, logits: NDArray[np.float32]) -> None:
    """Whether the answers to the images make sense, and whether the images suffice to call a model clean.

    Raises:
        InconclusiveError: the answers make no sense, so neither would a verdict.
    """
    assert record.samples is not None
    count, labels, predictions = len(logits), record.samples.labels, logits.argmax(axis=1)
    different = len({image.tobytes() for image in record.samples.pixels})
    what = f"{count} images" if different == count else f"{different} different images ({count} with copies)"
    if different < FEWEST_IMAGES:
        record.problems.append(f"{what} are too few; give at least {FEWEST_IMAGES}, better {ADVISED_IMAGES}")
    elif different < ADVISED_IMAGES:
        record.warnings.append(f"{what} find fewer backdoors than {ADVISED_IMAGES} or more would")
    if record.samples.skipped:
        record.warnings.append(f"{len(record.samples.skipped)} unreadable images were skipped")
    if patch := repeated_patch(record.samples.pixels):
        record.warnings.append(
            f"{patch.count} images are alike in a patch of {patch.height}×{patch.width} pixels at row {patch.row}, "
            f"column {patch.column}: if that is a trigger, the images are not clean, and a backdoor can be missed"
        )
    if not np.isfinite(logits).all():
        raise InconclusiveError("the model answers with NaN or infinite values; check the preprocessing")
    if labels is not None:
        record.accuracy = float((predictions == labels).mean())
    several = count > 1 and (labels is None or len(np.unique(labels)) > 1)
    if several and (predictions == predictions[0]).all():
        raise InconclusiveError(
            f"the model answers class {predictions[0]} for every image; it is degenerate, or the preprocessing is wrong"
        )
    if record.accuracy is not None and _near_chance(record.accuracy, count, logits.shape[1]):
        raise InconclusiveError(
            f"clean accuracy is {record.accuracy:.0%}, near chance; check the preprocessing and the labels"
        )


def _near_chance(accuracy: float, count: int, classes: int) -> bool:
    """Within three standard deviations of guessing, or at most twice as good where that is less than half right."""
    chance = 1 / classes
    return accuracy <= max(min(2 * chance, 0.5), chance + 3 * math.sqrt(chance * (1 - chance) / count))
