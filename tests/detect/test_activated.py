from pathlib import Path

import numpy as np
import pytest

from ninspect.detect import Activated, Case, Detection
from ninspect.outliers import anomaly_index, robust_z
from ninspect.runtime import Network
from tests.support import backdoored_weights, even_weights, linear_model, open_network, random_pixels


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return open_network(linear_model(backdoored_weights(7)), tmp_path)


def detect(network: Network, detector: Activated | None = None, seed: int = 0, images: int = 40) -> Detection:
    pixels = random_pixels(images, network.input_map.image_shape)
    case = Case(network, pixels, np.arange(network.classes), seed, lambda done, total: None)
    return (detector or Activated()).detect(case)


def test_a_class_that_looks_at_a_patch_is_the_target(network: Network) -> None:
    found = detect(network)
    assert found.name == "activated"
    assert found.targets(0.01) == [7]
    assert found.scores["margin"].argmax() == 7
    assert found.scores["sparse"].argmin() == 7
    assert found.scores["persistent"][7] == 0  # the same pixels from every image


def test_classes_that_are_alike_give_no_target(tmp_path: Path) -> None:
    found = detect(open_network(linear_model(even_weights()), tmp_path))
    assert found.targets(0.01) == []
    assert found.problem is None


def test_the_index_joins_the_margin_and_the_spot(network: Network) -> None:
    found = detect(network)
    spot = found.scores["sparse"] + found.scores["smooth"] + found.scores["persistent"]
    expected = robust_z(robust_z(found.scores["margin"]) + anomaly_index(spot))
    assert np.allclose(found.index, expected)


def test_the_seed_chooses_the_images_to_start_from(network: Network) -> None:
    few = Activated(starts=5)
    assert np.array_equal(detect(network, few, seed=1).index, detect(network, few, seed=1).index)
    assert not np.array_equal(detect(network, few, seed=1).index, detect(network, few, seed=2).index)
    every = Activated(starts=40)  # nothing is left to choose
    assert np.array_equal(detect(network, every, seed=1).index, detect(network, every, seed=2).index)


def test_progress_counts_gradients(network: Network) -> None:
    calls: list[tuple[int, int]] = []
    case = Case(
        network, random_pixels(4, (12, 12, 1)), np.arange(10), 0, lambda done, total: calls.append((done, total))
    )
    Activated(steps=3).detect(case)
    assert [total for _, total in calls] == [10 * 4 * 4] * len(calls)
    assert [done for done, _ in calls] == [40, 80, 120, 160]


def test_settings_say_what_the_scores_depend_on() -> None:
    settings = Activated(starts=3, steps=2, length=0.5, threshold=0.25).settings
    assert settings == {"starts": 3, "steps": 2, "length": 0.5, "threshold": 0.25}
