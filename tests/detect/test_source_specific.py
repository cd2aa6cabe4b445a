from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ninspect.audit.stages import scan
from ninspect.detect import Case, Examination, SourceSpecific
from ninspect.detect.examination import judge
from ninspect.requests import PreprocessOptions
from ninspect.runtime import Pixels
from tests.detect.sources import CLASSES, SOURCE, TARGET, images, row_model
from tests.support import even_weights, linear_model, open_network, random_pixels, save, save_images


def case(folder: Path, gate: float, pixels: Pixels, *earlier: Examination) -> Case:
    network = open_network(row_model(gate), folder)
    return Case(network, pixels, np.arange(CLASSES), 0, lambda done, total: None, list(earlier))


def examine(folder: Path, gate: float, pixels: Pixels, *earlier: Examination) -> Examination:
    return SourceSpecific().examine(case(folder, gate, pixels, *earlier))


def test_the_trigger_of_a_backdoor_with_a_source_class_is_found_and_works_on_that_class_alone(tmp_path: Path) -> None:
    found = examine(tmp_path, 1, images())
    (trigger,) = found.pairs
    assert found.gap is None
    assert (found.triggers, found.p_value) == ((), None)
    assert (trigger.source, trigger.label) == (SOURCE, TARGET)
    assert trigger.success >= 0.8
    assert trigger.elsewhere <= 0.1
    assert trigger.size <= 0.5 * trigger.control_size
    before, after = trigger.answers
    assert set(before.tolist()) == {SOURCE}
    assert TARGET in after
    assert np.argwhere(trigger.patch.mask > 0.2).tolist() == [[10, 10], [10, 11], [11, 10], [11, 11]]


def test_a_trigger_that_works_on_one_half_of_the_images_alone_is_not_convincing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = images()
    own = slice(SOURCE * 16, (SOURCE + 1) * 16)
    pixels[own, SOURCE] = np.tile([0.88, 0.92], 8)[:, None, None]  # every other image needs a brighter patch
    assert examine(tmp_path, 1, pixels).pairs == ()
    monkeypatch.setattr("ninspect.detect.source_specific._confirmed", lambda search, trigger: True)
    assert [(one.source, one.label) for one in examine(tmp_path, 1, pixels).pairs] == [(SOURCE, TARGET)]


def test_a_backdoor_for_images_of_all_classes_is_not_one_with_a_source(tmp_path: Path) -> None:
    found = examine(tmp_path, 0, images())
    assert (found.pairs, found.gap) == ((), None)


def test_classes_that_are_alike_have_no_convincing_pair(tmp_path: Path) -> None:
    others = np.setdiff1d(np.arange(CLASSES), [TARGET])
    found = SourceSpecific().examine(replace(case(tmp_path, 1, images()), classes=others))
    assert (found.pairs, found.gap) == ((), None)


def untouched(given: Case) -> Case:
    """The same, where a search would be an error."""

    def refuse(done: int, total: int) -> None:
        raise AssertionError("it searches")

    return replace(given, progress=refuse)


def test_it_does_not_look_where_no_class_has_enough_images(tmp_path: Path) -> None:
    found = SourceSpecific().examine(untouched(case(tmp_path, 1, images(7))))
    assert found.pairs == ()
    assert found.gap == "0 of 8 classes have the 8 images that it takes; give more"


def test_where_some_classes_have_too_few_images_it_looks_at_the_others_and_has_a_gap(tmp_path: Path) -> None:
    pixels = np.delete(images(), slice(16, 25), axis=0)  # of class 1 seven are left
    found = examine(tmp_path, 1, pixels)
    assert [(trigger.source, trigger.label) for trigger in found.pairs] == [(SOURCE, TARGET)]
    assert found.gap == "7 of 8 classes have the 8 images that it takes; give more"


def test_it_does_not_look_where_there_are_many_classes(tmp_path: Path) -> None:
    network = open_network(linear_model(even_weights(classes=43)), tmp_path)
    pixels = random_pixels(20, (12, 12, 1))
    given = Case(network, pixels, np.arange(43), 0, lambda done, total: None)
    found = SourceSpecific().examine(untouched(given))
    assert (found.pairs, found.gap) == ((), "43 classes")


def test_it_does_not_look_where_a_class_is_suspected_already(tmp_path: Path) -> None:
    suspicion = judge("method", np.arange(CLASSES), {}, np.array([20.0, *np.linspace(-1, 1, CLASSES - 1)]))
    found = SourceSpecific().examine(untouched(case(tmp_path, 1, images(), suspicion)))
    assert (found.pairs, found.gap) == ((), "a class is suspected already")


def test_what_is_a_suspicion_depends_on_alpha_and_on_how_many_methods_looked(tmp_path: Path) -> None:
    def method(name: str, p: float) -> Examination:
        return replace(judge(name, np.arange(CLASSES), {}, np.zeros(CLASSES)), p_values=np.full(CLASSES, p))

    once = SourceSpecific(alpha=0.05)
    one, two = (case(tmp_path, 0, images(7), method("a", 0.03), *more) for more in ((), (method("b", 0.9),)))
    assert once.examine(one).gap == "a class is suspected already"
    assert once.examine(two).gap != "a class is suspected already"
    assert SourceSpecific(alpha=0.01).examine(one).gap != "a class is suspected already"


def test_the_same_seed_gives_the_same_trigger(tmp_path: Path) -> None:
    (first,), (second,) = (examine(tmp_path, 1, images()).pairs for _ in range(2))
    assert np.array_equal(first.patch.mask, second.patch.mask)
    assert (first.success, first.control_size, first.foreign) == (second.success, second.control_size, second.foreign)


def test_a_scan_that_finds_one_is_inconclusive_and_shows_it(tmp_path: Path) -> None:
    model, files = save(row_model(1), tmp_path / "model.onnx"), save_images(tmp_path / "images.npz", images())
    # The target is drawn so strongly here that it stands out at the default α, and then no pair is sought.
    result = scan(model, files, preprocess=PreprocessOptions(scale=1 / 255), alpha=0.001)
    assert (result.verdict, result.targets, result.exit_code) == ("inconclusive", [], 3)
    assert f"of class {SOURCE} alone to class {TARGET}" in result.reason
    assert [(trigger.source, trigger.label) for trigger in result.pairs] == [(SOURCE, TARGET)]
