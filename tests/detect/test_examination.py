import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from ninspect.detect import Examination, Trigger
from ninspect.detect.examination import holm, judge
from ninspect.detect.examination import tested as with_p_values
from ninspect.measure.outliers import anomaly_index, critical_index, p_values
from ninspect.search.patch import Patch

ALIKE = [10.0, 11, 9, 10.5, 9.5, 10.2, 9.8, 11.2, 8.8]


def examination(scores: list[float], classes: list[int] | None = None) -> Examination:
    chosen = np.arange(len(scores)) if classes is None else np.array(classes)
    column = np.array(scores)
    return judge("test", chosen, {"score": column}, anomaly_index(column))


def examined(name: str, p_values: ArrayLike, weight: float = 1, **more: Any) -> Examination:
    p = np.asarray(p_values, np.float64)
    everywhere = np.zeros(len(p))
    return Examination(
        name=name, classes=np.arange(len(p)), scores={}, index=everywhere, p_values=p, weight=weight, **more
    )


def test_classes_that_are_alike_give_no_target() -> None:
    found = examination([*ALIKE, 10.1])
    assert found.targets(0.01) == []
    assert found.gap is None
    assert found.measured == 10
    assert found.p_values == pytest.approx(p_values(anomaly_index(found.scores["score"]), 10))
    assert found.p_value == found.p_values.min()


def test_a_low_score_is_a_target_and_a_high_one_is_not() -> None:
    assert examination([*ALIKE, -20]).targets(0.01) == [9]
    assert examination([*ALIKE, 40]).targets(0.01) == []


def test_targets_are_classes_and_come_most_suspect_first() -> None:
    found = examination([*ALIKE, 0, -20], classes=list(range(100, 111)))
    assert found.targets(0.05) == [110, 109]
    assert found.flagged == [110, 109]


def test_the_published_rule_never_decides() -> None:
    found = examination([*ALIKE, 7.5])
    assert 2 < found.index[9] < critical_index(0.01, 10)
    assert found.flagged == [9]
    assert found.targets(0.01) == []


def test_a_smaller_alpha_asks_for_more() -> None:
    found = examination([*ALIKE, 5.5])
    assert found.p_value is not None
    assert found.targets(2 * found.p_value) == [9]
    assert found.targets(found.p_value / 2) == []


@pytest.mark.parametrize(
    ("scores", "gap"),
    [
        ([np.nan] * 10, "the gradients show no difference between the classes"),
        ([3.0] * 10, "the gradients show no difference between the classes"),
        ([1.0, 2, 3, 4], "4 classes can be compared, "),
        ([1.0, 2, 3, 4, *[np.nan] * 6], "4 classes can be compared, "),
        ([np.nan, *ALIKE], "nothing was measured, for class 0$"),
        ([np.nan, *ALIKE, np.nan], "nothing was measured, for classes 0, 10$"),
        ([*ALIKE, *[np.nan] * 12], "for classes 9, 10, 11, 12, 13, 14, 15, 16 and 4 more$"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_tested_is_a_gap(scores: list[float], gap: str) -> None:
    found = examination(scores)
    assert re.search(gap, found.gap or "")
    assert found.targets(0.01) == []


def test_classes_that_were_not_measured_leave_the_others_to_be_compared() -> None:
    found = examination([np.nan, *ALIKE, -20])
    assert found.measured == 10
    assert found.targets(0.01) == [10]
    assert found.gap is not None


def test_too_few_classes_have_no_p_value() -> None:
    assert examination([1.0, 2, 3, 4]).p_value is None
    assert examination([1.0, 2, 3, 4, 6]).p_value is not None


def test_holm_corrects_for_looking_several_times() -> None:
    """Of three tests of clean models, some p-value is below alpha with probability alpha at most."""
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        found = [examined(name, generator.random(1), weight) for name, weight in (("a", 1.0), ("b", 1.0), ("c", 0.1))]
        hits += any(corrected.targets(0.1) for corrected in holm(found))
    assert hits / 2000 == pytest.approx(0.1, abs=3 * (0.09 / 2000) ** 0.5)


def test_holm_multiplies_by_what_is_left_and_keeps_the_order() -> None:
    gap = Examination.without_scores("c", np.arange(2), "no images")
    corrected = holm([examined("a", [0.04, 0.9]), examined("b", [0.01, 0.9]), gap])
    assert [one.p_value for one in corrected] == [0.04, 0.02, None]
    assert [one.looks for one in corrected] == [1, 2, 1]
    assert [one.p_value for one in holm([examined("a", [0.021, 0.9]), examined("b", [0.02, 0.9])])] == [0.04, 0.04]


def test_several_looks_multiply_the_p_values() -> None:
    column = np.array([*ALIKE, -20])
    once, twice = (
        judge("test", np.arange(10), {"score": column}, anomaly_index(column), looks=looks) for looks in (1, 2)
    )
    assert twice.p_values == pytest.approx(np.minimum(1, 2 * once.p_values))


def test_an_examination_without_scores_says_nothing_of_any_class() -> None:
    found = Examination.without_scores("test", np.array([3, 5]), "no images")
    assert (found.gap, found.p_value, found.measured) == ("no images", None, 0)
    assert (found.targets(1), found.flagged, found.ranked) == ([], [], [])
    assert not found.accuses(1)


def test_those_that_were_tested_come_with_the_smallest_p_value_first() -> None:
    gap = Examination.without_scores("gap", np.arange(2), "no images")
    found = with_p_values([examined("large", [0.5, 0.9]), gap, examined("small", [0.9, 0.1])])
    assert [one.name for one in found] == ["small", "large"]


@pytest.mark.parametrize(("success", "size", "accuses"), [(0.7, 3, True), (0.69, 3, False), (0.7, 4, False)])
def test_a_convincing_trigger_accuses_whatever_the_p_values(success: float, size: int, accuses: bool) -> None:
    mask = np.zeros((5, 5), np.float32)
    mask.flat[:size] = 1
    trigger = Trigger(
        label=0,
        patch=Patch(mask, np.zeros((5, 5, 1), np.float32)),
        success=success,
        held_out=32,
        control_size=10.0,
        control_success=0.9,
        examples=np.zeros((0, 5, 5, 1), np.float32),
        answers=np.zeros((2, 0), np.int64),
        p_value=0.1,
    )
    assert examined("test", [1.0], triggers=(trigger,)).accuses(0.01) == accuses
