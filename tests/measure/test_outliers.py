import warnings

import numpy as np
import pytest
from scipy.stats import kstest, median_abs_deviation

from ninspect.measure.outliers import PUBLISHED_INDEX, anomaly_index, critical_index, p_values, robust_z
from tests.support import Array

# The table of docs/method.md: K, the probability that a clean model exceeds 2, and the indices for 5 % and 1 %.
TABLE = [
    (10, 0.33, 3.87, 5.86),
    (43, 0.63, 3.49, 4.26),
    (100, 0.87, 3.50, 4.05),
    (200, 0.98, 3.61, 4.08),
    (1000, 1.00, 3.92, 4.34),
]


def test_the_z_score_by_hand() -> None:
    z = robust_z(np.array([1, 2, 3, 4, 100]))  # median 3, distances 2, 1, 0, 1, 97: MAD 1
    assert z == pytest.approx(np.array([-2, -1, 0, 1, 97]) / 1.482602, rel=1e-6)


def test_the_factor_is_that_of_the_normal_distribution() -> None:
    scores = np.random.default_rng(0).normal(5, 3, 100_000)
    assert robust_z(scores).std() == pytest.approx(1, abs=0.01)
    assert median_abs_deviation(scores, scale="normal") == pytest.approx(3, abs=0.03)


def test_shift_and_scale_do_not_matter_and_rows_are_independent() -> None:
    scores = np.random.default_rng(0).standard_normal((3, 9))
    assert np.allclose(robust_z(7 * scores - 100), robust_z(scores))
    assert np.allclose(robust_z(scores)[1], robust_z(scores[1]))


def test_low_scores_have_a_positive_index() -> None:
    assert anomaly_index(np.array([5.0, 6, 7, 8, -90])).argmax() == 4


def test_missing_scores_are_left_out() -> None:
    scores = np.array([1, np.nan, 2, 3, 4, np.nan, 100])
    z = robust_z(scores)
    assert np.isnan(z[[1, 5]]).all()
    assert np.allclose(z[[0, 2, 3, 4, 6]], robust_z(scores[np.isfinite(scores)]))


@pytest.mark.parametrize("scores", [[3.0] * 10, [1, 2] + [5.0] * 8, [np.nan] * 10])
def test_scores_without_spread_give_no_number_and_no_warning(scores: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(robust_z(np.array(scores))).all()


@pytest.mark.parametrize(("classes", "_", "five_percent", "one_percent"), TABLE)
def test_the_critical_indices_are_those_of_the_documentation(
    classes: int, _: float, five_percent: float, one_percent: float
) -> None:
    assert critical_index(0.05, classes) == pytest.approx(five_percent, abs=0.08)
    assert critical_index(0.01, classes) == pytest.approx(one_percent, abs=0.15)


@pytest.mark.parametrize("classes", [10, 43])
def test_heavy_tails_are_a_null_distribution_of_their_own(classes: int) -> None:
    scores = np.random.default_rng(4).standard_t(6, (4000, classes))
    p = p_values(robust_z(scores).max(axis=1), classes, 6)
    assert kstest(p, "uniform").pvalue > 1e-3
    assert critical_index(0.01, classes, 6) > 1.2 * critical_index(0.01, classes)


@pytest.mark.parametrize(("classes", "flagged", "_", "__"), TABLE)
def test_the_published_rule_flags_many_clean_models(classes: int, flagged: float, _: float, __: float) -> None:
    assert float(p_values(PUBLISHED_INDEX, classes)) == pytest.approx(flagged, abs=0.015)


def simulated_p_values(classes: int) -> Array:
    scores = np.random.default_rng(2).standard_normal((4000, classes))
    return p_values(robust_z(scores).max(axis=1), classes)


@pytest.mark.parametrize("classes", [10, 43, 100])
def test_p_values_of_clean_models_are_uniform(classes: int) -> None:
    assert kstest(simulated_p_values(classes), "uniform").pvalue > 0.01


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_p_values_hold_for_the_fewest_classes(alpha: float) -> None:
    """Of five classes the largest is often the one that the MAD is measured at, so large p-values are not uniform."""
    assert (simulated_p_values(5) <= alpha).mean() == pytest.approx(alpha, abs=3 * (alpha / 4000) ** 0.5)


def test_p_values_fall_with_the_index_and_stay_within_the_resolution_of_the_simulation() -> None:
    p = p_values(np.linspace(-1, 100, 500), 10)
    assert (np.diff(p) <= 0).all()
    assert p_values([-100, 1e9, np.nan], 10) == pytest.approx([1, 1 / 20001, np.nan], nan_ok=True)


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.01, 0.001])
def test_the_critical_index_is_where_the_p_value_is_alpha(alpha: float) -> None:
    assert float(p_values(critical_index(alpha, 43), 43)) == pytest.approx(alpha, abs=1e-4)


def test_fewer_than_five_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="outliers among 4 classes mean nothing"):
        critical_index(0.05, 4)
    assert critical_index(0.05, 5) > critical_index(0.05, 10)
