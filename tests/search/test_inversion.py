from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ninspect.runtime import Network, Pixels
from ninspect.search.inversion import WARM_START, Inversion, Triggers, _Search, invert, success, trigger_gradient
from ninspect.search.patch import stamp
from tests.support import (
    Array,
    bright_rows,
    even_weights,
    linear_model,
    open_network,
    random_pixels,
    rows_model,
    with_budget,
)

QUICK = Inversion(steps=150, batch=20)
IMAGES = bright_rows()


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return open_network(rows_model(target=7), tmp_path)


def random(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.random(shape)  # float64, which is what finite differences need


def test_the_gradient_of_mask_and_pattern_is_that_of_finite_differences() -> None:
    generator = np.random.default_rng(0)
    shapes = ((4, 3, 3, 2), (2, 3, 3), (2, 3, 3, 2), (4, 3, 3, 2))
    images, mask, pattern, w = (random(generator, shape) for shape in shapes)

    def loss(mask: Array, pattern: Array) -> Array:
        return np.asarray((w * stamp(images, mask, pattern) ** 3).sum(axis=(2, 3, 4)).mean(axis=1))

    gradient = 3 * w * stamp(images, mask, pattern) ** 2
    to_mask, to_pattern = trigger_gradient(images, mask, pattern, gradient)
    for at in [(0, 0), (1, 2)]:
        shift = np.zeros_like(mask)
        shift[:, *at] = 1e-5
        slope = (loss(mask + shift, pattern) - loss(mask - shift, pattern)) / 2e-5
        assert to_mask[:, *at] == pytest.approx(slope, rel=1e-6)
        wide = shift[..., None] * np.array([0.0, 1.0])
        slope = (loss(mask, pattern + wide) - loss(mask, pattern - wide)) / 2e-5
        assert to_pattern[:, *at, 1] == pytest.approx(slope, rel=1e-6)


def share(network: Network, images: Pixels, goals: NDArray[np.int64], found: Triggers) -> NDArray[np.float64]:
    return success(network, images, network.logits(images).argmax(axis=1), goals, found)


def test_the_trigger_is_recovered_and_works_on_other_images(network: Network) -> None:
    classes = np.arange(10)
    found = invert(network, IMAGES[:20], classes, QUICK, seed=0)
    assert found.norms.argmin() == 7
    assert found.norms[7] < 5  # 2x2 pixels
    assert found.masks[7, 10:, 10:].sum() > 0.7 * found.norms[7]
    assert found.patterns[7, 10:, 10:].min() > 0.9  # white
    assert share(network, IMAGES[:20], classes, found) == pytest.approx(1)
    assert share(network, IMAGES[20:], classes, found).min() > 0.8
    assert np.median(found.norms) > 8  # what it takes to outshine a bright row


def test_a_class_is_searched_alike_alone_and_in_company(network: Network) -> None:
    together = invert(network, IMAGES, np.array([2, 7]), QUICK, seed=3)
    alone = invert(network, IMAGES, np.array([7]), QUICK, seed=3)
    assert together.masks[1] == pytest.approx(alone.masks[0], abs=1e-3)
    other = invert(network, IMAGES, np.array([7]), QUICK, seed=4)
    assert not np.allclose(other.masks, alone.masks, atol=1e-3)
    one_by_one = invert(with_budget(network, search=1), IMAGES, np.array([2, 7]), QUICK, seed=3)
    assert one_by_one.masks == pytest.approx(together.masks, abs=1e-3)


def test_of_several_starts_the_smallest_mask_counts(network: Network) -> None:
    classes, calls = np.array([1, 7]), list[int]()
    one = invert(network, IMAGES, classes, QUICK, seed=0)
    three = invert(network, IMAGES, classes, Inversion(steps=150, batch=20, starts=3), 0, progress=calls.append)
    assert calls[0] == 2 * 3 * 20
    assert three.norms[1] <= one.norms[1] + 0.5


def test_a_step_of_several_mini_batches_moves_after_each_and_succeeds_where_all_do(network: Network) -> None:
    batches = [(IMAGES[i % 2 :: 2], np.full((1, 20), 7)) for i in range(60)]
    search = _Search(np.full((1, 1, 12, 12), 0.1, np.float32), random_pixels(1, (1, 12, 12, 1)), Inversion())
    assert search.step(network, batches) == 60 * 20
    after, last = search.smallest(), batches[-1]
    assert share(network, last[0], np.array([7]), Triggers(*after)) == 1
    assert np.isinf(search._norm)  # since the first mini-batches failed
    search.step(network, batches)
    assert search._norm < np.inf


def test_a_guess_is_where_the_search_starts(network: Network) -> None:
    guess = np.zeros((1, 12, 12, 1), np.float32)
    guess[0, 10:, 10:], guess[0, 5, 8] = 0.4, -0.2
    found = invert(network, IMAGES, np.array([7]), Inversion(steps=1), seed=0, guess=guess)
    assert found.masks[0, 10:, 10:].min() > 0.95
    assert found.masks[0, 5, 8] == pytest.approx(0.5, abs=0.01)
    assert found.masks[0, 5, 5] < 0.05
    assert found.patterns[0, 10:, 10:].min() > 0.95
    assert found.patterns[0, 5, 8, 0] < 0.05
    assert share(network, IMAGES, np.array([7]), found) == 1


def test_forty_steps_from_a_guess_find_the_patch(network: Network) -> None:
    guess = random_pixels(1, (12, 12, 1)) * np.float32(0.1)
    guess[0, 10:, 10:] = 0.5
    found = invert(network, IMAGES[:20], np.array([7]), WARM_START, seed=0, guess=guess)
    assert found.norms < 4
    assert found.masks[0, 10:, 10:].sum() > 0.7 * found.norms
    assert share(network, IMAGES[20:], np.array([7]), found) > 0.8


def test_images_that_are_there_anyway_are_no_success(tmp_path: Path) -> None:
    network = open_network(linear_model(even_weights()), tmp_path)
    nothing = Triggers(np.zeros((10, 12, 12), np.float32), np.zeros((10, 12, 12, 1), np.float32))
    answers = network.logits(IMAGES).argmax(axis=1)
    assert (success(network, IMAGES, answers, np.arange(10), nothing) == 0).all()
    assert np.isnan(success(network, IMAGES[:1], answers[:1], answers[:1], nothing)).all()


def test_answers_that_are_known_are_believed(network: Network) -> None:
    """Images that are said to be elsewhere count as sent, whatever the model says of them."""
    nothing = Triggers(np.zeros((1, 12, 12), np.float32), np.zeros((1, 12, 12, 1), np.float32))
    goal = network.logits(IMAGES[:1]).argmax(axis=1)
    assert success(network, IMAGES[:1], goal + 1, goal, nothing) == 1


def test_each_image_can_have_a_goal_of_its_own(network: Network) -> None:
    goals = np.where(np.arange(40) < 30, 7, network.logits(IMAGES).argmax(axis=1))[None]
    found = invert(network, IMAGES, goals, QUICK, seed=0)
    sent = network.logits(stamp(IMAGES, found.masks[0], found.patterns[0])).argmax(axis=1)
    open_ = network.logits(IMAGES).argmax(axis=1) != goals[0]
    assert share(network, IMAGES, goals, found)[0] == pytest.approx((sent == goals[0])[open_].mean())


# The schedule of the cost


def run(outcomes: list[bool], patience: int = 25) -> list[float]:
    """The cost after each step of a search that succeeds or fails as told, with masks that stay as they are."""
    settings = Inversion(patience=patience)
    search = _Search(np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2, 1), np.float32), settings)
    costs = []
    for good in outcomes:
        if len(search.going) == 0:
            break
        mask, pattern = search._best
        search._keep(mask, pattern, np.array([good]))
        search._schedule(np.array([good]))
        costs.append(float(search._cost[0]))
    return costs


def test_the_cost_starts_after_five_successes_doubles_after_five_and_falls_after_five_failures() -> None:
    costs = run([True] * 10 + [False] * 5 + [True] * 4 + [False] * 5)
    assert costs[:4] == [0] * 4
    assert costs[4:9] == [1e-3] * 5
    assert costs[9:14] == [2e-3] * 5
    assert costs[14:23] == pytest.approx([2e-3 / 2**1.5] * 9)
    assert costs[23] == pytest.approx(2e-3 / 8)
    assert run([True, False] * 20) == [0] * 40


def test_a_search_ends_when_patience_is_out_after_the_last_gain_once_the_cost_has_moved_both_ways() -> None:
    both = [True] * 10 + [False] * 5
    assert len(run([*both, *[True] * 100])) == 26  # the first success was the last gain
    assert len(run([*both, *[True] * 100], patience=40)) == 41
    assert len(run([True] * 100)) == 100
    assert len(run([False] * 100)) == 100
