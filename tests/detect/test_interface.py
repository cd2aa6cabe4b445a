import re

import numpy as np
import pytest

from ninspect.detect import Detection
from ninspect.detect.interface import holm, judge, skipped
from ninspect.measure.outliers import anomaly_index, critical_index, p_values

ALIKE = [10.0, 11, 9, 10.5, 9.5, 10.2, 9.8, 11.2, 8.8]


def detection(scores: list[float], classes: list[int] | None = None) -> Detection:
    chosen = np.arange(len(scores)) if classes is None else np.array(classes)
    column = np.array(scores)
    return judge("test", chosen, {"score": column}, anomaly_index(column), 0.5)


def test_classes_that_are_alike_give_no_target() -> None:
    found = detection([*ALIKE, 10.1])
    assert found.targets(0.01) == []
    assert found.problem is None
    assert found.measured == 10
    assert found.p_values == pytest.approx(p_values(anomaly_index(found.scores["score"]), 10))
    assert found.p_value == found.p_values.min()


def test_a_low_score_is_a_target_and_a_high_one_is_not() -> None:
    assert detection([*ALIKE, -20]).targets(0.01) == [9]
    assert detection([*ALIKE, 40]).targets(0.01) == []


def test_targets_are_classes_and_come_most_suspect_first() -> None:
    found = detection([*ALIKE, 0, -20], classes=list(range(100, 111)))
    assert found.targets(0.05) == [110, 109]
    assert found.flagged == [110, 109]


def test_the_published_rule_never_decides() -> None:
    found = detection([*ALIKE, 7.5])
    assert 2 < found.index[9] < critical_index(0.01, 10)
    assert found.flagged == [9]
    assert found.targets(0.01) == []


def test_a_smaller_alpha_asks_for_more() -> None:
    found = detection([*ALIKE, 5.5])
    assert found.p_value is not None
    assert found.targets(2 * found.p_value) == [9]
    assert found.targets(found.p_value / 2) == []


@pytest.mark.parametrize(
    ("scores", "problem"),
    [
        ([np.nan] * 10, "the gradients show no difference between the classes"),
        ([3.0] * 10, "the gradients show no difference between the classes"),
        ([1.0, 2, 3, 4], "classes that can be compared: 4;"),
        ([1.0, 2, 3, 4, *[np.nan] * 6], "classes that can be compared: 4;"),
        ([np.nan, *ALIKE], "nothing was measured, for class 0$"),
        ([np.nan, *ALIKE, np.nan], "nothing was measured, for classes 0, 10$"),
        ([*ALIKE, *[np.nan] * 12], "for classes 9, 10, 11, 12, 13, 14, 15, 16 and 4 more$"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_tested_is_a_problem(scores: list[float], problem: str) -> None:
    found = detection(scores)
    assert re.search(problem, found.problem or "")
    assert found.targets(0.01) == []


def test_classes_that_were_not_measured_leave_the_others_to_be_compared() -> None:
    found = detection([np.nan, *ALIKE, -20])
    assert found.measured == 10
    assert found.targets(0.01) == [10]
    assert found.problem is not None


def test_too_few_classes_have_no_p_value() -> None:
    assert detection([1.0, 2, 3, 4]).p_value is None
    assert detection([1.0, 2, 3, 4, 6]).p_value is not None


def test_holm_corrects_for_looking_several_times() -> None:
    """Of three tests of clean models, some p-value is below alpha with probability alpha at most."""
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        found = [
            Detection(name, np.arange(1), {}, np.zeros(1), generator.random(1), 0.0, weight=weight)
            for name, weight in (("a", 1.0), ("b", 1.0), ("c", 0.1))
        ]
        hits += any(corrected.targets(0.1) for corrected in holm(found))
    assert hits / 2000 == pytest.approx(0.1, abs=3 * (0.09 / 2000) ** 0.5)


def test_holm_multiplies_by_what_is_left_and_keeps_the_order() -> None:
    def found(name: str, p: float) -> Detection:
        return Detection(name, np.arange(2), {}, np.zeros(2), np.array([p, 0.9]), 0.0)

    corrected = holm([found("a", 0.04), found("b", 0.01), skipped("c", np.arange(2), "no images")])
    assert [d.p_value for d in corrected] == [0.04, 0.02, None]
    assert [d.looks for d in corrected] == [1, 2, 1]
    assert [d.p_value for d in holm([found("a", 0.021), found("b", 0.02)])] == [0.04, 0.04]


def test_several_looks_multiply_the_p_values() -> None:
    column = np.array([*ALIKE, -20])
    once, twice = (
        judge("test", np.arange(10), {"score": column}, anomaly_index(column), 0.5, looks=looks) for looks in (1, 2)
    )
    assert twice.p_values == pytest.approx(np.minimum(1, 2 * once.p_values))
