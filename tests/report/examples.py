"""A result to report."""

from __future__ import annotations

import base64
from typing import Any

from ninspect.report import Result
from ninspect.report.picture import png
from ninspect.report.schema import (
    AttentionInfo,
    DetectorInfo,
    ExampleInfo,
    HeatmapInfo,
    ModelInfo,
    PreprocessInfo,
    SampleInfo,
    TriggerInfo,
    TruthInfo,
)
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
    settings={"weights": [1, 1, 1], "threshold": 0.5, "chained": False},
    skipped=None,
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
    problem=None,
    seconds=1.5,
)


def picture(seed: int = 0, side: int = 32) -> str:
    """A PNG of noise, in base64: no real picture is larger."""
    return base64.b64encode(png(random_pixels(1, (side, side, 3), seed)[0], side)).decode()


TRIGGER = TriggerInfo(
    label=7,
    source=None,
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
ATTENTION = AttentionInfo(
    image=picture(5),
    answer=3,
    starts=24,
    heatmaps=[HeatmapInfo(label=label, picture=picture(label)) for label in (7, 4)],
)


def example(**changes: Any) -> Result:
    """A suspected model of ten classes, with some fields changed."""
    fields: dict[str, Any] = {
        "schema": "ninspect/result/1",
        "verdict": "suspected",
        "reason": "class 7 looks like the target of a backdoor",
        "targets": [7],
        "confidence": "high",
        "p_value": 0.0003,
        "alpha": 0.01,
        "classes": 10,
        "class_names": [],
        "explained": list(range(10)),
        "model": MODEL,
        "samples": SAMPLES,
        "preprocess": PREPROCESS,
        "truth_tests": TRUTH,
        "detectors": [DETECTOR],
        "triggers": [TRIGGER],
        "attention": ATTENTION,
        "warnings": [],
        "provider": "CPUExecutionProvider",
        "versions": {"ninspect": "0.1.0"},
        "seed": 0,
        "seconds": 2.25,
    }
    made = Result(**(fields | changes))
    return Result.model_validate(made.model_dump(by_alias=True))  # checks also what was copied with changes


def stopped(reason: str) -> Result:
    """A scan that could not even open the model."""
    return example(
        verdict="inconclusive",
        reason=reason,
        targets=[],
        confidence=None,
        p_value=None,
        classes=None,
        explained=[],
        model=ModelInfo(path="models/signs.onnx"),
        samples=None,
        truth_tests=[],
        detectors=[],
        triggers=[],
        attention=None,
        provider=None,
    )
