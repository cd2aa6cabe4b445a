from pathlib import Path

import numpy as np
import pytest

from ninspect.detect import AllToAll, Case, Examination
from ninspect.detect.all_to_all import Permutation
from tests.support import Array, even_weights, linear_model, open_network, random_pixels

CLASSES = 10


def examine(folder: Path, weights: Array, pixels: Array) -> Examination:
    network = open_network(linear_model(weights), folder)
    return AllToAll().examine(Case(network, pixels, np.arange(CLASSES), 0, lambda done, total: None))


def test_a_permutation_is_recognised_and_its_partners_are_named() -> None:
    labels = np.repeat(np.arange(CLASSES), 4)
    answers = (labels + 3) % CLASSES
    answers[0] = 0  # one image of class 0 resists
    found = Permutation.of(labels, answers)
    assert found.partners.tolist() == [(label + 3) % CLASSES for label in range(CLASSES)]
    assert found.shares == pytest.approx([0.5, *[1.0] * 9])  # 3 of 6 pairs, and all of them
    examined = found.examination("all-to-all", np.arange(CLASSES))
    assert sorted(examined.targets(0.001)) == list(range(CLASSES))
    assert examined.scores["from"].tolist() == [(label - 3) % CLASSES for label in range(CLASSES)]
    assert examined.rule == "BD002"
    assert "0 → 3, 1 → 4, 2 → 5" in (examined.meaning or "")


def test_images_that_all_go_to_one_class_are_no_permutation() -> None:
    labels = np.repeat(np.arange(CLASSES), 4)
    found = Permutation.of(labels, np.full(40, 3))
    assert found.share == pytest.approx(0.1)
    assert found.examination("all-to-all", np.arange(CLASSES)).targets(0.05) == []


def test_images_that_go_anywhere_are_no_permutation() -> None:
    generator = np.random.default_rng(0)
    shares = [Permutation.of(np.repeat(np.arange(43), 3), generator.integers(0, 43, 129)).share for _ in range(20)]
    assert max(shares) < 0.15


@pytest.mark.parametrize(
    ("classes", "images", "suspected"), [(5, 4, False), (10, 2, False), (10, 4, True), (43, 4, True)]
)
def test_few_classes_or_images_agree_by_chance(classes: int, images: int, suspected: bool) -> None:
    """Three fifths of the classes have a partner."""
    labels = np.repeat(np.arange(classes), images)
    answers = np.where(labels < 0.6 * classes, (labels + 1) % classes, labels)
    examined = Permutation.of(labels, answers).examination("all-to-all", np.arange(classes))
    assert bool(examined.targets(0.001)) == suspected


def test_one_class_with_many_images_does_not_make_up_for_the_others() -> None:
    labels = np.repeat(np.arange(5), [2, 2, 2, 3, 39])
    answers = np.where(labels < 3, labels + 1, labels)
    assert Permutation.of(labels, answers).examination("all-to-all", np.arange(10)).targets(0.01) == []


def test_a_model_whose_classes_are_alike_is_not_suspected(tmp_path: Path) -> None:
    found = examine(tmp_path, even_weights(), random_pixels(100, (12, 12, 1)))
    assert found.p_value is not None
    assert found.targets(0.01) == []


def test_a_way_that_permutes_nothing_after_half_of_the_steps_is_left(tmp_path: Path) -> None:
    weights, pixels = np.zeros((CLASSES, 1, 12, 12)), np.zeros((40, 12, 12, 1), np.float32)
    weights[np.arange(CLASSES), 0, np.arange(CLASSES)] = 1  # a bright row for each class, too far from any other
    pixels[np.arange(40), np.arange(40) % CLASSES] = 1
    network, told = open_network(linear_model(weights), tmp_path), list[tuple[int, int]]()
    AllToAll().examine(Case(network, pixels, np.arange(CLASSES), 0, lambda done, total: told.append((done, total))))
    assert told[-2:] == [(6 * 40, 12 * 40), (12 * 40, 12 * 40)]


def test_it_needs_two_images_of_half_of_the_classes(tmp_path: Path) -> None:
    few = examine(tmp_path, even_weights(), random_pixels(6, (12, 12, 1)))
    assert "it needs 2 images of 5 classes each, and the model sees as many of " in (few.gap or "")
    assert few.p_value is None
