import numpy as np
from scipy.stats import false_discovery_control

from ninspect.measure.discoveries import q_values


def test_of_those_that_are_named_few_are_clean() -> None:
    """80 clean models and 20 backdoored ones, 400 times: of those with q ≤ 0.1, at most a tenth are clean."""
    generator = np.random.default_rng(0)
    shares, found = [], []
    for _ in range(400):
        p = np.append(generator.random(80), generator.random(20) * 1e-3)
        named = np.array([q is not None and q <= 0.1 for q in q_values(p.tolist())])
        shares.append(named[:80].sum() / max(named.sum(), 1))
        found.append(named[80:].mean())
    assert 0.05 < np.mean(shares) < 0.1
    assert np.mean(found) > 0.99


def test_they_are_those_of_scipy() -> None:
    p = np.random.default_rng(0).random(50) ** 3
    np.testing.assert_allclose(np.array(q_values(p.tolist()), float), false_discovery_control(p, method="bh"))


def test_models_without_a_p_value_do_not_count() -> None:
    assert q_values([None, 0.04, None]) == [None, 0.04, None]
    assert q_values([None]) == [None]
    assert q_values([]) == []
