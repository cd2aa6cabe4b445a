import html
import json
from typing import Any

import pytest
from pydantic import ValidationError

from ninspect.errors import UsageError
from ninspect.names import QUESTIONS, REQUIRED, Question
from ninspect.report import SCHEMA, Result
from ninspect.report.html import html_report
from ninspect.report.schema import FindingInfo, ModelInfo
from tests.report.examples import COVERAGE, TARGET, clean, example, inconclusive, stopped, unanswered


@pytest.mark.parametrize("result", [example(), stopped("the file is empty")], ids=["complete", "stopped"])
def test_json_is_the_whole_result(result: Result) -> None:
    assert Result.model_validate_json(result.to_json()) == result
    assert json.loads(result.to_json())["schema"] == SCHEMA == "ninspect/result/2"


@pytest.mark.parametrize(("result", "code"), [(clean(), 0), (example(), 1), (inconclusive(), 3)], ids=[0, 1, 3])
def test_every_verdict_has_its_exit_code(result: Result, code: int) -> None:
    assert result.exit_code == code


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "innocent"},
        {"schema": "ninspect/result/0"},
        {"extra": 1},
        {"targets": [10]},
        {"date": "yesterday"},
        {"coverage": []},
        {"coverage": COVERAGE[1:]},
        {"coverage": [*COVERAGE, COVERAGE[0]]},
    ],
    ids=str,
)
def test_what_the_schema_does_not_know_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        example(**change)


def test_json_is_ascii_whatever_the_names_are() -> None:
    hostile = "\x1b[31m 標識 \u202e \udcff.onnx"  # as Python reads a file name that is not UTF-8
    text = example(model=ModelInfo(path=hostile)).to_json()
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["model"]["path"] == hostile.replace("\udcff", r"\udcff")


def test_a_heatmap_is_a_picture_of_a_class_that_stands_out() -> None:
    result = example()
    assert result.attention is not None
    label = result.attention.heatmaps[0].label
    assert result.heatmap(label).size == (32, 32)
    with pytest.raises(UsageError, match=f"no heatmap of class 99; there are of: {label}"):
        result.heatmap(99)
    with pytest.raises(UsageError, match="of: none"):
        stopped("the file is empty").heatmap(0)


def test_a_notebook_shows_the_report_in_a_frame_where_nothing_runs() -> None:
    frame = example()._repr_html_()
    assert frame.startswith("<iframe sandbox ")
    assert html.unescape(frame.partition('srcdoc="')[2].rpartition('"')[0]) == html_report(example())


# What the verdict follows from

WARNING = FindingInfo.of("IM002", "20 images are too few")
ACCEPTED = {"ignored": True}


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], "clean"),
        ([FindingInfo.of("IM003", "40 images are few")], "clean"),
        ([WARNING], "inconclusive"),
        ([WARNING.model_copy(update=ACCEPTED)], "clean"),
        ([TARGET, WARNING], "suspected"),
        ([TARGET.model_copy(update=ACCEPTED)], "inconclusive"),
    ],
    ids=["none", "note", "warning", "accepted warning", "error and warning", "accepted error"],
)
def test_a_verdict_that_does_not_follow_from_the_findings_is_refused(findings: list[FindingInfo], verdict: str) -> None:
    for claimed in ("clean", "inconclusive", "suspected"):
        if claimed == verdict:
            assert example(verdict=claimed, findings=findings).verdict == verdict
        else:
            with pytest.raises(ValidationError, match=f"the verdict {claimed} does not follow from the findings"):
                example(verdict=claimed, findings=findings)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_clean_result_with_an_unanswered_question_that_is_required_cannot_be_loaded(question: Question) -> None:
    value = json.loads(clean().to_json())
    answer = value["coverage"][QUESTIONS.index(question)]
    answer |= {"outcome": "unanswered", "by": ["activated"]}
    with pytest.raises(ValidationError, match="has no answer in spite of one"):
        Result.from_json(json.dumps(value))
    answer["by"] = []
    for answer["required"] in (True, False):
        if answer["required"] or question in REQUIRED:
            with pytest.raises(ValidationError, match="a required question has no answer"):
                Result.from_json(json.dumps(value))
        else:
            assert Result.from_json(json.dumps(value)).verdict == "clean"
    answer["outcome"] = "skipped"  # by name: that is the user's word
    assert Result.from_json(json.dumps(value)).verdict == "clean"


def test_a_scan_that_was_stopped_keeps_what_was_found_and_is_never_clean() -> None:
    late = clean().stopped("the time of 60 s is over", 60.0)
    assert (late.verdict, [found.rule for found in late.findings], late.seconds) == ("inconclusive", ["SC003"], 60.0)
    assert late.reason == "the time of 60 s is over"
    accused = example().stopped("the time of 60 s is over", 60.0)
    assert (accused.verdict, [found.rule for found in accused.findings]) == ("suspected", ["BD001", "SC003"])
    assert accused.reason == f"{TARGET.message}; the time of 60 s is over"
    for result in (late, accused, inconclusive(WARNING, coverage=unanswered("one-target")).stopped("killed", 1.0)):
        assert Result.from_json(result.to_json()) == result
