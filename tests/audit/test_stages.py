from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from ninspect.audit.stages import scan
from ninspect.detect import MMBD, Activated, Detector, NeuronInspect, Weights
from ninspect.gradient.registry import RULES
from ninspect.names import Question
from tests.audit.linear import PUBLISHED, UNIT, WITHOUT_PAIRS, answered, rules, scan_linear
from tests.support import (
    Array,
    backdoored_weights,
    convolutional_model,
    dormant_model,
    even_weights,
    linear_answers,
    linear_model,
    linear_scan_files,
    random_pixels,
    save,
    save_images,
)

DETECTORS = [NeuronInspect(), Activated()]


# The three verdicts


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_classes_that_are_alike_are_clean(tmp_path: Path, detector: Detector) -> None:
    result = scan_linear(tmp_path, even_weights(), PUBLISHED | {"detectors": [detector]})
    assert (result.verdict, result.targets, result.exit_code) == ("clean", [], 0)
    assert "no class stands out from the other 9" in result.reason
    assert result.p_value is not None
    assert result.p_value > 0.01
    assert rules(result) == []


@pytest.mark.parametrize("target", [0, 7])
@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_a_class_that_looks_at_a_few_pixels_is_suspected(tmp_path: Path, target: int, detector: Detector) -> None:
    result = scan_linear(tmp_path, backdoored_weights(target), {"detectors": [detector]})
    assert (result.verdict, result.targets, result.exit_code) == ("suspected", [target], 1)
    assert result.reason.startswith(f"class {target} looks like the target of a backdoor, compared with all 10 classes")
    assert result.p_value is not None
    assert result.p_value < 0.001


def test_two_targets_are_both_named(tmp_path: Path) -> None:
    weights = backdoored_weights(3, classes=20)
    weights[11] = backdoored_weights(11, classes=20, seed=1)[11]
    result = scan_linear(tmp_path, weights, count=100)
    assert sorted(result.targets) == [3, 11]
    assert "classes 3, 11 look" in result.reason or "classes 11, 3 look" in result.reason


def test_a_trigger_that_sleeps_on_clean_images_is_found_by_default_and_not_as_published(tmp_path: Path) -> None:
    weights = even_weights()
    weights[7, 0, 1:4, 1:4] = 1
    pixels = random_pixels(50, (12, 12, 1))
    model = save(dormant_model(weights, target=7), tmp_path / "model.onnx")
    images = save_images(tmp_path / "images.npz", pixels, linear_answers(weights, pixels))
    published, result = scan(model, images, **WITHOUT_PAIRS), scan(model, images)
    assert (published.verdict, published.detectors[0].name) == ("clean", "neuroninspect")
    assert (result.verdict, result.targets, result.detectors[0].name) == ("suspected", [7], "activated")


def test_without_images_drawn_pictures_are_enough_to_suspect_but_not_to_call_clean(tmp_path: Path) -> None:
    """They cannot show that every class has a trigger of its own."""
    for weights, verdict, reason in (
        (even_weights(), "inconclusive", "no class stands out from the other 9 (p = 1), but triggers that send"),
        (backdoored_weights(7), "suspected", "class 7 looks like the target of a backdoor"),
    ):
        model, _ = linear_scan_files(tmp_path, weights, 50)
        result = scan(model)
        assert (result.verdict, result.reason[: len(reason)]) == (verdict, reason)
        assert result.samples is None
        assert "IM001" in rules(result)
        assert {"CV002", "CV003"} <= set(rules(result))
        assert list(answered(result)) == ["file"]
        assert [detector.p_value is None for detector in result.detectors] == [False, False, False, True, True, True]
        assert {"clean images are needed; give --samples"} == {one.why for one in result.coverage[1:] if one.required}


def test_a_detector_that_needs_images_alone_is_inconclusive_without(tmp_path: Path) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights(), 50)
    result = scan(model, **PUBLISHED)
    assert (result.verdict, rules(result)) == ("inconclusive", ["IM001", "CV002"])
    assert "clean images are needed" in result.reason


@pytest.mark.parametrize("detector", [Activated(), Weights(), MMBD(starts=2, steps=2)], ids=lambda one: one.name)
@pytest.mark.parametrize("skip", [[], ["every-class"], ["every-class", "one-source"]], ids=str)
def test_no_method_clears_a_model_without_images(tmp_path: Path, detector: Detector, skip: list[Question]) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights(), 50)
    result = scan(model, detectors=[detector], skip=skip)
    assert (result.verdict, result.exit_code) == ("inconclusive", 3)
    assert "CV002" in rules(result)


# Never clean where nothing can be known


@pytest.mark.parametrize(
    ("weights", "count", "classes", "reason"),
    [
        (
            np.zeros((10, 1, 12, 12)),
            50,
            None,
            "no difference between the classes, as in a model with a constant output",
        ),
        (even_weights(classes=3), 50, None, "3 classes can be compared"),
        (even_weights(classes=2), 50, None, "2 classes can be compared"),
        (even_weights() * np.eye(10)[:9].sum(0).reshape(10, 1, 1, 1), 50, None, "so nothing was measured, for class 9"),
        (even_weights(), 9, None, "9 images are too few; give at least 10, better 50"),
        (even_weights(), 50, [0, 1, 2, 3, 4, 5, 6], "only 7 of 10 classes were examined"),
        (even_weights(), 50, [4], "only 1 of 10 classes were examined"),
    ],
    ids=["constant", "three classes", "two classes", "a class without gradient", "few images", "a subset", "one class"],
)
def test_what_cannot_be_judged_is_inconclusive(
    tmp_path: Path, weights: Array, count: int, classes: list[int] | None, reason: str
) -> None:
    result = scan_linear(tmp_path, weights, PUBLISHED | {"classes": classes}, count=count)
    assert (result.verdict, result.targets, result.exit_code) == ("inconclusive", [], 3)
    assert reason in result.reason
    assert "near chance" not in result.reason
    assert result.model.sha256 is not None


def test_of_three_classes_one_with_a_small_trigger_is_suspected(tmp_path: Path) -> None:
    weights = 0.02 * np.random.default_rng(0).standard_normal((3, 1, 12, 12))
    weights[1, 0, 4, 4] = 20  # one pixel decides
    result = scan_linear(tmp_path, weights, {})
    assert (result.verdict, result.targets, result.confidence, result.p_value) == ("suspected", [1], "low", None)
    assert "CV002" in rules(result)
    assert "fewer than 5 mean nothing" in next(f.message for f in result.findings if f.rule == "CV002")
    assert next(f.message for f in result.findings if f.rule == "CV003").endswith("cannot be ruled out either")


def test_a_suspect_among_a_subset_or_few_images_is_still_suspected(tmp_path: Path) -> None:
    for count, classes in ((50, [1, 2, 4, 5, 6, 7, 8]), (9, None)):
        result = scan_linear(tmp_path, backdoored_weights(7), PUBLISHED | {"classes": classes}, count=count)
        assert (result.verdict, result.targets) == ("suspected", [7])


def test_copies_of_an_image_do_not_count(tmp_path: Path) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights())
    pixels = np.repeat(random_pixels(9, (12, 12, 1)), 10, axis=0)
    images = save_images(tmp_path / "copies.npz", pixels)
    result = scan(model, images, **(PUBLISHED | {"preprocess": UNIT}))
    assert result.verdict == "inconclusive"
    assert "9 different images (90 with copies) are too few; give at least 10, better 50" in result.reason


def test_images_that_carry_a_patch_deserve_a_warning(tmp_path: Path) -> None:
    weights = even_weights()
    model, _ = linear_scan_files(tmp_path, weights)
    pixels = random_pixels(50, (weights.shape[2], weights.shape[3], weights.shape[1]))
    pixels[:8, 2:5, 3:6] = 1
    images = save_images(tmp_path / "stamped.npz", pixels, linear_answers(weights, pixels))
    result = scan(model, images, **(WITHOUT_PAIRS | {"preprocess": UNIT}))
    assert [(finding.rule, finding.message) for finding in result.findings] == [
        (
            "IM005",
            "8 images are alike in a patch of 3×3 pixels at row 2, column 3: if that is a trigger, "
            "the images are not clean, and a backdoor can be missed",
        )
    ]


def test_evidence_can_be_left_out_and_then_no_question_about_one_class_is_answered(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    assert len(scan(model, images, **PUBLISHED).triggers) == 3
    result = scan(model, images, **(PUBLISHED | {"evidence": False}))
    assert (result.verdict, result.triggers, rules(result)) == ("clean", [], ["PP002", "SC005"])
    assert answered(result) == {"file": ["file rules"], "one-target": ["neuroninspect"]}
    result = scan(model, images, **(PUBLISHED | {"evidence": False, "require": ["one-source"]}))
    assert (result.verdict, rules(result)) == ("inconclusive", ["PP002", "SC005", "CV004"])


def test_images_that_nothing_vouches_for_are_said_to_be_of_doubt(tmp_path: Path) -> None:
    weights = 1e-3 * even_weights()
    model, images = linear_scan_files(tmp_path, weights)
    assert rules(scan(model, images, **PUBLISHED | {"preprocess": UNIT})) == []
    with np.load(images) as arrays:
        np.save(tmp_path / "unlabelled.npy", arrays["x"])
    result = scan(model, tmp_path / "unlabelled.npy", **PUBLISHED | {"preprocess": UNIT})
    assert rules(result) == ["IM012"]
    assert "half get a probability below 10%" in result.findings[0].message


def test_an_end_that_lets_no_gradient_through_is_named(tmp_path: Path) -> None:
    model = linear_model(even_weights(), head="p = Softmax(logits); y = Clip(p, low, high)")
    bounds = {"low": 0.4, "high": 0.41}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in bounds.items()
    )
    images = save_images(tmp_path / "images.npz", random_pixels(60, (12, 12, 1)))
    result = scan(save(model, tmp_path / "model.onnx"), images, **PUBLISHED | {"preprocess": UNIT})
    assert (result.verdict, rules(result)[0]) == ("inconclusive", "SC002")
    assert "the gradient is zero everywhere; the scores are made by Clip (it makes 'y')" in result.reason


def test_few_images_deserve_a_warning(tmp_path: Path) -> None:
    result = scan_linear(tmp_path, even_weights(), WITHOUT_PAIRS, count=20)
    assert result.verdict == "clean"
    assert [finding.message for finding in result.findings] == ["20 images find fewer backdoors than 50 or more would"]
    assert rules(result) == ["IM003"]


def test_clean_accuracy_near_chance_is_never_clean(tmp_path: Path) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights())
    pixels = random_pixels(200, (12, 12, 1))
    right = linear_answers(even_weights(), pixels)
    for wrong, share, verdict in ((166, "17%", "inconclusive"), (40, "80%", "clean")):
        labels = np.where(np.arange(200) < wrong, (right + 1) % 10, right)
        result = scan(model, save_images(tmp_path / "images.npz", pixels, labels), **PUBLISHED)
        assert result.verdict == verdict
        assert result.samples is not None
        assert f"{result.samples.clean_accuracy:.0%}" == share
        assert ("clean accuracy is 17%, near chance" in result.reason) == (verdict == "inconclusive")


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_one_answer_for_all_images_is_neither_clean_nor_suspected(tmp_path: Path, detector: Detector) -> None:
    weights = even_weights()
    weights[4] += 1
    model, _ = linear_scan_files(tmp_path, weights)
    images = save_images(tmp_path / "unlabelled.npz", random_pixels(50, (12, 12, 1)))
    result = scan(model, images, detectors=[detector])
    assert (result.verdict, result.targets) == ("inconclusive", [])
    assert "the model answers class 4 for every image" in result.reason
    assert result.samples is not None
    assert result.samples.clean_accuracy is None


def test_one_image_says_nothing_about_every_image(tmp_path: Path) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights())
    result = scan(model, save_images(tmp_path / "one.npz", random_pixels(1, (12, 12, 1))))
    assert result.verdict == "inconclusive"
    assert "1 image is too few" in result.reason
    assert "for every image" not in result.reason


def test_damaged_weights_are_inconclusive(tmp_path: Path) -> None:
    weights = even_weights()
    weights[2, 0, 0, 0] = np.nan
    result = scan_linear(tmp_path, weights)
    assert result.verdict == "inconclusive"
    assert "holds NaN or infinite values" in result.reason


def test_an_unsupported_operator_is_named_with_its_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for operator in ("Relu", "Conv"):
        monkeypatch.delitem(RULES, operator)
    model = convolutional_model()
    model.graph.node[0].name = "first"
    images = save_images(tmp_path / "images.npz", random_pixels(20, (8, 8, 3)))
    result = scan(save(model, tmp_path / "model.onnx"), images)
    assert result.verdict == "inconclusive"
    assert (
        "operator Conv (node 'first') has no gradient rule; without a rule in this model: Conv, Relu;" in result.reason
    )


@pytest.mark.parametrize(
    ("classes", "count", "why"),
    [(10, 50, "of 10 classes have the 8 images that it takes; give more"), (30, 400, "30 classes")],
)
def test_backdoors_of_one_class_are_asked_for_only_where_that_is_required(
    tmp_path: Path, classes: int, count: int, why: str
) -> None:
    weights = even_weights(classes=classes)
    result = scan_linear(tmp_path, weights, count=count)
    assert (result.verdict, rules(result)) == ("clean", [])
    assert (result.coverage[3].question, result.coverage[3].outcome) == ("one-source", "unanswered")
    assert (result.coverage[3].why or "").endswith(why)
    for asking in (PUBLISHED | {"require": ["one-source"]}, PUBLISHED | {"strict": True}):
        result = scan_linear(tmp_path, weights, asking, count=count)
        assert (result.verdict, rules(result)) == ("inconclusive", ["CV004"])
        assert result.reason.startswith(f"no class stands out from the other {classes - 1} (")
        assert why in result.reason
    result = scan_linear(tmp_path, weights, WITHOUT_PAIRS | {"strict": True}, count=count)
    assert (result.verdict, result.coverage[3].outcome) == ("clean", "skipped")


@pytest.mark.parametrize("tail", ["Clip(logits, low, high)", "HardSigmoid(logits)"])
def test_an_end_that_loses_some_of_the_gradients_is_named(tmp_path: Path, tail: str) -> None:
    """A backdoored network whose scores saturate would look clean."""
    operator = tail.partition("(")[0]
    model = linear_model(backdoored_weights(7), head=f"y = {tail}")
    if operator == "Clip":
        bounds = {"low": -1.0, "high": 1.0}
        model.graph.initializer.extend(
            numpy_helper.from_array(np.array(bounds[name], np.float32), name) for name in bounds
        )
    images = save_images(tmp_path / "images.npz", random_pixels(60, (12, 12, 1)))
    result = scan(save(model, tmp_path / "model.onnx"), images, **PUBLISHED | {"preprocess": UNIT})
    assert (result.verdict, rules(result)[0]) == ("inconclusive", "SC002")
    assert f"% of the scores; the scores are made by {operator} " in result.reason
