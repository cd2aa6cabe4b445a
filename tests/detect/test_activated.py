from pathlib import Path

import numpy as np
import pytest

from ninspect.detect import Activated, Case, Examination
from ninspect.detect.activated import own_margins
from ninspect.measure.calibration import OUTLIERS
from ninspect.measure.outliers import p_values
from ninspect.runtime import Network
from tests.support import backdoored_weights, even_weights, linear_model, open_network, random_pixels


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return open_network(linear_model(backdoored_weights(7)), tmp_path)


def examine(network: Network, detector: Activated | None = None, seed: int = 0, images: int = 40) -> Examination:
    pixels = random_pixels(images, network.input_map.image_shape)
    case = Case(network, pixels, np.arange(network.classes), seed, lambda done, total: None)
    return (detector or Activated()).examine(case)


def test_a_class_that_looks_at_a_patch_is_the_target(network: Network) -> None:
    found = examine(network)
    assert found.name == "activated"
    assert found.targets(0.01) == [7]
    assert found.scores["margin"].argmax() == found.index.argmax() == 7


def test_classes_that_are_alike_give_no_target(tmp_path: Path) -> None:
    found = examine(open_network(linear_model(even_weights()), tmp_path))
    assert found.targets(0.01) == []
    assert found.gap is None


def test_drawn_pictures_show_the_target_too_and_any_class_may_be_easy_on_them(network: Network) -> None:
    found = Activated().examine(Case(network, None, np.arange(10), 0, lambda done, total: None))
    assert found.targets(0.01) == [7]
    assert found.easy is not None
    assert found.easy.all()


def test_the_index_is_the_larger_of_two_looks(network: Network) -> None:
    found = examine(network)
    s = found.scores
    assert np.allclose(found.index, np.maximum(np.minimum(s["margin"], s["relative"]), (s["spot"] + s["peak"]) / 2))
    assert found.easy is not None
    assert 0 < found.easy.sum() < 10
    p = np.where(found.easy, p_values(found.index, 10, OUTLIERS.natural_freedom), p_values(found.index, 10))
    assert np.allclose(found.p_values, np.minimum(1, 2 * p))


def test_own_margins_are_those_of_the_images_of_a_class_and_at_least_the_median() -> None:
    logits = np.array([[5, 0, 1, 0], [9, 0, 1, 0], [0, 3, 1, 0], [0, 0, 2.5, 0]], np.float32)
    # Class 0 has margins 4 and 8, class 1 has 2, class 2 has 2.5, and class 3 no image: their median is 2.5.
    assert own_margins(logits) == pytest.approx([7.6, 2.5, 2.5, 2.5])


def test_many_classes_get_fewer_starts_each(tmp_path: Path) -> None:
    network = open_network(linear_model(even_weights(classes=400)), tmp_path)
    totals = set[int]()
    case = Case(network, None, np.arange(400), 0, lambda done, total: totals.add(total))
    Activated(steps=0).examine(case)
    assert totals == {400 * 6 * 4}


def test_the_seed_chooses_the_images_to_start_from(network: Network) -> None:
    few = Activated(starts=5)
    assert np.array_equal(examine(network, few, seed=1).index, examine(network, few, seed=1).index)
    assert not np.array_equal(examine(network, few, seed=1).index, examine(network, few, seed=2).index)


def test_progress_counts_gradients(network: Network) -> None:
    calls: list[tuple[int, int]] = []
    case = Case(
        network, random_pixels(4, (12, 12, 1)), np.arange(10), 0, lambda done, total: calls.append((done, total))
    )
    Activated(steps=3).examine(case)
    assert [total for _, total in calls] == [10 * (4 + 8) * 2 * 4] * len(calls)
    assert [done for done, _ in calls][:4] == [40, 80, 120, 160]
    assert calls[-1][0] == calls[-1][1]


def test_settings_say_what_the_scores_depend_on() -> None:
    settings = Activated(starts=3, steps=2, length=0.5, threshold=0.25).settings
    assert settings == {"starts": 3, "steps": 2, "length": 0.5, "threshold": 0.25}
