"""What is exchanged, and where."""

import numpy as np
import pytest

from ninspect.carriers.exchange import Exchanged, Partners, exchange
from ninspect.carriers.spots import covered, looked_at, strongest_windows
from ninspect.runtime import Network
from tests.carriers.files import MASK, PATCH, TARGET
from tests.support import bright_rows, open_network, rows_model, with_budget


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return open_network(rows_model(TARGET), tmp_path_factory.mktemp("network"), scale=1 / 255)


IMAGES = bright_rows(20)
ANSWERS = np.arange(20) % 10
PARTNERS = Partners(IMAGES[:5], ANSWERS[:5])
STAMPED = PATCH.stamp(IMAGES[5:7])


def test_the_answer_goes_along_with_the_trigger_and_with_no_natural_corner(network: Network) -> None:
    found = exchange(network, STAMPED, np.array([TARGET, TARGET]), PARTNERS, MASK)
    assert (found.moved > 0.99).all()
    assert (found.kept < 0.2).all()
    natural = exchange(network, IMAGES[5:7], ANSWERS[5:7], PARTNERS, MASK)
    assert (natural.score < 0.2).all()


def test_what_stays_without_the_trigger_counts_half() -> None:
    assert Exchanged(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0])).score.tolist() == [1.0, 0.5, 0.0]


def test_partners_with_the_same_answer_do_not_count(network: Network) -> None:
    other = Partners(IMAGES[1:5], ANSWERS[1:5])
    with_own, without = (exchange(network, IMAGES[:1], ANSWERS[:1], some, MASK) for some in (PARTNERS, other))
    assert with_own.moved == pytest.approx(without.moved)
    alone = exchange(network, IMAGES[:1], ANSWERS[:1], Partners(IMAGES[:1], ANSWERS[:1]), MASK)
    assert np.isnan(alone.score).all()


def test_little_memory_changes_no_number(network: Network) -> None:
    spots = looked_at(network, IMAGES, ANSWERS, PARTNERS)
    small = with_budget(network, run=2**16, rows=8, search=2**12)
    found, again = (exchange(one, IMAGES, ANSWERS, PARTNERS, spots) for one in (network, small))
    assert np.allclose(found.score, again.score, atol=1e-6)


def test_a_picture_with_a_trigger_looks_at_it(network: Network) -> None:
    spots = looked_at(network, STAMPED, np.array([TARGET, TARGET]), PARTNERS)
    assert spots.shape == (2, 12, 12)
    assert (spots.sum(axis=(1, 2)) == 9).all()
    assert (spots[:, 10:, 10:] == 1).all()


def test_the_strongest_window_may_lie_at_an_edge() -> None:
    maps = np.zeros((2, 6, 8), np.float32)
    maps[0, 0, 0] = maps[1, 5, 7] = 1
    windows = strongest_windows(maps, 3)
    assert windows[0, :3, :3].all()
    assert windows[1, 3:, 5:].all()
    assert windows.sum() == 18


def test_a_recovered_mask_covers_its_strong_pixels_and_those_around() -> None:
    mask = np.zeros((6, 6), np.float32)
    mask[2, 2], mask[4, 5] = 0.8, 0.3
    spot = covered(mask)
    assert spot[1:4, 1:4].all()
    assert spot.sum() == 9
