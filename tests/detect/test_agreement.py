from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ninspect.detect import Agreement, Case, Examination, Stamp
from ninspect.measure.calibration import SMALLEST_P
from ninspect.runtime import Network
from ninspect.search.patch import Patch
from ninspect.search.stamps import Window
from tests.support import even_weights, linear_model, open_network

NAN = float("nan")


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return open_network(linear_model(even_weights()), tmp_path)


def method(name: str, p_values: Sequence[float] | NDArray[np.float64], rule: str = "BD001") -> Examination:
    p = np.array(p_values)
    return Examination(name=name, classes=np.arange(len(p)), scores={}, index=-np.log(p), p_values=p, rule=rule)


def agreed(network: Network, *earlier: Examination) -> Examination:
    case = Case(network, None, earlier[0].classes, 0, lambda done, total: None, list(earlier))
    return Agreement().examine(case)


def test_a_class_that_two_methods_nearly_suspect_is_one_that_they_agree_on(network: Network) -> None:
    found = agreed(network, method("a", [0.03, 1.0, 0.5]), method("b", [0.02, 0.001, 1.0]))
    assert found.p_values == pytest.approx([0.03**2, 1, 1])
    assert found.index == pytest.approx([-np.log(0.03), 0, 0])
    assert found.ranked[0] == 0
    assert [*found.scores] == ["a", "b"]


def test_two_of_three_have_to_agree_and_there_are_three_such_pairs(network: Network) -> None:
    found = agreed(network, *(method(name, [p]) for name, p in (("a", 0.04), ("b", 0.9), ("c", 0.02))))
    assert found.p_values == pytest.approx([3 * 0.04**2])


def test_no_p_value_is_smaller_than_any_simulation_could_show(network: Network) -> None:
    assert agreed(network, method("a", [1e-4]), method("b", [1e-4])).p_values == [SMALLEST_P]


@pytest.mark.parametrize("classes", [2, 10, 43])
def test_independent_methods_seldom_agree(network: Network, classes: int) -> None:
    """Each method's smallest p-value is uniform: what its p-values promise."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(2000):
        columns = 1 - (1 - rng.random((2, classes))) ** classes
        hits += agreed(network, method("a", columns[0]), method("b", columns[1])).targets(0.05) != []
    assert hits / 2000 <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_a_class_that_one_method_could_not_measure_is_not_agreed_on(network: Network) -> None:
    found = agreed(network, method("a", [0.001, 0.5]), replace(method("b", [0.1, 0.5]), p_values=np.array([NAN, 0.5])))
    assert found.targets(0.01) == []


def test_a_place_where_many_classes_are_reached_does_not_count(network: Network) -> None:
    nothing = np.zeros((4, 4), np.float32)
    stamp = Stamp(
        label=0,
        patch=Patch(nothing, nothing[..., None]),
        success=0.9,
        held_out=10,
        control_size=NAN,
        control_success=0.4,
        examples=np.zeros((0, 4, 4, 1), np.float32),
        answers=np.zeros((2, 0), np.int64),
        window=Window(2, 0, 0),
        rival=0.5,
    )
    first, second = method("a", [0.02, 0.9]), method("b", [0.02, 0.9])
    assert agreed(network, first, second).targets(0.01) == [0]
    assert agreed(network, first, replace(second, stamps=(stamp,))).targets(0.01) == []


def test_it_takes_two_methods_that_compare_classes(network: Network) -> None:
    other = method("all-to-all", [0.001, 0.001], rule="BD002")
    found = agreed(network, method("a", [0.001, 0.5]), other)
    assert found.gap == "two methods that compare the classes have to come before it"
    assert found.p_value is None


def test_a_method_that_could_not_look_says_so_itself(network: Network) -> None:
    blind = Examination.without_scores("windows", np.arange(2), "too few images")
    found = agreed(network, method("a", [0.001, 0.5]), blind)
    assert (found.gap, found.p_value) == (None, None)
