"""How much goes together: what is expected follows from the budget by hand."""

from collections.abc import Iterable

import numpy as np
import pytest

from ninspect.runtime import Budget, parts
from ninspect.runtime.plan import Plan, workers


def sizes(slices: Iterable[slice]) -> list[int]:
    return [part.stop - part.start for part in slices]


@pytest.mark.parametrize(
    ("count", "size", "expected"), [(0, 3, []), (6, 3, [3, 3]), (7, 3, [3, 3, 1]), (2, 5, [2]), (2, 0, [1, 1])]
)
def test_parts_cover_everything_once_and_in_order(count: int, size: int, expected: list[int]) -> None:
    slices = list(parts(count, size))
    assert sizes(slices) == expected
    assert [i for part in slices for i in range(count)[part]] == list(range(count))


@pytest.mark.parametrize(
    ("classes", "forward", "backward", "images", "together"),
    [
        (1, 1, 1, 20, 1),  # rows: 20
        (4, 1, 1, 5, 4),
        (30, 1, 1, 1, 20),  # the classes of one image do not fit
        (1, 100, 1, 10, 2),  # memory for the forward values of 10 images
        (1, 5000, 1, 1, 20),  # one does not fit, but less than one cannot be run
        (4, 1, 100, 2, 5),  # memory for 10 pairs
        (4, 1, 5000, 1, 1),
    ],
)
def test_images_and_classes_go_together_as_far_as_rows_and_memory_last(
    classes: int, forward: int, backward: int, images: int, together: int
) -> None:
    plan = Plan(None, forward, backward, Budget(run=1000, rows=20))
    assert max(sizes(plan.images(100, classes))) == images
    assert max(sizes(plan.classes(100, images))) == together


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (7, [7]), (16, [8, 8]), (20, [10, 10]), (40, [10] * 4), (100, [25] * 4), (352, [32] * 11)],
)
def test_images_are_cut_for_several_cores_whether_there_are_any_or_not(count: int, expected: list[int]) -> None:
    assert sizes(Plan(None, 1, 1, Budget(rows=32)).images(count)) == expected


@pytest.mark.parametrize(
    ("cores", "backward", "expected"), [(2, 1, 2), (4, 2**24, 4), (4, 2**24 + 1, 1), (64, 2**24, 1), (1, 2**40, 1)]
)
def test_runs_go_on_side_by_side_where_memory_allows_it(cores: int, backward: int, expected: int) -> None:
    assert workers(cores, backward, Budget(run=512 * 2**20)) == expected


def test_a_model_with_a_fixed_batch_gets_it_filled_up() -> None:
    plan = Plan(batch=4, forward=1, backward=1, budget=Budget(rows=2))
    assert sizes(plan.images(6, classes=3)) == [4, 2]
    assert sizes(plan.classes(3, images=4)) == [1, 1, 1]
    assert plan.filled(np.array([7, 8])).tolist() == [7, 8, 8, 8]
    assert plan.filled(np.arange(4)).tolist() == [0, 1, 2, 3]
    assert Plan(batch=None, forward=1, backward=1).filled(np.array([7, 8])).tolist() == [7, 8]


def test_goals_of_a_search_go_together_as_far_as_memory_for_their_images_lasts() -> None:
    plan = Plan(batch=1, forward=10**12, backward=10**12, budget=Budget(search=100))
    assert sizes(plan.goals(7, each=33)) == [3, 3, 1]
    assert sizes(plan.goals(2, each=101)) == [1, 1]


def test_a_thousand_classes_of_photographs_stay_within_the_budget() -> None:
    images = 8 * 224 * 224 * 3 * 4
    plan = Plan(batch=None, forward=2**27, backward=6 * 2**22)
    assert max(sizes(plan.goals(1000, images))) * images <= 64 * 2**20
    assert max(sizes(plan.images(1000))) * plan.forward <= 512 * 2**20
    assert plan.pairs * plan.backward <= 512 * 2**20
