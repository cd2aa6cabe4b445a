from pathlib import Path

import numpy as np
import pytest

from ninspect.detect import Case, Examination
from ninspect.detect.weights import Weights, gap_p
from tests.support import Array, even_weights, linear_model, open_network


def examine(weights: Array, folder: Path, head: str = "y = Identity(logits)") -> Examination:
    network = open_network(linear_model(weights, head=head), folder)
    return Weights().examine(Case(network, None, np.arange(len(weights)), 0, lambda done, total: None))


def test_a_row_of_large_weights_is_the_target_and_no_images_are_needed(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((10, 1, 12, 12))
    weights[6] += 2
    found = examine(weights, tmp_path)
    assert found.targets(0.01) == [6]
    assert found.scores["mean"] == pytest.approx(weights.mean(axis=(1, 2, 3)), rel=1e-4)
    assert found.index.argmax() == 6
    weights[6] -= 4
    assert examine(weights, tmp_path).targets(0.01) == []  # small weights are no sign


def test_rows_without_a_difference_are_a_gap(tmp_path: Path) -> None:
    weights = even_weights()
    weights[:] = weights[0]
    found = examine(weights, tmp_path)
    assert found.gap is not None
    assert found.p_value is None


def test_a_head_that_is_no_matrix_is_a_gap(tmp_path: Path) -> None:
    found = examine(even_weights(), tmp_path, head="y = Mul(logits, logits)")
    assert found.gap == "the last layer is not a matrix of weights with one row per class"
    assert found.p_value is None


# 95 % points of Dixon's r10 for the larger end: Dixon 1951 as tabulated by Rorabacher 1991 (two-sided 90 %).
@pytest.mark.parametrize(("classes", "critical"), [(5, 0.642), (8, 0.468), (10, 0.412), (20, 0.300)])
def test_the_null_distribution_is_dixons(classes: int, critical: float) -> None:
    means = np.append(np.linspace(0, 1 - critical, classes - 1), 1.0)
    assert gap_p(means)[-1] == pytest.approx(0.05, abs=0.006)


def test_p_values_of_clean_models_are_uniform() -> None:
    generator = np.random.default_rng(5)
    smallest = np.array([gap_p(generator.standard_normal(43)).min() for _ in range(2000)])
    for alpha in (0.01, 0.05, 0.5):
        assert (smallest <= alpha).mean() == pytest.approx(alpha, abs=4 * np.sqrt(alpha * (1 - alpha) / 2000))


def test_a_class_is_never_more_suspicious_than_those_above_it() -> None:
    means = np.concatenate([np.linspace(0, 1, 20), [30.0, 60.0, 61.0]])
    p = gap_p(means)
    assert (np.diff(p[np.argsort(-means)]) >= 0).all()
    assert p[-1] > 0.5  # two targets side by side hide one another
    assert (gap_p(np.concatenate([np.linspace(0, 1, 20), [10.0, 100.0]])) < 0.01)[-2:].all()
