from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ninspect.audit.stages import scan
from ninspect.errors import UsageError
from ninspect.report import Result
from tests.audit.linear import UNIT, Asking
from tests.support import (
    Array,
    backdoored_weights,
    even_weights,
    linear_answers,
    linear_model,
    random_pixels,
    save,
    save_images,
)

NAMES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay")
# Its images are enough for the comparison, and the methods before it are not what is tested.
QUICK: Asking = {"preprocess": UNIT, "detectors": [], "evidence": False, "skip": ("every-class",)}


def scanned(folder: Path, reference: Array, *, names: tuple[str, ...] = (), **options: Any) -> Result:
    """A linear model beside another one, each in a folder of its own, the latter perhaps with names beside it."""
    weights = even_weights()
    pixels = random_pixels(200, (12, 12, 1))
    (folder / "trusted").mkdir(exist_ok=True)
    if names:
        (folder / "trusted" / "classes.txt").write_text("\n".join(names))
    model = save(linear_model(weights), folder / "model.onnx")
    trusted = save(linear_model(reference), folder / "trusted" / "old.onnx")
    images = save_images(folder / "images.npz", pixels, linear_answers(weights, pixels))
    return scan(model, images, reference=(trusted,), **(QUICK | options))


def close(seed: int = 1) -> Array:
    """The model's weights, changed a little."""
    return even_weights() + np.random.default_rng(seed).normal(0, 0.01, (10, 1, 12, 12))


def test_the_reference_is_shown_beside_the_model(tmp_path: Path) -> None:
    result = scanned(tmp_path, close())
    (one,) = result.references
    assert (one.path, one.matched) == (str(tmp_path / "trusted" / "old.onnx"), "by number")
    assert one.agreement > 0.9
    assert one.accuracy == pytest.approx(one.agreement)
    assert sum(change.images for change in one.changes) == 200
    assert {change.accuracy for change in one.changes} == {1.0}
    assert [detector.name for detector in result.detectors] == ["reference"]
    assert list(result.detectors[0].scores) == ["model", "reference", "gain"]


def test_classes_in_another_order_are_found_by_their_names(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(10)
    plain = scanned(tmp_path, close(), class_names=NAMES)
    shuffled = scanned(tmp_path, close()[order], names=tuple(NAMES[i] for i in order), class_names=NAMES)
    assert (plain.references[0].matched, shuffled.references[0].matched) == ("by number", "by name")
    assert shuffled.references[0].agreement == plain.references[0].agreement
    assert shuffled.detectors[0].index == pytest.approx(plain.detectors[0].index, abs=0.05)


def test_a_class_map_says_which_class_a_name_is(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(10)
    names = tuple(f"thing {NAMES[i]}" for i in order)
    numbers = {name: int(i) for name, i in zip(names, order, strict=True)} | {str(i): i for i in range(10)}
    result = scanned(tmp_path, close()[order], names=names, class_names=NAMES, class_map=numbers)
    assert result.references[0].matched == "by the class map"
    assert result.references[0].agreement > 0.9


def test_names_that_the_model_does_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1 of 10 classes of the reference .* such as 'yak'; .* with --class-map"):
        scanned(tmp_path, close(), names=(*NAMES[:9], "yak"), class_names=NAMES)
    twice = {name: min(number, 8) for number, name in enumerate(NAMES)} | {str(i): i for i in range(10)}
    with pytest.raises(UsageError, match=r"class 9 of the model is not one class of the reference"):
        scanned(tmp_path, close(), names=NAMES, class_map=twice)


def test_a_reference_that_cannot_be_read_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07nonsense")
    model = save(linear_model(even_weights()), tmp_path / "model.onnx")
    images = save_images(tmp_path / "images.npz", random_pixels(50, (12, 12, 1)))
    with pytest.raises(UsageError, match=r"the reference .*broken\.onnx cannot be used: "):
        scan(model, images, reference=(tmp_path / "broken.onnx",), **QUICK)


def test_a_reference_with_the_same_backdoor_takes_no_suspicion_back(tmp_path: Path) -> None:
    weights = backdoored_weights(7)
    pixels = random_pixels(200, (12, 12, 1))
    model = save(linear_model(weights), tmp_path / "model.onnx")
    twin = save(linear_model(weights * 1.01), tmp_path / "twin.onnx")
    images = save_images(tmp_path / "images.npz", pixels, linear_answers(weights, pixels))
    asked: Asking = {"preprocess": UNIT, "methods": ("activated",), "evidence": False}
    alone, beside = scan(model, images, **asked), scan(model, images, reference=(twin,), **asked)
    assert (alone.verdict, alone.targets) == ("suspected", [7])
    assert (beside.verdict, beside.targets, beside.p_value) == ("suspected", [7], alone.p_value)
