"""What is said of a quantised network, whose gradient is an estimate."""

import json
from pathlib import Path

import numpy as np
import pytest

from ninspect.report import Result
from tests.support import convolutional_model, ninspect, random_pixels, save, save_images

WARNING = "gradients are straight-through estimates and can miss a backdoor; scan the model from before quantisation"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network in full precision, the same one quantised, and images."""
    zero = np.array(0, np.int8)
    quantized = "r = Relu(c); q = QuantizeLinear(r, step, zero); a = DequantizeLinear(q, step, zero)"
    save(convolutional_model(), tmp_path / "full.onnx")
    save(convolutional_model(nodes=quantized, step=0.1, zero=zero), tmp_path / "quantised.onnx")
    save_images(tmp_path / "images.npz", random_pixels(50, (8, 8, 3)))
    return tmp_path


@pytest.mark.parametrize(("model", "kind"), [("full.onnx", "exact"), ("quantised.onnx", "straight-through")])
def test_every_command_says_what_the_gradient_is(folder: Path, model: str, kind: str) -> None:
    options = ["--method", "activated", "--skip", "every-class", "--format", "json"]
    run = ninspect("scan", model, "-s", "images.npz", *options, cwd=folder)
    result = Result.model_validate_json(run.stdout)
    assert run.returncode == result.exit_code
    assert all(test.passed for test in result.truth_tests)
    assert result.model.gradient == kind
    assert ("MD004" in [finding.rule for finding in result.findings]) == (kind == "straight-through")
    assert (result.verdict == "clean") == (kind == "exact")
    info = ninspect("info", model, "--format", "json", cwd=folder)
    assert json.loads(info.stdout)["gradient"] == kind
    augment = ninspect("augment", model, "-o", "gradient.onnx", cwd=folder)
    assert augment.stdout.endswith(f"\ngradient  {kind}\n")


def test_the_report_for_people_says_so_too(folder: Path) -> None:
    report = ninspect("scan", "quantised.onnx", "-s", "images.npz", cwd=folder).stdout
    assert "  gradient   straight-through\n" in report
    assert WARNING in " ".join(report.split())
