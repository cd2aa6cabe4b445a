from pathlib import Path

import numpy as np
import onnx
import pytest

from ninspect.detect import Case, Examination, FreeEagle
from ninspect.measure.outliers import robust_z
from ninspect.runtime import Network
from tests.support import Array, even_weights, linear_model, onnx_model, open_network

SHORT = FreeEagle(steps=200)


def two_layers(last: Array, activation: str = "Relu") -> onnx.ModelProto:
    """Inner units of random directions, and `last` `[units, K]` on top of them."""
    units, classes = last.shape
    return onnx_model(
        f"f = Flatten(x); h = MatMul(f, w); a = {activation}(h); y = MatMul(a, v)",
        y=f"float[N,{classes}] y",
        w=np.random.default_rng(0).standard_normal((64, units)),
        v=last,
    )


def one_unit_each(classes: int = 12) -> Array:
    """Every class has a unit of its own, and dislikes the units of the others."""
    return 3 * np.eye(classes) + np.random.default_rng(1).uniform(-1.2, -0.8, (classes, classes))


def examine(network: Network, detector: FreeEagle = SHORT, seed: int = 0, classes: Array | None = None) -> Examination:
    judged = np.arange(network.classes) if classes is None else classes
    return detector.examine(Case(network, None, judged, seed, lambda done, total: None))


def test_a_class_that_the_units_of_all_others_lead_to_is_the_target(tmp_path: Path) -> None:
    last = one_unit_each()
    assert examine(open_network(two_layers(last), tmp_path)).targets(0.01) == []
    last[:, 4] += 1.5  # from class c to class 4
    found = examine(open_network(two_layers(last), tmp_path))
    assert found.targets(0.01) == [4]
    assert found.scores["posterior"].argmax() == 4
    assert found.scores["outlier"].argmax() == 4


def test_the_pair_of_source_and_target_is_named(tmp_path: Path) -> None:
    last = one_unit_each()
    last[9, 4] += 3.5  # from class 9 to class 4 alone
    found = examine(open_network(two_layers(last), tmp_path), classes=np.array([2, 3, 4, 5, 6, 7, 9, 11]))
    pair = found.scores["from_source"].argmax()
    assert (found.classes[pair], found.scores["source"][pair]) == (4, 9)


def test_the_scores_are_those_of_the_formula(tmp_path: Path) -> None:
    last = one_unit_each(5)
    network = open_network(two_layers(last), tmp_path)
    found = examine(network, FreeEagle(steps=50))
    case = Case(network, None, np.arange(5), 0, lambda done, total: None)
    log_p = FreeEagle(steps=50)._log_posteriors(case, network.tail)
    p = np.exp(log_p) * (1 - np.eye(5))
    assert np.exp(log_p).sum(axis=1) == pytest.approx(1)
    assert (np.exp(log_p).argmax(axis=1) == np.arange(5)).all()
    mean = p.sum(axis=0) / 4
    first, third = np.quantile(mean, (0.25, 0.75))
    assert found.scores["posterior"] == pytest.approx(mean)
    assert found.scores["outlier"] == pytest.approx((mean - third) / (third - first))
    assert found.index == pytest.approx(robust_z(np.log(mean)))


def test_activations_that_cannot_be_negative_do_not_become_so(tmp_path: Path) -> None:
    """A class that wants all units off is no better than even where they cannot go below zero."""
    last = np.stack([-np.ones(6), *np.eye(6)[:5]], axis=1)
    best = {}
    for activation in ("Tanh", "Relu"):
        network = open_network(two_layers(last, activation), tmp_path)
        case = Case(network, None, np.arange(6), 0, lambda done, total: None)
        best[activation] = np.exp(FreeEagle(steps=300)._log_posteriors(case, network.tail)[0, 0])
    assert best["Tanh"] > 0.9
    assert best["Relu"] == pytest.approx(1 / 6, abs=0.01)


def test_the_seed_chooses_the_start(tmp_path: Path) -> None:
    network = open_network(two_layers(one_unit_each()), tmp_path)
    few = FreeEagle(steps=5)
    assert np.array_equal(examine(network, few, seed=1).index, examine(network, few, seed=1).index)
    assert not np.array_equal(examine(network, few, seed=1).index, examine(network, few, seed=2).index)


def test_a_model_that_cannot_be_cut_is_a_gap(tmp_path: Path) -> None:
    found = examine(open_network(linear_model(even_weights()), tmp_path))
    assert "cannot be cut" in (found.gap or "")
    assert found.p_value is None
