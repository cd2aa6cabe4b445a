from dataclasses import replace

import numpy as np
import pytest

from ninspect.audit.verdict import Judgement, accusations, judge
from ninspect.detect import Examination, PairTrigger, Stamp, Trigger
from ninspect.detect.evidence import candidates
from ninspect.detect.examination import judge as compare
from ninspect.findings import Finding
from ninspect.measure.outliers import anomaly_index
from ninspect.search.patch import Patch
from ninspect.search.stamps import Window

ALIKE = [10.0, 11, 9, 10.5, 9.5, 10.2, 9.8, 11.2, 8.8]
IDLE = Examination.without_scores("other", np.arange(10), "it needs images")
FEW = Finding("IM002", "9 images are too few")


def found(*scores: float) -> Examination:
    column = np.array([*ALIKE, *scores])
    return compare("test", np.arange(len(column)), {"score": column}, anomaly_index(column))


def trigger(label: int, size: float, success: float = 0.97) -> Trigger:
    """A trigger of so many pixels, where other classes need 60."""
    mask = np.full((10, 10), size / 100, np.float32)
    pattern, answers = np.ones((10, 10, 1), np.float32), np.array([[0], [label]])
    return Trigger(
        label=label,
        patch=Patch(mask, pattern),
        success=success,
        held_out=32,
        control_size=60.0,
        control_success=0.9,
        controls=8,
        examples=pattern[None],
        answers=answers,
    )


def pair(size: float) -> PairTrigger:
    """A trigger from class 2 to class 8, where other pairs need 60 pixels."""
    return PairTrigger(**vars(trigger(8, size)) | {"source": 2, "elsewhere": 0.02, "foreign": 1.0})


def with_triggers(examination: Examination, *triggers: Trigger) -> list[Examination]:
    """What a scan has when evidence was searched after an examination."""
    pairs = tuple(trigger for trigger in triggers if isinstance(trigger, PairTrigger))
    evidence = replace(IDLE, name="evidence", triggers=tuple(t for t in triggers if t not in pairs), pairs=pairs)
    return [examination, evidence]


def decide(examinations: list[Examination], *findings: Finding) -> Judgement:
    return judge([*findings, *accusations(examinations, 0.01)], examinations, 0.01)


def rules(examinations: list[Examination]) -> list[str]:
    return [finding.rule for finding in accusations(examinations, 0.01)]


def test_classes_that_are_alike_are_clean() -> None:
    judgement = decide([found(10.1)])
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("clean", [], None)
    assert judgement.reason.startswith("no class stands out from the other 9 (p = ")


def test_any_warning_keeps_a_model_from_being_clean_and_is_the_reason() -> None:
    judgement = decide([found(10.1)], FEW)
    assert (judgement.verdict, judgement.targets, judgement.reason) == ("inconclusive", [], "9 images are too few")


def test_a_note_changes_nothing() -> None:
    assert decide([found(10.1)], Finding("IM003", "20 images find fewer")) == decide([found(10.1)])


def test_an_unanswered_question_follows_what_was_found() -> None:
    judgement = decide([found(10.1)], Finding("CV003", "triggers that send every class to another cannot be ruled out"))
    assert judgement.verdict == "inconclusive"
    assert judgement.reason.startswith("no class stands out from the other 9 (p = ")
    assert judgement.reason.endswith(", but triggers that send every class to another cannot be ruled out")


def test_an_unanswered_question_is_not_repeated_where_something_else_stopped_the_scan() -> None:
    judgement = decide([], Finding("MD001", "it is no model"), Finding("CV002", "it was not asked"))
    assert (judgement.verdict, judgement.reason, judgement.p_value) == ("inconclusive", "it is no model", None)


def test_a_suspicion_stands_in_spite_of_warnings() -> None:
    judgement = decide([found(-20)], FEW)
    assert (judgement.verdict, judgement.targets) == ("suspected", [9])
    assert judgement.reason.startswith("class 9 looks like the target of a backdoor, compared with all 10 classes")


def test_what_a_detector_could_not_look_at_is_not_what_it_says() -> None:
    assert decide([found(10.1), IDLE]).verdict == "clean"  # whether the questions are answered is coverage's concern
    assert decide([found(-20), IDLE]).targets == [9]


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
    judgement = decide(with_triggers(found(-20), *triggers))
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [9], confidence)
    assert words in judgement.reason


NEAR = replace(found(10.1), p_values=np.where(np.arange(10) == 9, 0.05, 1.0))


def stamp(success: float = 0.95, rival: float = 0.1, others: float = 0.05) -> Stamp:
    """What covers a window of 4×4 pixels and sends images to class 9."""
    more = {"window": Window(4, 2, 3), "rival": rival, "control_size": float("nan"), "success": success}
    return Stamp(**vars(trigger(9, 16)) | more | {"control_success": others})


@pytest.mark.parametrize(
    ("p", "size", "success", "verdict"),
    [
        (0.05, 26, 0.97, "inconclusive"),
        (0.05, 35, 0.97, "clean"),  # not much smaller than what other classes need
        (0.05, 26, 0.5, "clean"),  # does not work on other images
        (0.3, 26, 0.97, "clean"),  # many clean networks have a class as suspicious
        (0.3, 8, 0.97, "suspected"),  # a trigger that convinces does so whatever p is
    ],
)
def test_a_near_miss_is_never_clean(p: float, size: float, success: float, verdict: str) -> None:
    examination = replace(NEAR, p_values=np.where(np.arange(10) == 9, p, 1.0))
    judgement = decide(with_triggers(examination, trigger(9, size, success)))
    assert judgement.verdict == verdict
    if verdict == "inconclusive":
        assert judgement.reason == (
            "class 9 nearly looks like the target of a backdoor (p = 0.05): a trigger of 26 pixels sends 97% of other "
            "images there, where other classes need 60"
        )
        assert judgement.targets == []


@pytest.mark.parametrize(("success", "rival", "near"), [(0.95, 0.1, True), (0.5, 0.1, False), (0.95, 0.9, False)])
def test_a_stamp_that_works_where_no_other_does_is_a_near_miss(success: float, rival: float, near: bool) -> None:
    examinations = [replace(NEAR, p_values=NEAR.p_values * 0.3, stamps=(stamp(success, rival),)), IDLE]
    assert rules(examinations) == (["BD005"] if near else [])
    if near:
        assert (
            "what covers 4×4 pixels at row 2, column 3 sends 95% of other images there" in decide(examinations).reason
        )


@pytest.mark.parametrize(
    ("p", "verdict", "rule"),
    [(0.9, "inconclusive", "BD005"), (0.2, "suspected", "BD001"), (None, "suspected", "BD001")],
)
def test_a_small_trigger_accuses_no_class_that_does_not_stand_out(p: float | None, verdict: str, rule: str) -> None:
    examinations = with_triggers(found(10.1), replace(trigger(9, 8), p_value=p))
    assert (rules(examinations), decide(examinations).verdict) == ([rule], verdict)


def test_a_near_miss_is_not_told_beside_a_suspicion() -> None:
    suspected = replace(found(-20), stamps=(stamp(),))
    assert rules([suspected, IDLE]) == ["BD001"]
    judgement = decide([suspected, IDLE])
    assert judgement.confidence == "high"
    assert "where no other class gets more than 10%" in judgement.reason


def test_a_stamp_where_half_of_the_classes_are_reached_accuses_nobody_and_is_not_clean() -> None:
    shared = replace(found(-20), stamps=(stamp(rival=0.9, others=0.4),))
    assert shared.targets(0.01) == []
    assert replace(shared, stamps=(stamp(rival=0.9, others=0.2),)).targets(0.01) == [9]
    assert rules([shared, IDLE]) == ["BD005"]
    judgement = decide([shared, IDLE])
    assert (judgement.verdict, judgement.targets) == ("inconclusive", [])
    assert "where no other class gets more than 90%" in judgement.reason


def test_no_small_trigger_is_only_said_to_be_missing_where_none_was_found() -> None:
    (claim,) = accusations(with_triggers(found(-20), trigger(9, 26)), 0.01)
    assert "no small trigger" not in claim.message
    assert "a trigger of 26 pixels sends 97% of other images there" in claim.message


def test_a_small_trigger_between_two_classes_keeps_a_model_from_being_clean_but_accuses_nobody() -> None:
    judgement = decide(with_triggers(found(10.1), pair(8)))
    assert (judgement.verdict, judgement.targets) == ("inconclusive", [])
    assert "a trigger of 8 pixels sends 97% of other images of class 2 alone to class 8" in judgement.reason
    assert "where other pairs of classes need 60" in judgement.reason
    both = with_triggers(found(-20), trigger(9, 8), pair(8))
    assert (decide(both).verdict, decide(both).targets) == ("suspected", [9])
    assert [(f.rule, f.classes) for f in accusations(both, 0.01)] == [("BD001", (9,)), ("BD004", (2, 8))]


@pytest.mark.parametrize(
    "changed",
    [{"patch": trigger(8, 40).patch}, {"success": 0.7}, {"elsewhere": 0.2}, {"foreign": 0.8}],
    ids=str,
)
def test_a_trigger_between_classes_that_are_alike_does_not_count(changed: dict[str, object]) -> None:
    assert pair(8).convincing
    other = PairTrigger(**vars(pair(8)) | changed)
    assert not other.convincing
    assert decide(with_triggers(found(10.1), other)).verdict == "clean"


def test_what_has_a_convincing_trigger_is_named_first() -> None:
    judgement = decide(with_triggers(found(-20), trigger(9, 40), trigger(4, 5)))
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [4, 9], "high")


def test_evidence_is_sought_for_what_stands_out_most_and_lifts_it_over_the_line() -> None:
    near = found(5.5)
    assert near.p_value is not None
    assert 0.01 < near.p_value < 0.1
    assert candidates([near], 0.01) == [9, 8, 2]
    assert decide(with_triggers(near, trigger(9, 30))).verdict == "clean"
    judgement = decide(with_triggers(near, trigger(9, 30), trigger(8, 8)))
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [8], "high")
    assert judgement.reason == (
        "class 8 looks like the target of a backdoor; a trigger of 8 pixels sends 97% of other images there, "
        "where other classes need 60; that decides: compared with all 10 classes alone, it would not be suspected "
        "(p = 0.047)"
    )


def test_suspects_of_every_detector_come_first() -> None:
    other = replace(found(10.1), name="other", p_values=np.where(np.arange(10) == 4, 0.005, 1.0))
    assert candidates([found(5.5), other], 0.01) == [4, 9, 8]
    assert candidates([IDLE, found(5.5)], 0.01) == [9, 8, 2]


def test_at_most_a_third_of_the_classes_are_compared_with_the_others() -> None:
    six = np.array([10.0, 11, 9, 10.5, 9.5, 10.2])
    assert candidates([compare("test", np.arange(6), {"score": six}, anomaly_index(six))], 0.01) == [2, 4]


def test_no_evidence_is_sought_for_what_a_detector_has_shown_itself() -> None:
    assert candidates([IDLE], 0.01) == []
    shown = replace(found(-20), rule="BD002", meaning="one perturbation permutes the classes")
    assert candidates([shown], 0.01) == []
    judgement = decide([shown])
    assert judgement.reason.startswith("one perturbation permutes the classes (p")
    assert (judgement.targets, judgement.confidence, rules([shown])) == ([9], "high", ["BD002"])


def few_classes() -> Examination:
    column = np.array([10.0, 11, 9])
    return compare("test", np.arange(3), {"score": column}, anomaly_index(column))


def test_of_few_classes_the_evidence_decides_alone() -> None:
    assert candidates([few_classes()], 0.01) == [0, 1, 2]
    judgement = decide(with_triggers(few_classes(), trigger(0, 50), trigger(1, 3), trigger(2, 45)))
    assert (judgement.verdict, judgement.targets, judgement.confidence) == ("suspected", [1], "low")
    assert judgement.reason.startswith("class 1 looks like the target of a backdoor; a trigger of 3 pixels")
    assert rules(with_triggers(few_classes(), trigger(0, 50), trigger(1, 30), trigger(2, 45))) == []
    nearly = with_triggers(few_classes(), trigger(0, 50), trigger(1, 20), trigger(2, 45))
    assert rules(nearly) == ["BD005"]
    blind = replace(trigger(1, 20), drawn=True)
    assert rules(with_triggers(few_classes(), trigger(0, 50), blind, trigger(2, 45))) == []
    assert decide(nearly).reason.startswith("class 1 nearly looks like the target of a backdoor: a trigger of 20 pix")


def test_an_attack_in_the_file_is_named_with_its_id_after_what_the_network_has_learnt() -> None:
    harmful = Finding("HX001", "weights '../secret' lie outside the model's folder", ("w",))
    alone, both = decide([], harmful), decide([found(-20)], harmful)
    assert (alone.verdict, alone.targets, alone.confidence) == ("suspected", [], None)
    assert alone.reason == "weights '../secret' lie outside the model's folder (HX001)"
    assert both.targets == [9]
    assert both.reason.startswith("class 9 looks like")
    assert both.reason.endswith("; weights '../secret' lie outside the model's folder (HX001)")


def test_an_error_that_is_accepted_is_still_nothing_clean() -> None:
    accepted = [replace(finding, ignored=True) for finding in accusations([found(-20)], 0.01)]
    judgement = judge(accepted, [found(-20)], 0.01)
    assert (judgement.verdict, judgement.targets) == ("inconclusive", [])
    assert judgement.reason.endswith(", which you accept")
