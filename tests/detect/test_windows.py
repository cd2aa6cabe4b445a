from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ninspect.detect import Case, Windows, too_few
from ninspect.detect.examination import Examination
from ninspect.detect.windows import Tried, joined, spread
from ninspect.measure.calibration import STAMPS
from ninspect.measure.outliers import interaction
from ninspect.runtime import Network
from ninspect.search.stamps import Window
from tests.support import dormant_model, even_weights, linear_model, open_network, random_pixels

TARGET = 7


def case(network: Network, count: int = 60, classes: int = 10) -> Case:
    return Case(network, random_pixels(count, (12, 12, 1)), np.arange(classes), 0, lambda done, total: None)


@pytest.fixture
def backdoored(tmp_path: Path) -> Case:
    """Classes that are alike, and a white square of 3×3 pixels that sends everything to one of them."""
    return case(open_network(dormant_model(even_weights(), target=TARGET), tmp_path))


def test_the_target_stands_out_at_the_place_of_its_trigger(backdoored: Case) -> None:
    found = Windows().examine(backdoored)
    assert found.ranked[0] == TARGET
    assert found.targets(0.01) == [TARGET]
    assert found.gap is None
    stamp = found.stamps[0]
    rows, columns = stamp.window.pixels
    assert (stamp.label, stamp.success) == (TARGET, 1.0)
    assert stamp.rival < 0.5
    assert rows.start <= 2 < rows.stop
    assert columns.start <= 2 < columns.stop
    assert stamp.nearly
    assert not stamp.convincing  # the statistics decide, not the size of a window


def test_the_stamp_shows_what_the_model_answers(backdoored: Case) -> None:
    stamp = Windows().examine(backdoored).stamps[0]
    before, after = stamp.answers
    assert TARGET not in before
    assert set(after) == {TARGET}
    assert backdoored.network.logits(stamp.stamped).argmax(axis=1).tolist() == after.tolist()


def test_classes_that_are_alike_give_no_target(tmp_path: Path) -> None:
    found = Windows().examine(case(open_network(linear_model(even_weights()), tmp_path)))
    assert found.targets(0.01) == []
    assert found.gap is None


def test_the_same_seed_gives_the_same_numbers(backdoored: Case) -> None:
    first, second = (Windows().examine(backdoored) for _ in range(2))
    assert np.array_equal(first.index, second.index)
    assert np.array_equal(first.stamps[0].patch.pattern, second.stamps[0].patch.pattern)


def test_among_few_classes_places_cannot_be_compared(tmp_path: Path) -> None:
    network = open_network(dormant_model(even_weights(3), target=1), tmp_path)
    found = Windows().examine(case(network, classes=3))
    assert found.gap == too_few(3)
    assert found.p_value is None


@pytest.mark.parametrize("budget", [{"guessing": 1, "fitting": 1}, {"fitting": 1}, {"guessing": 1}])
def test_a_large_network_is_asked_where_classes_look(
    backdoored: Case, monkeypatch: pytest.MonkeyPatch, budget: dict[str, Any]
) -> None:
    monkeypatch.setattr("ninspect.detect.windows.STAMPS", replace(STAMPS, fewest_windows=4, **budget))
    earlier = replace(Windows().examine(backdoored), looked_at=((2, 2), (11, 11), (7, 3)))
    found = Windows().examine(replace(backdoored, earlier=[earlier]))
    assert found.ranked[0] == TARGET
    assert found.gap is None


def test_what_serves_a_class_everywhere_or_all_classes_at_a_place_is_no_interaction() -> None:
    table = np.add.outer(np.arange(9.0), np.linspace(0, 30, 11))
    assert np.allclose(interaction(table), 0)
    table[4, 3] += 5
    left = interaction(table)
    assert left[4, 3] == pytest.approx(5)
    assert np.abs(np.delete(left.ravel(), 4 * 11 + 3)).max() == pytest.approx(0)


def test_a_class_stands_out_by_what_works_relative_to_the_usual() -> None:
    windows = [Window(2, 0, 0), Window(2, 0, 2)]
    nothing = [(np.zeros((1, 2, 2, 1), np.float32), np.zeros(3, np.int64))] * 2
    beyond, farthest = np.array([[0.0, 3, 1], [0, 1, 4]]), np.array([1.0, 2, 7])
    tried = Tried(np.array([0, 2, 5]), windows, nothing, beyond, farthest)
    assert tried.stands(np.array([5, 0, 2])).tolist() == [2.0, 0.0, 1.5]
    assert np.isnan(tried.stands(np.array([1]))).all()


@pytest.mark.parametrize("known", [[], [3]], ids=["no class stood out before", "one did"])
def test_of_many_classes_the_gradient_helps_those_that_stand_out_and_others_to_compare_with(
    backdoored: Case, monkeypatch: pytest.MonkeyPatch, known: list[int]
) -> None:
    monkeypatch.setattr("ninspect.detect.windows.STAMPS", replace(STAMPS, most_classes=6))
    index = np.where(np.isin(backdoored.classes, known), 5.0, np.nan)
    earlier = replace(Examination.without_scores("before", backdoored.classes, None), index=index)
    found = Windows().examine(replace(backdoored, earlier=[earlier]))
    fitted = [np.isfinite(column) for name, column in found.scores.items() if name.startswith("fitted")]
    assert all(column.sum() == 6 and column[[TARGET, *known]].all() for column in fitted)
    assert np.isfinite(found.index).all()
    assert found.targets(0.01) == [TARGET]


def test_a_guess_that_the_gradient_does_not_confirm_counts_less() -> None:
    nan = np.nan
    guessed, small, large = (
        np.array([3.0, 3.0, 0.0, 3.0, nan]),
        np.array([0, 1, 4, nan, nan]),
        np.array([0, 2, 0, 0, nan]),
    )
    assert joined(guessed, small, large)[:4] == pytest.approx([2, 3, 4, 2])
    assert np.isnan(joined(guessed, small, large)[4])


def test_a_window_that_decides_between_all_classes_says_nothing(tmp_path: Path) -> None:
    weights = even_weights()
    weights[:, 0, 4:9, 4:9] = 20 * even_weights(side=5)[:, 0]
    weights[TARGET, 0, 4:9, 4:9] *= 1.5
    found = Windows().examine(case(open_network(linear_model(weights), tmp_path), count=200))
    assert found.index.tolist() == [0] * 10


def test_a_network_that_never_answers_otherwise_is_not_judged(tmp_path: Path) -> None:
    found = Windows().examine(case(open_network(linear_model(np.zeros((10, 1, 12, 12))), tmp_path)))
    assert found.gap is not None
    assert found.p_value is None


def test_images_are_spread_over_the_classes() -> None:
    labels = np.array([0] * 50 + [1] * 5 + [2] * 3)
    order = spread(labels, seed=0)
    assert sorted(order) == list(range(58))
    assert sorted(labels[order[:9]]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert spread(labels, seed=0).tolist() == order.tolist() != spread(labels, seed=1).tolist()


def test_p_values_fall_with_the_index_and_are_never_above_one() -> None:
    p = STAMPS.p_values(np.array([0.0, STAMPS.usual, 1.5, 2.5, 100.0, np.nan]))
    assert p[:2].tolist() == [1, 1]
    assert (np.diff(p[1:5]) < 0).all()
    assert p[4] > 0
    assert np.isnan(p[5])


def test_a_stamp_that_looks_like_images_of_its_class_does_not_count(
    backdoored: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ninspect.detect.windows.STAMPS", replace(STAMPS, foreign=10.0))  # everything looks like it
    found = Windows().examine(backdoored)
    assert found.index.tolist() == [0] * 10
    assert found.stamps == ()
