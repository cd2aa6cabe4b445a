"""Scans of linear models, of which the right result follows from the weights."""

from pathlib import Path
from typing import Any

from ninspect.audit.stages import scan
from ninspect.detect import NeuronInspect
from ninspect.report import Result
from ninspect.requests import PreprocessOptions
from tests.support import (
    Array,
    linear_scan_files,
)

Asking = dict[str, Any]  # of `ninspect.scan`

# What it says about a linear model follows from the weights. It does not look for all-to-all backdoors.
PUBLISHED: Asking = {"detectors": [NeuronInspect()], "skip": ("every-class",)}
WITHOUT_PAIRS = PUBLISHED | {"skip": ("every-class", "one-source")}
UNIT = PreprocessOptions(scale=1 / 255)


def scan_linear(folder: Path, weights: Array, options: Asking = PUBLISHED, *, count: int = 200) -> Result:
    model, images = linear_scan_files(folder, weights, count)
    asking: Asking = {"preprocess": UNIT} | options
    return scan(model, images, **asking)


def rules(result: Result) -> list[str]:
    return [finding.rule for finding in result.findings]


def answered(result: Result) -> dict[str, list[str]]:
    """The questions that have an answer, with what answered them."""
    return {answer.question: answer.by for answer in result.coverage if answer.outcome == "answered"}
