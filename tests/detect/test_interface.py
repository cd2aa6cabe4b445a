import re

import numpy as np
import pytest

from ninspect.detect import Detection
from ninspect.detect.interface import judge
from ninspect.outliers import anomaly_index, critical_index, p_values

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
