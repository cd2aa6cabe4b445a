from pathlib import Path

import numpy as np

from ninspect.detect import Case, find_triggers
from ninspect.runtime import Network
from tests.support import Array, dormant_model, even_weights, open_network, random_pixels

TARGET = 7


def case(network: Network, pixels: Array) -> Case:
    return Case(network, pixels, np.arange(10), 0, lambda done, total: None)


def backdoored(folder: Path) -> Network:
    """Classes that are alike, and a bright square of 3×3 pixels that sends everything to one of them."""
    weights = even_weights()
    weights[TARGET, 0, 1:4, 1:4] = 1
    return open_network(dormant_model(weights, target=TARGET), folder)


def test_the_trigger_of_a_backdoor_is_small_and_works_on_other_images(tmp_path: Path) -> None:
    (trigger,) = find_triggers(case(backdoored(tmp_path), random_pixels(64, (12, 12, 1))), [TARGET])
    assert trigger.label == TARGET
    assert trigger.success >= 0.8
    assert trigger.size < trigger.control_size
    assert trigger.mask.shape == (12, 12)
    assert trigger.pattern.shape == (12, 12, 1)
    assert trigger.examples.shape == trigger.stamped.shape == (3, 12, 12, 1)


def test_the_examples_show_what_the_model_answers_without_and_with_the_trigger(tmp_path: Path) -> None:
    network = backdoored(tmp_path)
    (trigger,) = find_triggers(case(network, random_pixels(64, (12, 12, 1))), [TARGET])
    before, after = trigger.answers
    assert TARGET not in before
    assert TARGET in after
    assert before.tolist() == network.logits(trigger.examples).argmax(axis=1).tolist()
    assert after.tolist() == network.logits(trigger.stamped).argmax(axis=1).tolist()
    covered = trigger.mask > 0.5
    assert np.allclose(trigger.on_grey[covered], trigger.pattern[covered], atol=0.25)
    assert np.allclose(trigger.on_grey[trigger.mask < 0.01], 0.5, atol=0.01)


def test_a_class_like_the_others_has_no_convincing_trigger(tmp_path: Path) -> None:
    network = open_network(dormant_model(even_weights(), target=TARGET), tmp_path)
    (trigger,) = find_triggers(case(network, random_pixels(64, (12, 12, 1))), [2])
    assert not trigger.convincing


def test_the_same_seed_gives_the_same_trigger(tmp_path: Path) -> None:
    network, pixels = backdoored(tmp_path), random_pixels(40, (12, 12, 1))
    first, second = (find_triggers(case(network, pixels), [TARGET, 1]) for _ in range(2))
    assert [trigger.label for trigger in first] == [TARGET, 1]
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.mask, b.mask)
        assert (a.success, a.control_size) == (b.success, b.control_size)


def test_where_all_classes_are_suspects_each_is_compared_with_the_others(tmp_path: Path) -> None:
    pixels = random_pixels(64, (12, 12, 1))
    found = find_triggers(case(backdoored(tmp_path), pixels), list(range(10)))
    assert [trigger.label for trigger in found] == list(range(10))
    assert min(found, key=lambda trigger: trigger.size).label == TARGET
    others = [trigger.size for trigger in found if trigger.label != TARGET and trigger.success >= 0.5]
    assert found[TARGET].control_size == np.median(others)
