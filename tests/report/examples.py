"""A result to report."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ninspect.report import Result
from ninspect.report.picture import png
from ninspect.report.pictured import AttentionInfo, ExampleInfo, HeatmapInfo, PairInfo, StampInfo, TriggerInfo
from ninspect.report.schema import (
    AnswerInfo,
    AttackInfo,
    DetectorInfo,
    FindingInfo,
    ModelInfo,
    PreprocessInfo,
    SampleInfo,
    TruthInfo,
)
from ninspect.search.patch import Patch
from tests.support import random_pixels

MODEL = ModelInfo(
    path="models/signs.onnx",
    sha256="ab" * 32,
    opset=17,
    producer="pytorch 2.13",
    input="images",
    input_shape=[None, 3, 32, 32],
    layout="NCHW",
    output="probabilities",
    logits="logits",
    gradient="exact",
)
SAMPLES = SampleInfo(source="images/", kind="imagefolder", count=50, labelled=True, skipped=[], clean_accuracy=0.973)
PREPROCESS = PreprocessInfo(
    scale=1 / 255,
    mean=[0.4, 0.5, 0.6],
    std=0.25,
    layout="NCHW",
    color="rgb",
    size=(32, 32),
    resize="bilinear",
    source="from preprocess.toml",
)
TRUTH = [
    TruthInfo(name="scores", error=1e-7, tolerance=1e-4, passed=True),
    TruthInfo(name="gradient", error=0.012, tolerance=0.05, passed=True),
]
INDEX = [0.5, -1.2, 0.1, None, 2.4, 0.3, -0.2, 15.25, 0.7, 0.9]
DETECTOR = DetectorInfo(
    name="neuroninspect",
    answers=["one-target"],
    settings={"weights": [1, 1, 1], "threshold": 0.5, "chained": False},
    gap=None,
    scores={"sparse": [None if i is None else 100 - i for i in INDEX], "score": [10.04] * 10},
    index=INDEX,
    p_value=0.0003,
    p_values=[1, 1, 1, None, 0.2, 1, 1, 0.0003, 0.9, 0.8],
    test="robust z",
    critical_index=5.86,
    easy=[],
    critical_index_easy=None,
    flagged=[7, 4],
    targets=[7],
    seconds=1.5,
)


def picture(seed: int = 0, side: int = 32) -> str:
    """A PNG of noise, in base64: no real picture is larger."""
    return base64.b64encode(png(random_pixels(1, (side, side, 3), seed)[0], side)).decode()


PATCH = Patch(np.full((8, 8), 0.125, np.float32), np.full((8, 8, 3), 0.25, np.float32))
TRIGGER = TriggerInfo(
    label=7,
    npz=base64.b64encode(PATCH.to_npz()).decode(),
    size=8.5,
    success=0.97,
    held_out=32,
    control_size=69.7,
    control_success=0.9,
    convincing=True,
    mask=picture(1),
    pattern=picture(2),
    examples=[ExampleInfo(before=picture(3), after=picture(4), answer_before=2, answer_after=7)],
)
STAMP = StampInfo(
    **TRIGGER.model_dump()
    | {"size": 64.0, "success": 0.95, "control_size": None, "control_success": 0.02, "convincing": False},
    window=(20, 3, 8, 8),
    rival=0.25,
)
PAIR = PairInfo(**TRIGGER.model_dump() | {"source": 3, "elsewhere": 0.02, "foreign": 0.8})
ATTENTION = AttentionInfo(
    image=picture(5),
    answer=3,
    starts=24,
    heatmaps=[HeatmapInfo(label=label, picture=picture(label)) for label in (7, 4)],
)


TARGET = FindingInfo.of("BD001", "class 7 looks like the target of a backdoor", classes=[7])
BETWEEN = FindingInfo.of("BD004", "a trigger sends images of class 3 alone to class 7", classes=[3, 7])
NEARLY = FindingInfo.of("BD005", "class 7 nearly looks like the target of a backdoor (p = 0.02)", classes=[7])
QUIET = DETECTOR.model_copy(
    update={
        "targets": [],
        "p_value": 0.4,
        "index": [None if value is None else min(value, 2.4) for value in INDEX],
        "p_values": [None if value is None else 0.4 for value in INDEX],
    }
)
WHY_NOT = "43 classes, of which at most 20 are compared in pairs"
COVERAGE = [
    AnswerInfo(question="file", required=True, outcome="answered", by=["file rules"]),
    AnswerInfo(
        question="one-target",
        required=True,
        outcome="answered",
        by=["neuroninspect", "evidence"],
        power="finds 17 of 18 patches",
        attacks=[AttackInfo(attack="warping", found=2, of=5), AttackInfo(attack="patches", found=17, of=18)],
        measured=43,
    ),
    AnswerInfo(question="every-class", required=True, outcome="answered", by=["all-to-all"]),
    AnswerInfo(question="one-source", required=False, outcome="unanswered", why=WHY_NOT),
]


def example(**changes: Any) -> Result:
    """A suspected model of ten classes, with some fields changed."""
    fields: dict[str, Any] = {
        "schema": "ninspect/result/2",
        "date": "2026-01-02T03:04:05Z",
        "verdict": "suspected",
        "reason": TARGET.message,
        "targets": [7],
        "confidence": "high",
        "p_value": 0.0003,
        "alpha": 0.01,
        "coverage": COVERAGE,
        "findings": [TARGET],
        "classes": 10,
        "explained": list(range(10)),
        "model": MODEL,
        "samples": SAMPLES,
        "preprocess": PREPROCESS,
        "truth_tests": TRUTH,
        "detectors": [DETECTOR],
        "triggers": [TRIGGER],
        "attention": ATTENTION,
        "provider": "CPUExecutionProvider",
        "versions": {"ninspect": "0.1.0"},
        "seed": 0,
        "seconds": 2.25,
    }
    made = Result(**(fields | changes))
    return Result.model_validate(made.model_dump(by_alias=True))  # checks also what was copied with changes


def clean(*notes: FindingInfo, **changes: Any) -> Result:
    """A model in which nothing was found, and what was not looked for is known."""
    fields: dict[str, Any] = {
        "verdict": "clean",
        "reason": "no class stands out from the other 9 (p = 0.4)",
        "targets": [],
        "confidence": None,
        "p_value": 0.4,
        "findings": list(notes),
        "detectors": [QUIET],
        "triggers": [],
    }
    return example(**(fields | changes))


def inconclusive(*findings: FindingInfo, **changes: Any) -> Result:
    """A model that is kept from being clean, by a trigger from one class to another where nothing else is given."""
    found = list(findings or [BETWEEN])
    return clean(*found, **({"verdict": "inconclusive", "reason": found[0].message} | changes))


def unanswered(*questions: str) -> list[AnswerInfo]:
    """The coverage of the examples, with some questions left unanswered."""
    left: dict[str, Any] = {"outcome": "unanswered", "by": [], "why": "20 images are too few", "power": None}
    return [answer.model_copy(update=left if answer.question in questions else {}) for answer in COVERAGE]


def stopped(reason: str) -> Result:
    """A scan that could not even open the model."""
    nothing = Result.unread("models/signs.onnx", 0.01, 0)
    found = [FindingInfo.of("MD001", reason), *nothing.findings]
    return nothing.model_copy(update={"date": "2026-01-02T03:04:05Z", "reason": reason, "findings": found})
