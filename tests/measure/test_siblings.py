"""What stands out in one model and not in its siblings."""

import numpy as np
import pytest

from ninspect.measure.siblings import apart


def test_what_all_models_share_does_not_count() -> None:
    marks = np.random.default_rng(1).standard_normal((9, 12))
    marks[:, 4] += 30  # an easy class
    marks[2, 7] += 30  # of one model
    z, p = apart(marks)
    assert [*map(int, np.unravel_index(np.nanargmin(p), p.shape))] == [2, 7]
    assert p[2, 7] < 0.01
    assert z[:, 4].max() < 10


@pytest.mark.parametrize("models", [5, 8, 40])
def test_of_models_that_are_alike_hardly_any_is_set_apart(models: int) -> None:
    generator = np.random.default_rng(0)
    found = [np.nanmin(apart(generator.standard_t(6, (models, 20)))[1]) <= 0.05 for _ in range(300)]
    assert np.mean(found) <= 0.08


def test_what_could_not_be_measured_is_left_out_and_models_that_agree_make_nothing_odd() -> None:
    marks = np.random.default_rng(0).standard_normal((6, 3))
    marks[:, 1] = 2.0
    marks[0, 1] = 2.5
    marks[0, 2] = np.nan
    z, p = apart(marks)
    assert z[0, 1] == 0.5
    assert p[0, 1] == 1
    assert np.isnan(p).sum() == 1
