import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import ninspect
from ninspect.audit import open as opening
from ninspect.audit.explain import explain_image
from ninspect.audit.stages import scan
from ninspect.detect import Activated, Detector, NeuronInspect
from ninspect.errors import UsageError
from ninspect.gradient.registry import RULES
from ninspect.model import Classifier, ModelFile, understand
from ninspect.report import Result
from ninspect.requests import ExplainRequest, ScanRequest
from ninspect.samples import load_samples
from ninspect.search.patch import Patch
from tests.audit.linear import PUBLISHED, UNIT, WITHOUT_PAIRS, answered, rules, scan_linear
from tests.support import (
    backdoored_weights,
    convolutional_model,
    even_weights,
    linear_answers,
    linear_model,
    linear_scan_files,
    onnx_model,
    random_pixels,
    save,
    save_images,
)

DETECTORS = [NeuronInspect(), Activated()]


# What the user accepts


def test_a_finding_that_is_accepted_stays_visible_and_does_not_count(tmp_path: Path) -> None:
    few = scan_linear(tmp_path, even_weights(), WITHOUT_PAIRS, count=9)
    accepted = scan_linear(tmp_path, even_weights(), WITHOUT_PAIRS | {"ignore": ["IM"]}, count=9)
    assert (few.verdict, accepted.verdict) == ("inconclusive", "clean")
    assert [(f.rule, f.ignored) for f in accepted.findings] == [("IM002", True)]


def test_an_accepted_suspicion_is_not_clean(tmp_path: Path) -> None:
    result = scan_linear(tmp_path, backdoored_weights(7), PUBLISHED | {"ignore": ["BD001"]})
    assert (result.verdict, result.targets, result.exit_code) == ("inconclusive", [], 3)
    assert [(f.rule, f.classes, f.ignored) for f in result.findings] == [("BD001", [7], True)]


@pytest.mark.parametrize("prefix", ["CV", "CV002", "XX", ""])
def test_only_findings_that_may_be_accepted_are(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(UsageError, match="--ignore"):
        scan_linear(tmp_path, even_weights(), PUBLISHED | {"ignore": [prefix]})


# The scan checks itself


def test_a_wrong_gradient_is_inconclusive_even_where_a_class_stands_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "Relu", lambda op, node, cotangent: [cotangent])
    pixels = random_pixels(50, (8, 8, 3))
    result = scan(save(convolutional_model(), tmp_path / "model.onnx"), save_images(tmp_path / "images.npz", pixels))
    assert (result.verdict, result.targets, result.detectors) == ("inconclusive", [], [])
    assert result.reason.startswith("the gradient is not the derivative of the logits (relative error ")
    assert {test.name: test.passed for test in result.truth_tests} == {"scores": True, "gradient": False}


def test_a_conversion_that_changes_the_model_is_inconclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def otherwise(file: ModelFile, proto: onnx.ModelProto, *options: object) -> Classifier:
        classifier = understand(file, proto)
        weights = classifier.model.graph.initializers["w"]
        weights.const_value = ir.tensor(np.zeros((144, 10), np.float32))
        return classifier

    monkeypatch.setattr(opening, "understand", otherwise)
    result = scan_linear(tmp_path, backdoored_weights(7))
    assert result.verdict == "inconclusive"
    assert result.reason.startswith("the converted model does not answer as the file does in ONNX Runtime")


# Requests that are wrong


def test_classes_that_the_model_does_not_have_are_refused(tmp_path: Path) -> None:
    for classes in ([3, 10], [-1]):
        with pytest.raises(UsageError, match=f"class {classes[-1]} is out of range; the model has the classes 0 to 9"):
            scan_linear(tmp_path, even_weights(), {"classes": classes})


def test_a_model_of_whole_numbers_must_get_pixels_as_they_are(tmp_path: Path) -> None:
    weights = even_weights()
    nodes = "c = Cast<to = 1>(x); f = Flatten(c); y = MatMul(f, w)"
    model = save(onnx_model(nodes, x="uint8[N,12,12,1] x", w=weights.reshape(10, 144).T), tmp_path / "model.onnx")
    pixels = random_pixels(200, (12, 12, 1))
    images = save_images(tmp_path / "images.npz", pixels, linear_answers(weights, pixels))
    with pytest.raises(UsageError, match=r"takes whole numbers \(uint8\); give --preset uint8"):
        scan(model, images, preprocess=UNIT)
    result = scan(model, images)
    assert result.verdict == "clean"
    assert result.preprocess is not None
    assert result.preprocess.scale == 1
    assert result.preprocess.source == "from the model's input, which is of whole numbers"
    assert result.samples is not None
    assert result.samples.clean_accuracy == 1


# The result


def test_the_result_says_what_was_scanned_and_how(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7), count=60)
    result = scan(model, images, preprocess=UNIT, images=55, seed=4, alpha=0.05, device="cpu")
    assert Result.model_validate_json(result.to_json()) == result
    assert (result.model.path, result.model.opset, result.model.input_shape) == (str(model), 18, [None, 1, 12, 12])
    assert result.model.input == "x"
    assert result.samples is not None
    assert (result.samples.kind, result.samples.count, result.samples.clean_accuracy) == ("npz", 55, 1)
    settings = result.preprocess
    assert settings is not None
    assert (settings.layout, settings.color, settings.size) == ("NCHW", "gray", (12, 12))
    assert settings.source == "from the options (scale)"
    assert (result.seed, result.alpha, result.classes, result.provider) == (4, 0.05, 10, "CPUExecutionProvider")
    assert {"ninspect", "onnx", "onnxruntime", "numpy", "python"} <= set(result.versions)
    names = ["activated", "windows", "agreement", "all-to-all", "evidence", "source-specific"]
    assert [one.name for one in result.detectors] == names
    detector = result.detectors[0]
    assert detector.settings == Activated().settings
    assert all(len(column) == 10 for column in (detector.index, *detector.scores.values()))
    assert detector.targets == result.targets == [7]
    assert detector.p_value == result.p_value


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_the_same_scan_gives_the_same_result(tmp_path: Path, detector: Detector) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7), count=80)
    first, second = (scan(model, images, detectors=[detector], images=50).model_dump() for _ in range(2))
    for result in (first, second):
        del result["date"], result["seconds"]
        for one in result["detectors"]:
            del one["seconds"]
    assert first == second


def test_a_scan_that_stops_early_reports_what_it_knows(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08")
    result = scan(tmp_path / "model.onnx", tmp_path / "never looked at")
    assert result.verdict == "inconclusive"
    assert result.reason.endswith("model.onnx is not an ONNX model, or is truncated; download or export it again")
    assert (result.samples, result.classes, result.explained, result.detectors) == (None, None, [], [])
    assert Result.model_validate_json(result.to_json()) == result


# One image


def test_an_explained_image_comes_with_its_heatmap_and_the_answer(tmp_path: Path) -> None:
    weights = backdoored_weights(7)
    pixels = random_pixels(1, (12, 12, 1))
    model = save(linear_model(weights), tmp_path / "model.onnx")
    np.save(tmp_path / "image.npy", np.rint(pixels * 255).astype(np.uint8))
    explanation = explain_image(ExplainRequest(model, image=tmp_path / "image.npy", label=7))
    assert np.array_equal(explanation.image, pixels[0])
    assert np.array_equal(explanation.heatmap > 0, weights[7, 0] != 0)
    assert explanation.predicted == linear_answers(weights, pixels)[0]
    assert explanation.value == pytest.approx((weights[7, 0] * pixels[0, :, :, 0]).sum(), rel=1e-4)
    with pytest.raises(UsageError, match="class 10 is out of range"):
        explain_image(ExplainRequest(model, image=tmp_path / "image.npy", label=10))


@pytest.mark.parametrize("wrong", ["activated", Activated], ids=["name", "class"])
def test_what_is_no_detector_is_refused(tmp_path: Path, wrong: Any) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    with pytest.raises(UsageError, match="detectors holds what is none"):
        scan(model, images, detectors=[wrong])


def test_what_is_known_so_far_is_told_and_is_no_verdict(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    told: list[Result] = []
    final = scan(model, images, so_far=told.append)
    assert final.verdict == "suspected"
    before = [result for result in told if not result.detectors]
    assert {result.verdict for result in before} == {"inconclusive"}
    assert [result.samples is not None for result in before] == [False, True, True]
    assert [len(result.truth_tests) for result in before] == [0, 0, 2]
    for result in told:  # what some of the detectors did not find is no answer
        assert {one.why for one in result.coverage[1:] if one.outcome != "skipped"} == {"the scan ended first"}
        assert not any(one.by for one in result.coverage[1:])
    stopped = told[-1].stopped("stopped by SIGTERM", 1.5)
    assert (stopped.verdict, stopped.targets, stopped.exit_code, stopped.seconds) == ("inconclusive", [], 3, 1.5)
    assert stopped.model.sha256 == final.model.sha256


def test_some_classes_are_no_answer_about_the_model_even_where_that_is_accepted(tmp_path: Path) -> None:
    some = PUBLISHED | {"classes": (0, 1, 2, 3, 4, 5, 6), "ignore": ["SC004"]}
    result = scan_linear(tmp_path, even_weights(), some)
    assert (result.verdict, list(answered(result))) == ("inconclusive", ["file"])
    assert "CV002" in rules(result)


def test_a_result_keeps_the_request_the_date_the_files_and_the_exact_triggers(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    request = ScanRequest(model, images, alpha=0.05, skip=("every-class",), methods=("neuroninspect",))
    result = Result.from_json(scan(request).to_json())
    assert result.request == request
    assert datetime.now(UTC) - datetime.fromisoformat(result.date) < timedelta(minutes=5)
    assert [(file.name, file.sha256) for file in result.model.files] == [("model.onnx", result.model.sha256)]
    assert result.samples is not None
    assert result.samples.sha256 == load_samples(images, image_shape=(12, 12, 1), limit=200).sha256
    (trigger,) = (one for one in result.triggers if one.label == 7)
    patch = Patch.from_npz(base64.b64decode(trigger.npz))
    network = ninspect.open_network(request)
    sent = network.logits(patch.stamp(load_samples(images, image_shape=(12, 12, 1)).unit_pixels)).argmax(axis=1)
    assert patch.size == pytest.approx(trigger.size)
    assert (sent == 7).mean() > 0.9
