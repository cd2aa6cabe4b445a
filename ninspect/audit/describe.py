"""What a scan worked with and found, as parts of the result."""

from __future__ import annotations

import base64
import math

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.selftest import TruthTest
from ninspect.detect import ROBUST_Z, Attention, Detection, Detector, Trigger
from ninspect.findings import RULES, Finding
from ninspect.measure.outliers import NATURAL_FREEDOM, critical_index
from ninspect.model import ModelFile
from ninspect.preprocess import Preprocess
from ninspect.report.picture import overlay, png
from ninspect.report.schema import (
    AttentionInfo,
    DetectorInfo,
    ExampleInfo,
    FindingInfo,
    HeatmapInfo,
    ModelInfo,
    PreprocessInfo,
    SampleInfo,
    TriggerInfo,
    TruthInfo,
)
from ninspect.runtime import Network
from ninspect.samples import Samples

_LARGEST_SIDE = 112  # of a picture: ten classes of a network for large photographs stay below a megabyte


def describe_model(path: str, file: ModelFile | None, network: Network | None) -> ModelInfo:
    """The file, and what was understood of it where it could be opened."""
    if network is None:
        return ModelInfo(path=path, sha256=None if file is None else file.sha256)
    classifier = network.classifier
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
        gradient=network.gradient_kind,
    )


def describe_samples(samples: Samples | None, accuracy: float | None) -> SampleInfo | None:
    """The images that were used, where they could be read."""
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


def describe_preprocess(settings: Preprocess, source: str, network: Network | None) -> PreprocessInfo:
    """The settings, with what they left open filled in from the model."""
    values = settings.model_dump()
    if network is not None:
        layout = network.input_map.layout
        height, width, channels = layout.image_shape
        values["layout"], values["size"] = layout.name, (height, width)
        values["color"] = values["color"] or ("gray" if channels == 1 else "rgb")
    return PreprocessInfo(**values, source=source)


def describe_truth_test(test: TruthTest) -> TruthInfo:
    """One of the scan's tests of itself."""
    return TruthInfo(name=test.name, error=_number(test.error), tolerance=test.tolerance, passed=test.passed)


def describe_detection(detection: Detection, detector: Detector, alpha: float) -> DetectorInfo:
    """A detector's findings, with the settings that they depend on."""
    easy = np.zeros(len(detection.classes), np.bool_) if detection.easy is None else detection.easy
    return DetectorInfo(
        name=detection.name,
        settings=detector.settings,
        skipped=detection.skipped,
        scores={name: _numbers(column) for name, column in detection.scores.items()},
        index=_numbers(detection.index),
        p_value=detection.p_value,
        p_values=_numbers(detection.p_values),
        test=detection.test,
        critical_index=_critical_index(detection, alpha, easy=bool(easy.all())),
        easy=detection.classes[easy].tolist(),
        critical_index_easy=_critical_index(detection, alpha, easy=True) if easy.any() else None,
        flagged=detection.flagged,
        targets=detection.targets(alpha),
        problem=detection.problem,
        seconds=round(detection.seconds, 3),
    )


def describe_finding(finding: Finding) -> FindingInfo:
    """What is wrong with the file itself."""
    return FindingInfo(
        rule=finding.rule,
        severity=finding.severity,
        title=RULES[finding.rule].title,
        message=finding.message,
        nodes=list(finding.nodes),
    )


def describe_trigger(trigger: Trigger) -> TriggerInfo:
    """The evidence for one class."""
    return TriggerInfo(
        label=trigger.label,
        source=trigger.source,
        size=trigger.size,
        success=_number(trigger.success),
        held_out=trigger.held_out,
        control_size=_number(trigger.control_size),
        control_success=_number(trigger.control_success),
        convincing=trigger.convincing,
        mask=_picture(trigger.mask),
        pattern=_picture(trigger.on_grey),
        examples=[
            ExampleInfo(before=_picture(before), after=_picture(after), answer_before=answer, answer_after=changed)
            for before, after, answer, changed in zip(
                trigger.examples, trigger.stamped, *trigger.answers.tolist(), strict=True
            )
        ],
    )


def describe_attention(attention: Attention | None) -> AttentionInfo | None:
    """Where the classes look that stand out most."""
    if attention is None:
        return None
    return AttentionInfo(
        image=_picture(attention.image),
        answer=attention.answer,
        starts=attention.starts,
        heatmaps=[
            HeatmapInfo(label=label, picture=_picture(overlay(attention.image, heatmap)))
            for label, heatmap in zip(attention.labels.tolist(), attention.heatmaps, strict=True)
        ],
    )


def _picture(image: NDArray[np.float32]) -> str:
    return base64.b64encode(png(image, _LARGEST_SIDE)).decode("ascii")


def _critical_index(detection: Detection, alpha: float, easy: bool) -> float | None:
    """Of the classes that are easy by nature, or of the others."""
    if detection.test != ROBUST_Z or detection.p_value is None:
        return None
    freedom = NATURAL_FREEDOM if easy else math.inf
    return critical_index(alpha / detection.looks, detection.measured, freedom)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [_number(value) for value in values]
