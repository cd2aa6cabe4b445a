from pathlib import Path

import numpy as np
import pytest

from ninspect.search.stamps import Window, fit, grid, guesses, likeness, reach, stamped, stamped_logits
from tests.support import dormant_model, even_weights, linear_model, open_network, random_pixels

IMAGES = random_pixels(4, (12, 12, 1))


@pytest.mark.parametrize(
    ("shape", "side", "stride"), [((28, 28), 8, 5), ((12, 20), 4, 2), ((8, 8), 8, 5), ((9, 9), 4, 9)]
)
def test_a_grid_reaches_all_edges_and_stays_inside(shape: tuple[int, int], side: int, stride: int) -> None:
    windows = grid(shape, side, stride)
    covered = np.zeros(shape, bool)
    for window in windows:
        assert covered[window.pixels].shape == (side, side)
        covered[window.pixels] = True
    assert covered[0, 0]
    assert covered[-1, -1]
    assert stride > side or covered.all()
    assert len(set(windows)) == len(windows)


def test_the_nearest_window_is_the_one_with_the_pixel_in_its_middle() -> None:
    nearest = min(grid((28, 28), 7, 3), key=lambda window: window.distance(9, 12))
    assert nearest == Window(7, 6, 9)
    assert nearest.distance(9, 12) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_guesses_are_different_patterns_and_the_seed_chooses_the_noise(channels: int) -> None:
    patterns = guesses(6, channels, seed=0)
    assert patterns.shape[1:] == (6, 6, channels)
    assert patterns.min() >= 0
    assert patterns.max() <= 1
    assert len(np.unique(patterns.reshape(len(patterns), -1), axis=0)) == len(patterns)
    assert np.array_equal(patterns, guesses(6, channels, seed=0))
    assert not np.array_equal(patterns, guesses(6, channels, seed=1))


def test_a_stamp_covers_its_window_and_nothing_else() -> None:
    window, patterns = Window(3, 2, 5), random_pixels(2, (3, 3, 1), seed=1)
    pixels = stamped(IMAGES, window, patterns)
    assert pixels.shape == (2, *IMAGES.shape)
    assert np.array_equal(pixels[1, 3, 2:5, 5:8], patterns[1])
    pixels[:, :, *window.pixels] = IMAGES[:, *window.pixels]
    assert np.array_equal(pixels, np.broadcast_to(IMAGES, pixels.shape))
    patch = window.patch(patterns[0], IMAGES.shape[1:])
    assert np.allclose(patch.stamp(IMAGES), stamped(IMAGES, window, patterns[:1])[0])
    assert patch.size == 9


def test_reach_is_the_margin_that_nearly_all_images_of_other_classes_have() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 20, 5)).astype(np.float32)
    labels = np.arange(20) % 4
    found = reach(logits, labels)
    for stamp in range(2):
        for label in range(5):
            others = logits[stamp, labels != label]
            margins = np.sort(others[:, label] - np.delete(others, label, axis=1).max(axis=1))
            assert found[stamp, label] == margins[2]  # a tenth of 20 images stay behind


def test_fitted_patterns_raise_the_margin_of_their_class_inside_the_window(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(6, 1, 12, 12))
    network, window, classes = open_network(linear_model(weights), tmp_path), Window(4, 3, 3), np.array([1, 4])
    grey = np.full((2, 4, 4, 1), 0.5, np.float32)
    made = fit(network, IMAGES, window, classes, grey, [0.5, 0.25], len(IMAGES))
    assert made.min() >= 0
    assert made.max() <= 1
    labels = np.full(4, 5)
    before, after = (reach(stamped_logits(network, IMAGES, window, p), labels) for p in (grey, made))
    assert (after[[0, 1], classes] > before[[0, 1], classes]).all()


def test_one_step_follows_the_formula(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(2, 1, 12, 12))
    network, window = open_network(linear_model(weights), tmp_path), Window(3, 0, 0)
    start = np.full((1, 3, 3, 1), 0.5, np.float32)
    gradient = (weights[1] - weights[0])[0, :3, :3, None]  # of the margin with two classes
    step = 0.2 * np.sign(gradient) * np.minimum(1, 8 * np.abs(gradient) / np.abs(gradient).max())
    made = fit(network, IMAGES, window, np.array([1]), start, [0.2], len(IMAGES))
    assert np.allclose(made[0], 0.5 + step, atol=1e-5)


def test_each_step_takes_other_images_as_long_as_there_are_any(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(6, 1, 12, 12))
    network, window, some = open_network(linear_model(weights), tmp_path), Window(4, 3, 3), np.array([1, 4])
    made = start = np.full((2, 4, 4, 1), 0.5, np.float32)
    for image, step in zip([0, 1, 0], [0.5, 0.25, 0.1], strict=True):
        made = fit(network, IMAGES[[image]], window, some, made, [step], 1)
    assert np.array_equal(made, fit(network, IMAGES[:2], window, some, start, [0.5, 0.25, 0.1], 1))
    assert not np.array_equal(made, fit(network, IMAGES[:1], window, some, start, [0.5, 0.25, 0.1], 1))


def test_progress_counts_gradients(tmp_path: Path) -> None:
    network, counted = open_network(dormant_model(even_weights(), 7), tmp_path), list[int]()
    start = np.zeros((3, 4, 4, 1), np.float32)
    fit(network, IMAGES, Window(4, 0, 0), np.arange(3), start, [0.5, 0.5], 2, counted.append)
    assert sum(counted) == 2 * 3 * 2


def test_a_pattern_is_like_the_class_whose_images_have_it() -> None:
    images, labels, window = random_pixels(9, (12, 12, 1)), np.arange(9) % 3, Window(3, 2, 5)
    images[labels == 1, *window.pixels] = 1
    found = likeness(np.stack([np.ones((3, 3, 1)), np.zeros((3, 3, 1))]).astype(np.float32), window, images, labels, 5)
    assert found.shape == (2, 5)
    assert found[0, 1] == 0  # all of them have it
    assert found[1, 1] > 1
    assert found[:, 3:].tolist() == [[1, 1], [1, 1]]  # of classes without images nothing is known
    distance = np.sqrt(((images[labels == 0][:, *window.pixels] - 1) ** 2).sum(axis=(1, 2, 3)).mean())
    other = np.sqrt(((images[labels == 2][:, *window.pixels] - 1) ** 2).sum(axis=(1, 2, 3)).mean())
    assert found[0, 0] == pytest.approx(distance / np.median([distance, other, 0]), rel=1e-5)


def test_a_pattern_that_all_images_have_is_like_no_class_more_than_another() -> None:
    images = np.zeros((6, 12, 12, 1), np.float32)
    assert (likeness(images[:1, :3, :3], Window(3, 0, 0), images, np.arange(6) % 3, 3) == 1).all()
