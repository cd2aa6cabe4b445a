"""What a scan worked with and found, as parts of the result."""

from __future__ import annotations

import base64
import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.coverage import Answer
from ninspect.audit.selftest import TruthTest
from ninspect.detect import Attention, Examination, PairBeside, PairTrigger, Stamp, Trigger
from ninspect.findings import Finding
from ninspect.measure.calibration import OUTLIERS
from ninspect.measure.outliers import critical_index
from ninspect.model import ModelFile
from ninspect.model.architecture import architecture
from ninspect.names import QUESTIONS, ROBUST_Z, Question
from ninspect.preprocess import Resolved
from ninspect.report.picture import overlay, png
from ninspect.report.pictured import AttentionInfo, ExampleInfo, HeatmapInfo, PairInfo, StampInfo, TriggerInfo
from ninspect.report.references import ClassChange, ReferenceInfo
from ninspect.report.schema import (
    AnswerInfo,
    AttackInfo,
    DetectorInfo,
    FileInfo,
    FindingInfo,
    ModelInfo,
    Outcome,
    PreprocessInfo,
    SampleInfo,
    TruthInfo,
)
from ninspect.runtime import Network
from ninspect.samples import Samples

if TYPE_CHECKING:
    from ninspect.audit.reference import Reference

_LARGEST_SIDE = 112  # of a picture: ten classes of a network for large photographs stay below a megabyte


def describe_model(path: str, file: ModelFile | None, network: Network | None) -> ModelInfo:
    """The file, and what was understood of it where it could be opened."""
    if file is None:
        return ModelInfo(path=path)
    files = [FileInfo(name=one.name, sha256=one.sha256, bytes=one.bytes) for one in file.files]
    if network is None:
        return ModelInfo(path=path, sha256=file.sha256, files=files)
    classifier = network.classifier
    return ModelInfo(
        path=path,
        sha256=file.sha256,
        files=files,
        opset=classifier.opset,
        producer=classifier.producer,
        input=classifier.input,
        input_shape=[None if size == "N" else int(size) for size in classifier.input_shape],
        layout=classifier.layout.name,
        output=classifier.output,
        logits=classifier.logits,
        activation=classifier.activation or None,
        gradient=network.gradient_kind,
        architecture=architecture(classifier),
    )


def describe_samples(samples: Samples | None, accuracy: float | None, class_map: dict[str, int]) -> SampleInfo | None:
    """The images that were used, where they could be read."""
    if samples is None:
        return None
    return SampleInfo(
        source=samples.source,
        kind=samples.kind,
        sha256=samples.sha256,
        count=len(samples),
        labelled=samples.labels is not None,
        skipped=list(samples.skipped),
        clean_accuracy=accuracy,
        class_map=class_map or None,
    )


def describe_preprocess(known: Resolved, network: Network | None) -> PreprocessInfo:
    """The settings, with what they left open filled in from the model."""
    values = known.preprocess.model_dump()
    if network is not None:
        layout = network.input_map.layout
        height, width, channels = layout.image_shape
        values["layout"], values["size"] = layout.name, (height, width)
        values["color"] = values["color"] or ("gray" if channels == 1 else "rgb")
    return PreprocessInfo(**values, source=known.source)


def describe_truth_test(test: TruthTest) -> TruthInfo:
    """One of the scan's tests of itself."""
    return TruthInfo(name=test.name, error=_number(test.error), tolerance=test.tolerance, passed=test.passed)


def describe_answer(answer: Answer, skipped: Collection[Question]) -> AnswerInfo:
    """What became of a question."""
    outcome: Outcome = "skipped" if answer.question in skipped else "answered" if answer.answered else "unanswered"
    return AnswerInfo(
        question=answer.question,
        required=answer.required,
        outcome=outcome,
        by=list(answer.by),
        why=answer.why or None,
        power=None if answer.power is None else str(answer.power),
        attacks=[AttackInfo(attack=rate.attack, found=rate.found, of=rate.of) for rate in answer.attacks],
        measured=answer.measured,
    )


def describe_examination(examination: Examination, settings: dict[str, Any], alpha: float) -> DetectorInfo:
    """What a detector found, with the settings that it depends on."""
    nobody = np.zeros(len(examination.classes), np.bool_)
    easy = nobody if examination.easy is None else examination.easy
    return DetectorInfo(
        name=examination.name,
        answers=[question for question in QUESTIONS if question in examination.answers],
        settings=settings,
        gap=examination.gap,
        scores={name: _numbers(column) for name, column in examination.scores.items()},
        index=_numbers(examination.index),
        p_value=examination.p_value,
        p_values=_numbers(examination.p_values),
        test=examination.test,
        critical_index=_critical_index(examination, alpha, easy=bool(easy.all())),
        easy=examination.classes[easy].tolist(),
        critical_index_easy=_critical_index(examination, alpha, easy=True) if easy.any() else None,
        flagged=examination.flagged,
        targets=examination.targets(alpha),
        seconds=round(examination.seconds, 3),
    )


def describe_finding(finding: Finding) -> FindingInfo:
    """One finding, with what its rule says."""
    more = {"ignored": finding.ignored, "nodes": list(finding.nodes), "classes": list(finding.classes)}
    return FindingInfo.of(finding.rule, finding.message, **more)


def describe_trigger(trigger: Trigger) -> TriggerInfo:
    """The evidence for one class."""
    return TriggerInfo(**_recovered(trigger))


def describe_stamp(stamp: Stamp) -> StampInfo:
    """What serves one class at one place."""
    at = stamp.window
    return StampInfo(**_recovered(stamp), window=(at.row, at.column, at.side, at.side), rival=_number(stamp.rival))


def describe_pair(trigger: PairTrigger) -> PairInfo:
    """The evidence for one class as the target of another."""
    beside = {}
    if isinstance(trigger, PairBeside):
        beside = {
            "reference": trigger.reference,
            "reference_size": trigger.reference_size,
            "reference_control_size": _number(trigger.reference_control_size),
        }
    return PairInfo(
        **_recovered(trigger),
        source=trigger.source,
        elsewhere=trigger.elsewhere,
        foreign=_number(trigger.foreign),
        **beside,
    )


def _recovered(trigger: Trigger) -> dict[str, Any]:
    return {
        "label": trigger.label,
        "size": trigger.size,
        "success": _number(trigger.success),
        "held_out": trigger.held_out,
        "control_size": _number(trigger.control_size),
        "control_success": _number(trigger.control_success),
        "convincing": trigger.convincing,
        "nearly": trigger.nearly,
        "npz": base64.b64encode(trigger.patch.to_npz()).decode("ascii"),
        "mask": _picture(trigger.patch.mask),
        "pattern": _picture(trigger.patch.on_grey),
        "examples": [
            ExampleInfo(before=_picture(before), after=_picture(after), answer_before=answer, answer_after=changed)
            for before, after, answer, changed in zip(
                trigger.examples, trigger.stamped, *trigger.answers.tolist(), strict=True
            )
        ],
    }


def describe_reference(reference: Reference) -> ReferenceInfo:
    """A model that the user trusts, and where its answers differ from the model's."""
    file, samples = reference.record.file, reference.record.samples
    assert file is not None
    assert samples is not None
    answers, own, labels = reference.answers, reference.case.answers, samples.labels
    return ReferenceInfo(
        path=str(reference.record.request.model),
        sha256=file.sha256,
        matched=reference.matched,
        preprocess=reference.record.known.source,
        agreement=float(np.mean(answers == own)),
        accuracy=reference.record.accuracy,
        changes=[
            ClassChange(
                label=label,
                images=int(chosen.sum()),
                agreement=float(np.mean((answers == own)[chosen])),
                accuracy=None if labels is None else float(np.mean(answers[chosen] == label)),
                reference_accuracy=None if labels is None else float(np.mean(own[chosen] == label)),
            )
            for label in np.unique(own if labels is None else labels).tolist()
            for chosen in [(own if labels is None else labels) == label]
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


def _critical_index(examination: Examination, alpha: float, easy: bool) -> float | None:
    """Of the classes that are easy by nature, or of the others."""
    if examination.test != ROBUST_Z or examination.p_value is None:
        return None
    freedom = OUTLIERS.natural_freedom if easy else math.inf
    return critical_index(alpha / examination.looks, examination.measured, freedom)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [_number(value) for value in values]
