import pytest

from ninspect.report import Result
from ninspect.report.html import html_report
from ninspect.report.markdown import markdown_report
from ninspect.report.pictures import picture_files
from ninspect.report.text import text_report
from ninspect.report.wording import asked, named_classes, next_steps
from tests.report.examples import NEARLY, STAMP, TRIGGER, clean, example, inconclusive

NEAR = inconclusive(NEARLY, stamps=[STAMP])
TOLD = (
    "Evidence for class 7: covering 8×8 pixels at row 20, column 3 sends 95% of 32 other images there. What was tried "
    "for other classes at the same place sends 2% to them (median), 25% at most."
)


@pytest.mark.parametrize("result", [NEAR, example(stamps=[STAMP])], ids=["near miss", "suspected"])
def test_every_format_shows_what_serves_a_class_at_one_place(result: Result) -> None:
    text = " ".join(text_report(result).split())
    assert TOLD in text
    assert TOLD in markdown_report(result).replace("\\", "")
    assert TOLD in html_report(result)
    assert STAMP.pattern in html_report(result)


def test_a_near_miss_names_its_class_in_the_headline_and_answers_the_question() -> None:
    assert "class 7 nearly looks like the target" in text_report(NEAR).splitlines()[1].replace("Class", "class")
    assert named_classes(NEAR) == [7]
    one_target = next(one for one in asked(NEAR) if one.question == "one-target")
    assert (one_target.outcome, one_target.word, one_target.detail) == ("inconclusive", "unclear", "BD005")
    assert next_steps(NEAR)[0][0] == "BD005"


def test_the_trigger_of_a_near_miss_is_not_said_to_be_no_sign() -> None:
    trigger = TRIGGER.model_copy(update={"convincing": False, "nearly": True, "size": 26.0})
    text = " ".join(text_report(inconclusive(NEARLY, triggers=[trigger])).split())
    assert "That is small, but decides nothing by itself." in text
    assert "no sign of a backdoor" not in text


def test_a_stamp_of_a_class_that_nobody_suspects_is_not_told_in_the_text() -> None:
    assert "covering 8×8 pixels" not in text_report(clean(stamps=[STAMP]))


def test_pictures_of_a_stamp_have_names_of_their_own() -> None:
    names = set(picture_files(example(stamps=[STAMP])))
    assert {"class-7-stamp-mask.png", "class-7-stamp-trigger.png", "class-7-trigger.png"} <= names


def test_a_result_with_stamps_survives_its_json() -> None:
    assert type(NEAR).from_json(NEAR.to_json()) == NEAR
