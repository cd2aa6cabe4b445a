from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gamma

from ninspect.detect import MMBD, Case, Examination
from ninspect.detect.mmbd import _log_tails, margin_tail_p
from ninspect.runtime import Network
from tests.support import backdoored_weights, even_weights, linear_model, open_network

SHORT = MMBD(starts=4, steps=40, rate=0.05)


def examine(network: Network, detector: MMBD = SHORT, seed: int = 0) -> Examination:
    case = Case(network, None, np.arange(network.classes), seed, lambda done, total: None)
    return detector.examine(case)


# From noise to margins


def test_a_class_whose_margin_goes_far_is_the_target_and_no_images_are_needed(tmp_path: Path) -> None:
    found = examine(open_network(linear_model(backdoored_weights(7)), tmp_path))
    assert found.targets(0.01) == [7]
    assert found.index.argmax() == 7
    assert examine(open_network(linear_model(even_weights()), tmp_path)).targets(0.01) == []


def test_one_step_follows_the_gradient_of_the_margin_of_the_clipped_image(tmp_path: Path) -> None:
    weights = even_weights(classes=5)
    network = open_network(linear_model(weights), tmp_path)
    case = Case(network, None, np.arange(5), 3, lambda done, total: None)
    noise = case.noise(2).astype(np.float64)[..., 0]
    flat = weights[:, 0].reshape(5, -1)

    def rival(x: np.ndarray, c: int) -> int:
        z = flat @ np.clip(x, 0, 1).ravel()
        return int(np.argmax(np.where(np.arange(5) == c, -np.inf, z)))

    expected = []
    for c in range(5):
        reached = []
        for start in noise:
            x = start.copy()
            for _ in range(2):
                x += 0.3 * (weights[c, 0] - weights[rival(x, c), 0]) * ((x >= 0) & (x <= 1))
            reached.append((flat[c] - flat[rival(x, c)]) @ np.clip(x, 0, 1).ravel())
        expected.append(max(reached))
    found = MMBD(starts=2, steps=3, rate=0.3).examine(case)  # the margin is that before the last step
    assert found.scores["margin"] == pytest.approx(expected, rel=1e-4)


def test_classes_that_have_converged_stop(tmp_path: Path) -> None:
    network = open_network(linear_model(backdoored_weights(7)), tmp_path)
    calls: list[tuple[int, int]] = []
    case = Case(network, None, np.arange(10), 0, lambda done, total: calls.append((done, total)))
    MMBD(starts=4, steps=1000, rate=0.5).examine(case)
    computed = [done for done, _ in calls[:-1]]
    assert computed[-1] < 10 * 4 * 1000 / 2
    assert np.diff(computed)[-1] < np.diff(computed)[0]
    assert calls[-1] == (40_000, 40_000)


def test_the_seed_chooses_the_noise(tmp_path: Path) -> None:
    network = open_network(linear_model(even_weights()), tmp_path)
    first, again, other = (examine(network, seed=seed).scores["margin"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


# From margins to p-values


@pytest.mark.parametrize("shape", [2.0, 300.0])
@pytest.mark.parametrize("classes", [5, 10, 43])
def test_p_values_of_clean_models_are_uniform_whatever_the_shape(classes: int, shape: float) -> None:
    generator = np.random.default_rng(classes)
    smallest = np.array([margin_tail_p(generator.gamma(shape, size=classes)).min() for _ in range(2000)])
    for alpha in (0.01, 0.05, 0.5):
        assert (smallest <= alpha).mean() == pytest.approx(alpha, abs=5 * np.sqrt(alpha * (1 - alpha) / 2000))


def test_the_published_statistic_is_inside() -> None:
    margins = np.sort(np.random.default_rng(0).gamma(20, size=10))[::-1]
    shape, _, scale = gamma.fit(margins[1:], floc=0)
    q = 1 - gamma.cdf(margins[0], shape, scale=scale) ** 10
    assert np.exp(_log_tails(margins)[0]) == pytest.approx(q, rel=1e-6)


def test_the_unit_of_the_margins_does_not_matter() -> None:
    margins = np.random.default_rng(0).gamma(20, size=30)
    assert margin_tail_p(1000 * margins) == pytest.approx(margin_tail_p(margins))


@pytest.mark.parametrize("targets", [[20.0], [30.0, 29.0], [30.0, 30.0, 30.0, 12.0, 11.0]])
def test_several_targets_do_not_hide_one_another(targets: list[float]) -> None:
    margins = np.concatenate([np.random.default_rng(0).normal(10, 1, 40), targets])
    p = margin_tail_p(margins)
    large = margins > 18
    assert (p[large] <= 0.001).all()
    assert (p[~large] > 0.05).all()
    assert (np.diff(p[np.argsort(-margins)]) >= 0).all()


def test_classes_that_are_never_reached_are_left_out() -> None:
    alike = np.random.default_rng(0).normal(10, 1, 9)
    some = margin_tail_p(np.concatenate([alike, [30.0], [-1.0] * 3]))
    assert some[:10] == pytest.approx(margin_tail_p(np.append(alike, 30.0)))
    assert (some[10:] == 1).all()
    assert np.isnan(margin_tail_p(np.array([1.0, 2, 3, 4, 0, -1]))).all()


def test_equal_margins_hide_nobody() -> None:
    assert margin_tail_p(np.full(10, 3.0)).min() > 0.01
    assert margin_tail_p(np.append(np.full(9, 3.0), 4.0))[-1] < 0.001
