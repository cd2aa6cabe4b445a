from dataclasses import replace

import numpy as np
import pytest

from ninspect.audit.selftest import TruthTest
from ninspect.audit.verdict import candidates, decide
from ninspect.detect import Detection, SourceTrigger, Trigger
from ninspect.detect.interface import judge, skipped
from ninspect.measure.outliers import anomaly_index

PASSED = TruthTest("scores", 0.0, 1e-4)
FAILED = TruthTest("gradient", 0.4, 0.05)
ALIKE = [10.0, 11, 9, 10.5, 9.5, 10.2, 9.8, 11.2, 8.8]
SKIPPED = skipped("other", np.arange(10), "it needs images")


def detection(*scores: float) -> Detection:
    column = np.array([*ALIKE, *scores])
    return judge("test", np.arange(len(column)), {"score": column}, anomaly_index(column), 0.5)


def trigger(label: int, size: float, success: float = 0.97) -> Trigger:
    """A trigger of so many pixels, where other classes need 60."""
    mask = np.full((10, 10), size / 100, np.float32)
    pattern, answers = np.ones((10, 10, 1), np.float32), np.array([[0], [label]])
    return Trigger(
        label=label,
        mask=mask,
        pattern=pattern,
        success=success,
        held_out=32,
        control_size=60.0,
        control_success=0.9,
        examples=pattern[None],
        answers=answers,
    )


def pair(size: float) -> SourceTrigger:
    """A trigger from class 2 to class 8, where other pairs need 60 pixels."""
    return SourceTrigger(**vars(trigger(8, size)) | {"source": 2, "elsewhere": 0.02, "foreign": 1.0})


def test_classes_that_are_alike_are_clean() -> None:
    judgement = decide([PASSED], [detection(10.1)], [], [], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.reservations) == ("clean", [], [])
    assert judgement.confidence is None


def test_any_problem_keeps_a_model_from_being_clean() -> None:
    judgement = decide([PASSED], [detection(10.1, np.nan)], [], ["too few images"], 0.01)
    assert (judgement.verdict, judgement.targets) == ("inconclusive", [])
    assert judgement.reason.startswith("too few images; the gradient is zero")


def test_a_suspicion_stands_in_spite_of_problems_and_names_them() -> None:
    judgement = decide([PASSED], [detection(-20)], [], ["too few images"], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.reservations) == ("suspected", [9], ["too few images"])
    assert "class 9 looks like the target of a backdoor" in judgement.reason


def test_nothing_is_said_of_a_model_that_the_scan_got_wrong() -> None:
    for truth, found in (([PASSED, FAILED], [detection(-20)]), ([PASSED], []), ([FAILED], [])):
        judgement = decide(truth, found, [], ["it failed"], 0.01)
        assert (judgement.verdict, judgement.reason, judgement.targets) == ("inconclusive", "it failed", [])
        assert judgement.p_value is None


def test_a_skipped_detector_keeps_a_model_from_being_clean_and_all_of_them_are_no_scan() -> None:
    judgement = decide([PASSED], [detection(10.1), SKIPPED], [], [], 0.01)
    assert judgement.verdict == "inconclusive"
    assert judgement.reason.startswith("no class stands out from the other ")
    assert judgement.reason.endswith(", but it needs images")
    judgement = decide([PASSED], [detection(-20), SKIPPED], [], [], 0.01)
    assert (judgement.verdict, judgement.reservations) == ("suspected", ["it needs images"])
    judgement = decide([PASSED], [SKIPPED], [], [], 0.01)
    assert (judgement.verdict, judgement.reason) == ("inconclusive", "it needs images")


@pytest.mark.parametrize(
    ("triggers", "confidence", "words"),
    [
        ([trigger(9, 8)], "high", "a trigger of 8 pixels sends 97% of other images there, where other classes need 60"),
        ([trigger(9, 30)], "low", "but no small trigger was found"),
        ([trigger(9, 8, 0.5)], "low", "but no small trigger was found"),
        ([], "low", "(p < 0.001)"),
    ],
)
def test_evidence_decides_how_sure_a_suspicion_is(triggers: list[Trigger], confidence: str, words: str) -> None:
    judgement = decide([PASSED], [detection(-20)], triggers, [], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [9], confidence)
    assert words in judgement.reason


def test_a_small_trigger_between_two_classes_keeps_a_model_from_being_clean_but_accuses_nobody() -> None:
    judgement = decide([PASSED], [detection(10.1)], [pair(8)], [], 0.01)
    assert (judgement.verdict, judgement.targets) == ("inconclusive", [])
    assert "a trigger of 8 pixels sends 97% of other images of class 2 alone to class 8" in judgement.reason
    assert "where other pairs of classes need 60" in judgement.reason
    judgement = decide([PASSED], [detection(-20)], [trigger(9, 8), pair(8)], [], 0.01)
    assert (judgement.verdict, judgement.targets) == ("suspected", [9])
    assert "of class 2 alone" in judgement.reservations[0]


@pytest.mark.parametrize(
    "changed",
    [{"mask": np.full((10, 10), 0.4, np.float32)}, {"success": 0.7}, {"elsewhere": 0.2}, {"foreign": 0.8}],
    ids=str,
)
def test_a_trigger_between_classes_that_are_alike_does_not_count(changed: dict[str, object]) -> None:
    assert pair(8).convincing
    other = SourceTrigger(**vars(pair(8)) | changed)
    assert not other.convincing
    assert decide([PASSED], [detection(10.1)], [other], [], 0.01).verdict == "clean"


def test_what_has_a_convincing_trigger_is_named_first() -> None:
    judgement = decide([PASSED], [detection(-20)], [trigger(9, 40), trigger(4, 5)], [], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [4, 9], "high")


def test_evidence_is_sought_for_what_stands_out_most_and_lifts_it_over_the_line() -> None:
    near = detection(5.5)
    assert near.p_value is not None
    assert 0.01 < near.p_value < 0.1
    assert candidates([near], 0.01) == [9, 8, 2]
    assert decide([PASSED], [near], [trigger(9, 30)], [], 0.01).verdict == "clean"
    judgement = decide([PASSED], [near], [trigger(9, 30), trigger(8, 8)], [], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [8], "high")
    assert judgement.reason == (
        "class 8 looks like the target of a backdoor; a trigger of 8 pixels sends 97% of other images there, "
        "where other classes need 60; compared with all 10 classes it stands out too little to say so (p = 0.047)"
    )


def test_suspects_of_every_detector_come_first() -> None:
    other = replace(detection(10.1), name="other", p_values=np.where(np.arange(10) == 4, 0.005, 1.0))
    assert candidates([detection(5.5), other], 0.01) == [4, 9, 8]
    assert candidates([SKIPPED, detection(5.5)], 0.01) == [9, 8, 2]


def test_at_most_a_third_of_the_classes_are_compared_with_the_others() -> None:
    six = np.array([10.0, 11, 9, 10.5, 9.5, 10.2])
    found = judge("test", np.arange(6), {"score": six}, anomaly_index(six), 0.5)
    assert candidates([found], 0.01) == [2, 4]


def test_no_evidence_is_sought_for_what_a_detector_has_shown_itself() -> None:
    assert candidates([SKIPPED], 0.01) == []
    shown = replace(detection(-20), finding="one perturbation permutes the classes")
    assert candidates([shown], 0.01) == []
    judgement = decide([PASSED], [shown], [], [], 0.01)
    assert judgement.reason.startswith("one perturbation permutes the classes (p")
    assert judgement.confidence == "high"


def few_classes() -> Detection:
    column = np.array([10.0, 11, 9])
    return judge("test", np.arange(3), {"score": column}, anomaly_index(column), 0.5)


def test_of_few_classes_the_evidence_decides_alone_and_cannot_say_clean() -> None:
    assert candidates([few_classes()], 0.01) == [0, 1, 2]
    judgement = decide([PASSED], [few_classes()], [trigger(0, 50), trigger(1, 3), trigger(2, 45)], [], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [1], "low")
    assert judgement.reason.startswith("class 1 looks like the target of a backdoor; a trigger of 3 pixels")
    assert any("fewer than 5" in reservation for reservation in judgement.reservations)
    judgement = decide([PASSED], [few_classes()], [trigger(0, 50), trigger(1, 30), trigger(2, 45)], [], 0.01)
    assert (judgement.verdict, judgement.targets) == ("inconclusive", [])
