from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ninspect.detect import Case, Evidence, Examination
from ninspect.detect.evidence import candidates, find_triggers
from ninspect.detect.examination import judge
from ninspect.measure.calibration import EVIDENCE
from ninspect.runtime import Network
from tests.support import Array, dormant_model, even_weights, open_network, random_pixels

TARGET = 7


def case(network: Network, pixels: Array, *earlier: Examination) -> Case:
    return Case(network, pixels, np.arange(10), 0, lambda done, total: None, list(earlier))


def backdoored(folder: Path) -> Network:
    """Classes that are alike, and a bright square of 3×3 pixels that sends everything to one of them."""
    weights = even_weights()
    weights[TARGET, 0, 1:4, 1:4] = 1
    return open_network(dormant_model(weights, target=TARGET), folder)


def ranking(first: int, height: float = 2.5, **more: Any) -> Examination:
    """Of ten classes one stands out, at p = 0.12 if nothing else is said; the last one comes next."""
    index = np.linspace(-1, 1, 10)
    index[first] = height
    return replace(judge("method", np.arange(10), {}, index), **more)


def test_the_trigger_of_a_backdoor_is_small_and_works_on_other_images(tmp_path: Path) -> None:
    (trigger,) = find_triggers(case(backdoored(tmp_path), random_pixels(64, (12, 12, 1))), [TARGET])
    assert trigger.label == TARGET
    assert trigger.success >= 0.8
    assert trigger.size < trigger.control_size
    assert trigger.patch.mask.shape == (12, 12)
    assert trigger.patch.pattern.shape == (12, 12, 1)
    assert trigger.examples.shape == trigger.stamped.shape == (3, 12, 12, 1)


def test_the_examples_show_what_the_model_answers_without_and_with_the_trigger(tmp_path: Path) -> None:
    network = backdoored(tmp_path)
    (trigger,) = find_triggers(case(network, random_pixels(64, (12, 12, 1))), [TARGET])
    before, after = trigger.answers
    assert TARGET not in before
    assert TARGET in after
    assert before.tolist() == network.logits(trigger.examples).argmax(axis=1).tolist()
    assert after.tolist() == network.logits(trigger.stamped).argmax(axis=1).tolist()
    covered = trigger.patch.mask > 0.5
    assert np.allclose(trigger.patch.on_grey[covered], trigger.patch.pattern[covered], atol=0.25)
    assert np.allclose(trigger.patch.on_grey[trigger.patch.mask < 0.01], 0.5, atol=0.01)


def test_a_class_like_the_others_has_no_convincing_trigger(tmp_path: Path) -> None:
    network = open_network(dormant_model(even_weights(), target=TARGET), tmp_path)
    (trigger,) = find_triggers(case(network, random_pixels(64, (12, 12, 1))), [2])
    assert not trigger.convincing


def test_a_trigger_knows_how_far_its_class_stands_out(tmp_path: Path) -> None:
    first, other = ranking(TARGET), ranking(2)
    pixels = random_pixels(64, (12, 12, 1))
    found = Evidence().examine(case(backdoored(tmp_path), pixels, first, replace(other, name="other"))).triggers
    p = {trigger.label: trigger.p_value for trigger in found}
    assert p[TARGET] == pytest.approx(2 * first.p_values[TARGET])  # corrected for two methods
    small = replace(found[0], success=1.0, control_size=10 * found[0].size)
    assert [replace(small, p_value=p).convincing for p in (0.21, 0.2, None)] == [False, True, True]
    larger = replace(small, control_size=5 * found[0].size)  # where classes cannot be compared, more is asked
    assert [replace(larger, p_value=p).convincing for p in (0.2, None)] == [True, False]
    assert not replace(small, p_value=None, controls=1).convincing  # of two classes, there is one other


def test_more_is_asked_of_a_trigger_on_drawn_pictures(tmp_path: Path) -> None:
    network = backdoored(tmp_path)
    (given,) = find_triggers(case(network, random_pixels(64, (12, 12, 1))), [TARGET])
    (blind,) = find_triggers(Case(network, None, np.arange(10), 0, lambda done, total: None), [TARGET])
    assert (given.drawn, blind.drawn) == (False, True)
    small = replace(given, success=0.8, control_size=given.size / 0.15, p_value=0.1)
    assert small.convincing
    assert not replace(small, drawn=True).convincing
    assert replace(small, drawn=True, success=0.95).convincing
    assert not replace(small, drawn=True, success=0.95, control_size=small.size / 0.25).convincing
    assert not replace(small, drawn=True, success=0.95, p_value=None).convincing  # two to four classes


def test_on_images_of_doubt_a_small_trigger_alone_is_no_proof(tmp_path: Path) -> None:
    network, pixels = backdoored(tmp_path), random_pixels(64, (12, 12, 1))
    (sure,) = find_triggers(case(network, pixels), [TARGET])
    (doubtful,) = find_triggers(replace(case(network, pixels), assumed=True), [TARGET])
    assert (sure.doubtful, doubtful.doubtful) == (False, True)
    small = replace(doubtful, success=1.0, control_size=10 * doubtful.size)
    assert [replace(small, p_value=p).convincing for p in (0.1, 0.01, None)] == [False, True, False]
    assert small.small


def test_the_same_seed_gives_the_same_trigger(tmp_path: Path) -> None:
    network, pixels = backdoored(tmp_path), random_pixels(40, (12, 12, 1))
    first, second = (find_triggers(case(network, pixels), [TARGET, 1]) for _ in range(2))
    assert [trigger.label for trigger in first] == [TARGET, 1]
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.patch.mask, b.patch.mask)
        assert (a.success, a.control_size) == (b.success, b.control_size)


def test_where_all_classes_are_suspects_each_is_compared_with_the_others(tmp_path: Path) -> None:
    pixels = random_pixels(64, (12, 12, 1))
    found = find_triggers(case(backdoored(tmp_path), pixels), list(range(10)))
    assert [trigger.label for trigger in found] == list(range(10))
    assert min(found, key=lambda trigger: trigger.size).label == TARGET
    others = [trigger.size for trigger in found if trigger.label != TARGET and trigger.success >= 0.5]
    assert found[TARGET].control_size == np.median(others)


# Which classes it looks at


def test_it_looks_at_what_stands_out_most_and_shows_size_and_success_of_these(tmp_path: Path) -> None:
    given = case(
        backdoored(tmp_path), random_pixels(64, (12, 12, 1)), ranking(TARGET, answers=frozenset(["one-target"]))
    )
    found = Evidence().examine(given)
    assert found.gap is None
    assert [trigger.label for trigger in found.triggers] == [TARGET, 9, 8]
    assert found.scores["size"][[TARGET, 9, 8]].tolist() == [trigger.size for trigger in found.triggers]
    assert found.scores["success"][[TARGET, 9, 8]].tolist() == [trigger.success for trigger in found.triggers]
    assert np.isnan(found.scores["size"]).sum() == 7
    assert found.p_value is None


def test_it_looks_at_a_third_of_the_classes_and_no_more_than_a_few() -> None:
    assert candidates([ranking(4)], 0.01) == [4, 9, 8]
    few = judge("method", np.arange(6), {}, np.array([0.5, -0.5, 2.0, -1, 1, 0]))
    assert candidates([few], 0.01) == [2, 4]
    many = judge("method", np.arange(43), {}, np.arange(43.0) / 20)
    assert len(candidates([many], 0.01)) == EVIDENCE.most


def test_suspects_come_before_what_stands_out_for_the_first_method() -> None:
    assert candidates([ranking(4), ranking(2, 20, name="other")], 0.01) == [2, 4, 9]


def test_where_there_are_too_few_classes_to_compare_it_looks_at_all() -> None:
    few = judge("method", np.arange(4), {}, np.array([0.5, -0.5, 2.0, -1]))
    assert candidates([few], 0.01) == [0, 1, 2, 3]


def test_a_suspicion_with_evidence_of_its_own_needs_no_trigger() -> None:
    assert candidates([ranking(4), ranking(2, 20, name="other", rule="BD002")], 0.01) == []
    assert candidates([ranking(4), ranking(2, name="other", rule="BD002")], 0.01) == [4, 9, 8]


# When finding nothing is no answer


@pytest.mark.parametrize(
    "earlier",
    [
        [],
        [Examination.without_scores("method", np.arange(10), "no images")],
        [ranking(4, gap="nothing was measured for class 3", answers=frozenset(["one-target"]))],
        [ranking(4)],  # of a method that is no answer itself, such as weights
        [ranking(4, rule="BD002", answers=frozenset(["every-class"]))],
    ],
)
def test_where_no_method_has_ranked_all_classes_it_has_a_gap(tmp_path: Path, earlier: list[Examination]) -> None:
    found = Evidence().examine(case(backdoored(tmp_path), random_pixels(16, (12, 12, 1)), *earlier))
    assert found.gap == "no method has compared all classes that could have found a target alone"


def test_one_method_that_has_ranked_all_classes_suffices(tmp_path: Path) -> None:
    whole = ranking(4, answers=frozenset(["one-target"]))
    earlier = [Examination.without_scores("other", np.arange(10), "no images"), whole]
    found = Evidence().examine(case(backdoored(tmp_path), random_pixels(16, (12, 12, 1)), *earlier))
    assert found.gap is None
