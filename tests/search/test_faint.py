from pathlib import Path

import numpy as np
import pytest

from ninspect.runtime import Network
from ninspect.search.faint import Approach, faintest
from tests.support import even_weights, linear_model, open_network, random_pixels, with_budget

IMAGES = random_pixels(24, (12, 12, 1))
CLASSES = np.arange(10)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return open_network(linear_model(even_weights()), tmp_path)


def share(network: Network, pattern: np.ndarray, label: int) -> float:
    moved = np.clip(IMAGES + pattern, 0, 1)
    return float((network.logits(moved).argmax(axis=1) == label).mean())


def test_a_pattern_sends_the_images_to_its_class_and_stops_there(network: Network) -> None:
    calls = list[int]()
    patterns = faintest(network, IMAGES, CLASSES, calls.append)
    assert patterns.shape == (10, 12, 12, 1)
    for label, pattern in enumerate(patterns):
        assert share(network, pattern, label) >= 0.9
        assert share(network, pattern * np.float32(0.5), label) < 0.9
    assert calls[0] == 10 * len(IMAGES)
    assert calls[-1] < calls[0]  # classes that are reached take no more part


def test_of_a_linear_network_it_is_near_the_shortest_one(network: Network) -> None:
    """Toward the class whose weights it adds, away from the others'."""
    fine = Approach(steps=200, length=0.02, momentum=0)
    coarse, finer = (faintest(network, IMAGES, CLASSES, lambda count: None, s) for s in (Approach(), fine))
    lengths = [np.sqrt(np.square(patterns).sum(axis=(1, 2, 3))) for patterns in (coarse, finer)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.35)


def test_where_no_pattern_is_found_the_last_one_is_given(network: Network) -> None:
    patterns = faintest(network, IMAGES, CLASSES[:1], lambda count: None, Approach(steps=1, length=1e-3))
    assert 0 < np.sqrt(np.square(patterns).sum()) == pytest.approx(1e-3 * 12 / 28, rel=1e-4)


def test_classes_are_searched_alike_alone_and_in_company(network: Network) -> None:
    together = faintest(network, IMAGES, CLASSES, lambda count: None)
    alone = faintest(with_budget(network, search=1), IMAGES, CLASSES, lambda count: None)
    assert alone == pytest.approx(together, abs=1e-4)
