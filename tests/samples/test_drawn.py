import numpy as np
import pytest

from ninspect.samples.drawn import drawn, spread_over_answers


@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 33, 3), (2, 2, 3)])
def test_pictures_have_the_shape_and_range_of_images(shape: tuple[int, int, int]) -> None:
    pictures = drawn(9, shape, seed=0)
    assert pictures.shape == (9, *shape)
    assert pictures.dtype == np.float32
    assert 0 <= pictures.min() < pictures.max() <= 1
    assert len(np.unique(pictures.reshape(9, -1), axis=0)) > 4


def test_the_seed_draws_the_pictures() -> None:
    pictures = drawn(8, (16, 16, 3), seed=1)
    assert np.array_equal(pictures, drawn(8, (16, 16, 3), seed=1))
    assert not np.array_equal(pictures, drawn(8, (16, 16, 3), seed=2))


def test_colour_is_drawn_where_there_is_any() -> None:
    channels = drawn(40, (16, 16, 3), seed=0).reshape(40, -1, 3)
    assert (np.ptp(channels, axis=2).max(axis=1) > 0.2).mean() > 0.6


def test_the_surest_pictures_are_spread_over_the_answers() -> None:
    logits = np.zeros((12, 3), np.float32)
    logits[:9, 0] = np.arange(1, 10)
    logits[9:11, 1] = [2, 5]
    logits[11, 2] = 0.1
    assert spread_over_answers(logits, 5).tolist() == [7, 8, 9, 10, 11]
    assert spread_over_answers(logits, 3).tolist() == [8, 10, 11]
    assert spread_over_answers(logits, 99).tolist() == list(range(12))
