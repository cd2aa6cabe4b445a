import numpy as np
import pytest

from ninspect.search.direction import unit
from tests.support import random_pixels


@pytest.mark.parametrize("scale", [1e-30, 1e-14, 1.0, 1e30])
def test_directions_have_length_one_whatever_the_scale(scale: float) -> None:
    images = random_pixels(3, (5, 4, 3)) - np.float32(0.5)
    directions = unit(images * np.float32(scale))
    assert directions.dtype == np.float32
    assert np.linalg.norm(directions.reshape(3, -1), axis=1) == pytest.approx(1)
    assert np.allclose(directions, unit(images), rtol=1e-5)


def test_zeros_stay_zeros() -> None:
    images = random_pixels(2, (5, 4, 3))
    images[0] = 0
    directions = unit(images)
    assert (directions[0] == 0).all()
    assert (directions[1] > 0).any()
