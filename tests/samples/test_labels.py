"""How the classes of a data set get the numbers of the model."""

from pathlib import Path

import numpy as np
import pytest

from ninspect.errors import UsageError
from ninspect.model import with_background
from ninspect.samples.labels import Labels, number_classes
from ninspect.samples.naming import ClassNames

HERE = Path("data")
SIGNS = ("Stop", "give way", "speed limit 30")


def numbered(names: list[str], class_names: tuple[str, ...] = (), classes: int | None = None) -> dict[str, int] | None:
    """The number of each label."""
    labels = Labels.of_texts(names)
    numbers = number_classes(labels, HERE, None, class_names, classes).numbers
    return None if numbers is None else dict(zip(labels.names, numbers, strict=True))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["speed_limit-30", "STOP", "Give Way"], [2, 0, 1]),
        (["03_speed limit 30", "001.stop"], [2, 0]),
        (["give  way "], [1]),
        (["ｓｔｏｐ", "give way"], [0, 1]),
    ],
)
def test_names_of_the_model_are_recognised_as_people_spell_them(names: list[str], expected: list[int]) -> None:
    assert numbered(names, SIGNS, 3) == dict(zip(names, expected, strict=True))


@pytest.mark.parametrize(
    "names",
    [
        ("n01440764 tench, Tinca tinca", "n02012849 crane", "n03126707 crane"),
        ("tench, Tinca tinca (n01440764)", "crane n02012849", "crane n03126707"),
    ],
)
def test_names_of_imagenet_are_recognised_by_number_and_by_synonym(names: tuple[str, ...]) -> None:
    known = ClassNames(names)
    assert [known.number(label) for label in ("n01440764", "Tench", "tinca_tinca", "n03126707")] == [0, 0, 0, 2]
    assert known.number("n03126707-crane") == 2
    assert known.number("crane") is None  # the bird, or what lifts
    assert known.number("n0144076") is None


def test_a_name_that_is_whole_comes_before_one_in_a_list() -> None:
    known = ClassNames(["maillot", "maillot, tank suit"])
    assert (known.number("maillot"), known.number("tank suit")) == (0, 1)


def test_accents_are_the_same_however_they_are_encoded() -> None:
    assert ClassNames(["Müsli", "cafe\u0301"]).number("CAFÉ") == 1
    assert ClassNames(["Mu\u0308sli"]).number("müsli") == 0


def test_names_that_are_numbers_are_names_where_the_model_has_all_of_them() -> None:
    """A network that was trained on folders in the order of strings."""
    in_order_of_strings = ("1", "10", "2")
    assert numbered(["1", "2", "10"], in_order_of_strings, 3) == {"1": 0, "2": 2, "10": 1}
    assert numbered(["0", "1", "2"], in_order_of_strings, 3) == {"0": 0, "1": 1, "2": 2}


def test_numbers_in_arrays_are_no_names() -> None:
    labels = Labels.of_numbers(np.array([2, 1, 1]))
    assert number_classes(labels, HERE, None, ("1", "10", "2"), 3).numbers == [1, 2]


def test_names_of_which_only_some_are_known_are_refused() -> None:
    with pytest.raises(UsageError, match=r"1 of 3 labels in data are no class of the model.*\(yield\), though others"):
        numbered(["stop", "give way", "yield"], SIGNS, 3)


@pytest.mark.parametrize(
    ("names", "classes", "expected"),
    [
        (["dog", "cat"], 2, [0, 1]),
        (["dog", "cat"], None, [0, 1]),
        (["b", "a"], 10, [0, 1]),
        (["7", "007", "3.0"], 10, [7, 3, 7]),
        (["03_stop", "7_yield"], 10, [3, 7]),
        (["003.stop", "7_yield"], 7, [2, 6]),
        (["2021 cats", "2022 dogs"], 10, [0, 1]),  # years
        (["1_cat", "1_dog"], 10, [0, 1]),
        (["class1", "class2", "class10"], 10, [0, 1, 2]),  # not all of them: the numbers may be of something else
        ([f"class{number}" for number in range(1, 11)], 10, [0, 9, 1, 2, 3, 4, 5, 6, 7, 8]),
        (["zero-0", "two-2", "one-1"], 10, [1, 2, 0]),
        (["1", "2", "10"], 10, [0, 9, 1]),
        (["1", "2", "9"], 10, [1, 2, 9]),
        (["0", "10"], 11, [0, 10]),
    ],
)
def test_numbers_and_the_order_of_names(names: list[str], classes: int | None, expected: list[int]) -> None:
    assert numbered(names, (), classes) == dict(zip(sorted(names), expected, strict=True))


@pytest.mark.parametrize(("largest", "shift"), [(999, 1), (42, 1), (1000, 0)])
def test_a_class_for_the_background_moves_the_labels(largest: int, shift: int) -> None:
    found = number_classes(Labels.of_numbers(np.array([0, largest])), HERE, classes=1001)
    assert found.numbers == [shift, largest + shift]
    assert bool(found.note) == bool(shift)
    assert number_classes(Labels.of_numbers(np.array([0, 41])), HERE, classes=43).numbers == [0, 41]


def test_names_of_a_model_with_background() -> None:
    names = tuple(f"class {index}" for index in range(1000))
    assert with_background(names, 1001)[:2] == ("background", "class 0")
    assert with_background(names, 1000) == names
    assert with_background(names[:42], 43) == names[:42]


def test_what_is_assumed_is_said() -> None:
    assert (
        number_classes(Labels.of_texts(["1", "3"]), HERE, classes=3).note == "labels start at 1, so label 3 is class 2"
    )
    assert "sorted order: 'cat' is class 0" in number_classes(Labels.of_texts(["dog", "cat"]), HERE).note
    assert "matched with" in number_classes(Labels.of_texts(["b", "a"]), HERE, class_names=("b", "a")).note
    assert number_classes(Labels.of_texts(["0", "1"]), HERE, classes=2).note == ""
    assert number_classes(Labels.of_texts(["a", "b"]), HERE, class_names=("a", "b")).note == ""


def test_more_names_than_classes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"data has 3 classes \(a, b, c\), but the model has 2; remove the others"):
        numbered(["a", "b", "c"], (), 2)


@pytest.mark.parametrize("name", ["-1", "1.5", "nan", "-inf"])
def test_numbers_that_are_no_classes_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"label '{name}' in data is not a class number"):
        numbered(["1", name])


def test_a_single_word_is_no_label_and_none_are_none() -> None:
    assert numbered(["images"]) is None
    assert numbered(["stop"], SIGNS, 3) == {"stop": 0}
    assert numbered(["7"]) == {"7": 7}
    assert numbered([]) is None
