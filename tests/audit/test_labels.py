"""Labels that the model's own answers contradict."""

from typing import Any

import numpy as np
import pytest

from ninspect.audit.labels import Matching, doubt_labels
from ninspect.samples import Samples
from tests.support import Array

RNG = np.random.default_rng


def labelled(labels: Array, numbers: dict[str, int] | None = None) -> Samples:
    pixels = np.zeros((len(labels), 1, 1, 1), np.uint8)
    return Samples(pixels, labels.astype(np.int64), ("",) * len(labels), "", "npz", numbers=numbers or {})


def answers(truth: Array, classes: int = 10, noise: float = 1.0, sharp: float = 8.0, seed: int = 0) -> Array:
    """Logits of a model that is right the less often, the more noise there is; calibrated, but for their sharpness."""
    logits = RNG(seed).standard_normal((len(truth), classes)) * noise
    logits[np.arange(len(truth)), truth] += 3
    return (sharp * logits).astype(np.float32)


TRUTH = np.tile(np.arange(10), 20)


@pytest.mark.parametrize("sharp", [0.01, 1.0, 8.0, 1000.0])
@pytest.mark.parametrize("noise", [0.1, 1.0, 1.7, 2.5])
@pytest.mark.parametrize("count", [40, 200])
def test_honest_labels_are_believed_whatever_the_accuracy_and_the_scale(sharp: float, noise: float, count: int) -> None:
    for seed in range(5):
        assert (
            doubt_labels(labelled(TRUTH[:count]), answers(TRUTH[:count], noise=noise, sharp=sharp, seed=seed)) is None
        )


@pytest.mark.parametrize("sharp", [0.01, 8.0, 1000.0])
@pytest.mark.parametrize(
    "permutation",
    [
        [1, 0, 2, 3, 4, 5, 6, 7, 8, 9],
        [0, 1, 2, 3, 4, 9, 5, 6, 7, 8],
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 0],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ],
)
def test_a_permutation_is_recognised_and_shown(permutation: list[int], sharp: float) -> None:
    named = {f"folder {label}": label for label in range(10)}
    doubt = doubt_labels(labelled(TRUTH, named), answers(np.array(permutation)[TRUTH], noise=1.2, sharp=sharp))
    assert doubt is not None
    assert doubt.class_map == {f"folder {label}": number for label, number in enumerate(permutation)}
    assert (doubt.finding.rule, doubt.finding.effect) == ("IM010", "inconclusive")
    moved = [f"label folder {label} is class {to}" for label, to in enumerate(permutation) if label != to]
    assert moved[0] in doubt.finding.message
    assert "--write-class-map" in doubt.finding.message


def test_labels_of_a_part_of_the_classes_are_found_among_all() -> None:
    """Ten folders of a model of fifty classes, numbered in the order of their names."""
    classes = np.sort(RNG(0).permutation(50)[:10])
    doubt = doubt_labels(labelled(TRUTH), answers(classes[TRUTH], classes=50))
    assert doubt is not None
    assert list(doubt.class_map.values()) == classes.tolist()


@pytest.mark.parametrize("sharp", [0.01, 8.0])
def test_labels_that_are_wrong_at_random_are_doubted_without_a_class_map(sharp: float) -> None:
    wrong = RNG(1).random(len(TRUTH)) < 0.5
    labels = np.where(wrong, RNG(2).integers(0, 10, len(TRUTH)), TRUTH)
    doubt = doubt_labels(labelled(labels), answers(TRUTH, noise=0.5, sharp=sharp))
    assert doubt is not None
    assert doubt.class_map == {}
    assert "as if labels were wrong" in doubt.finding.message


def test_two_classes_that_are_taken_for_a_third_are_no_permutation() -> None:
    logits = answers(np.where(np.isin(TRUTH, (3, 5)), 8, TRUTH))
    assert Matching.of(TRUTH, logits.argmax(axis=1), 10).permuted is False


def test_few_images_of_each_of_many_classes_do_not_look_shuffled() -> None:
    """Half of the answers are wrong, among them by chance pairs of images that agree."""
    truth = np.repeat(np.arange(50), 4)
    for seed in range(5):
        assert doubt_labels(labelled(truth), answers(truth, classes=200, noise=1.4, seed=seed)) is None


@pytest.mark.parametrize("logits", [np.full((200, 10), np.nan, np.float32), np.zeros((200, 10), np.float32)])
def test_answers_that_say_nothing_question_nothing(logits: Any) -> None:
    assert doubt_labels(labelled(TRUTH), logits) is None


def test_images_without_labels_are_not_questioned() -> None:
    samples = Samples(np.zeros((200, 1, 1, 1), np.uint8), None, ("",) * 200, "", "npz")
    assert doubt_labels(samples, answers(TRUTH)) is None
