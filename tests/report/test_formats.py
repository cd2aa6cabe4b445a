"""What holds for every format."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from ninspect.errors import UsageError
from ninspect.names import QUESTIONS, TITLES
from ninspect.report import FORMATS, Result, load_result, render
from ninspect.report.schema import AttackInfo, FindingInfo
from ninspect.report.wording import asked
from tests.report.examples import (
    COVERAGE,
    DETECTOR,
    MODEL,
    SAMPLES,
    TARGET,
    WHY_NOT,
    clean,
    example,
    inconclusive,
    stopped,
    unanswered,
)
from tools.pages.result_schema import schema_text

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "\x1b[31m\u202e</td><script>alert(1)</script>![x](http://evil.example) @octocat #1 `|*_<!--\ufffe\udcff\x00]]>"
)
RESULTS = {
    "suspected": example(),
    "clean": clean(),
    "inconclusive": stopped("the file is empty"),
    "unread": Result.unread("models/signs.onnx", 0.01, 0),
    "hostile": example(
        reason=HOSTILE,
        class_names=[HOSTILE] * 10,
        model=MODEL.model_copy(update={"path": HOSTILE, "producer": HOSTILE, "input": HOSTILE, "logits": HOSTILE}),
        samples=SAMPLES.model_copy(update={"source": HOSTILE, "kind": HOSTILE, "skipped": [HOSTILE]}),
        detectors=[DETECTOR, DETECTOR.model_copy(update={"name": "other", "gap": HOSTILE, "targets": []})],
        coverage=[
            *(
                answer.model_copy(
                    update={"by": [HOSTILE], "power": HOSTILE, "attacks": [AttackInfo(attack=HOSTILE, found=1, of=2)]}
                )
                for answer in COVERAGE[:3]
            ),
            COVERAGE[3].model_copy(update={"why": HOSTILE}),
        ],
        findings=[
            TARGET.model_copy(update={"rule": HOSTILE, "title": HOSTILE, "meaning": HOSTILE, "advice": HOSTILE}),
            FindingInfo.of("IM004", HOSTILE),
            FindingInfo.of("IN003", HOSTILE, nodes=[HOSTILE]),
        ],
        command=["ninspect", "scan", HOSTILE],
    ),
}


@pytest.fixture(params=RESULTS)
def result(request: pytest.FixtureRequest) -> Result:
    return RESULTS[request.param]


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_lets_text_from_a_file_steer_what_shows_it(result: Result, format_: str) -> None:
    report = render(result, format_)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]", report)
    report.encode()
    if format_ in ("junit", "html"):
        assert "<script" not in report


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_result_gives_the_same_report(result: Result, format_: str) -> None:
    assert render(result, format_) == render(Result.from_json(result.to_json()), format_)


# What was asked, and what was found


@pytest.mark.parametrize("format_", ["markdown", "html", "junit", "sarif"])
@pytest.mark.parametrize("name", ["suspected", "clean", "inconclusive", "unread"])
def test_every_format_shows_for_each_question_what_became_of_it(name: str, format_: str) -> None:
    result = RESULTS[name]
    lines = render(result, format_).splitlines()
    assert [one.question for one in asked(result)] == list(QUESTIONS)
    for one in asked(result):
        assert any(all(text in line for text in (one.title[1:], one.word, one.detail)) for line in lines), one


@pytest.mark.parametrize("format_", ["text", "html", "markdown"])
def test_what_finding_nothing_is_worth_is_shown_attack_by_attack(format_: str) -> None:
    text = " ".join(render(clean(), format_).split())
    assert f"{TITLES['one-target']}, found on networks of 43 classes: patches 17 of 18; warping 2 of 5" in text


def test_text_shows_for_each_question_what_became_of_it() -> None:
    lines = render(clean(), "text").splitlines()
    start = lines.index("Asked of the model") + 1
    text = " ".join(" ".join(lines[start:]).split())
    assert text.startswith(f"{TITLES['file']} nothing found file rules {TITLES['one-target']} nothing found neuro")
    assert "(finds 17 of 18 patches)" in text
    assert "all-to-all (power not measured)" in text
    assert f"{TITLES['one-source']} not answered" in text
    assert WHY_NOT in text


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (example(), ["nothing found", "found", "nothing found", "not answered"]),
        (inconclusive(), ["nothing found", "nothing found", "nothing found", "found"]),
        (clean(FindingInfo.of("IN007", "'w' is an input as well")), ["nothing found"] * 3 + ["not answered"]),
        (
            inconclusive(FindingInfo.of("IN005", "weight 'w' is not finite"), coverage=unanswered("one-target")),
            ["found", "not answered", "nothing found", "not answered"],
        ),
    ],
    ids=["target", "pair", "note about the file", "the file"],
)
def test_a_question_is_answered_with_yes_by_the_findings_that_are_about_it(result: Result, words: list[str]) -> None:
    assert [one.word for one in asked(result)] == words


@pytest.mark.parametrize("format_", FORMATS)
def test_a_question_that_was_left_out_is_named_directly_below_the_verdict(format_: str) -> None:
    left_out = {"outcome": "skipped", "required": False, "by": [], "power": None, "why": "left out, as was asked"}
    coverage = [*COVERAGE[:2], COVERAGE[2].model_copy(update=left_out), COVERAGE[3]]
    for result in (clean(coverage=coverage), example(coverage=coverage)):
        report = render(result, format_)
        assert "left out, as was asked" in report
        if format_ in ("text", "markdown", "html"):
            told = "Triggers that send every class to another: not looked for (left out, as was asked)."
            assert told in report
            assert report.index(told) < report.lower().index("an attack in the file itself")


FOUND = [
    FindingInfo.of(rule, f"this is about {rule}", ignored=ignored)
    for rule, ignored in [
        ("BD001", False),
        ("BD004", False),
        ("GR001", True),
        ("IN003", False),
        ("IN007", False),
        ("IM002", True),
        ("IM003", False),
        ("IM005", True),
        ("SC003", False),
        ("CV003", False),
    ]
]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("verdict", ["suspected", "inconclusive"])
def test_the_ids_of_all_findings_appear_in_every_format(verdict: str, format_: str) -> None:
    findings = FOUND if verdict == "suspected" else FOUND[1:]
    result = (example if verdict == "suspected" else clean)(
        verdict=verdict, findings=findings, coverage=unanswered("every-class")
    )
    report = render(result, format_)
    shown = report.partition('"results":')[2] if format_ == "sarif" else report  # not in the list of all rules
    for finding in findings:
        assert finding.rule in shown


@pytest.mark.parametrize("rule", ["IM003", "IM002", "IN003", "GR001", "BD004"])
@pytest.mark.parametrize("format_", FORMATS)
def test_accepted_findings_stay_visible_as_such(rule: str, format_: str) -> None:
    accepted = FindingInfo.of(rule, "it is so", ignored=True)
    verdict = accepted.effect
    report = render(clean(accepted, verdict=verdict, reason="something"), format_)
    assert rule in report
    assert {"json": '"ignored": true', "sarif": '"suppressions"'}.get(format_, "accepted") in report


# The JSON Schema


def test_the_published_schema_is_current() -> None:
    published = (ROOT / "docs" / "result.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "run python -m tools.pages.result_schema"


def test_results_are_valid_by_the_published_schema(result: Result) -> None:
    schema = json.loads((ROOT / "docs" / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(result.to_json()))


# Saved results


def test_a_saved_result_is_read_again(tmp_path: Path, result: Result) -> None:
    (tmp_path / "result.json").write_text(result.to_json(), encoding="utf-8")
    assert load_result(tmp_path / "result.json") == result


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is not JSON"),
        ('{"schema": ', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff", "is not JSON"),
        ("[]", "is not a result (Input should be a valid dict"),
        (example().to_json()[:-100], "is not JSON"),
        (example().to_json().replace("result/2", "result/99"), "is of schema 'ninspect/result/99', and this ninspect"),
        (example().to_json().replace('"seed": 0', '"seed": "x"'), "is not a result (seed: Input should be a valid int"),
        (example().to_json().replace('"alpha": 0.01', '"alpha": NaN'), "is not a result ("),
        (
            example().to_json().replace('"explained": [\n    0,', '"explained": ['),
            "has not one value for each explained",
        ),
    ],
    ids=[
        "empty",
        "cut",
        "deep",
        "not UTF-8",
        "a list",
        "truncated",
        "another schema",
        "a wrong type",
        "NaN",
        "columns too long",
    ],
)
def test_a_file_that_is_no_result_is_a_usage_error(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "result.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UsageError) as error:
        load_result(tmp_path / "result.json")
    assert fault in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def changed(value: Any, by: Any) -> Iterator[Any]:
    """Copies of a JSON value, each with one part replaced; of a list, only its first entry."""
    yield by
    parts = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for place, part in parts:
        for other in changed(part, by):
            copy = value.copy()
            copy[place] = other
            yield copy


@pytest.mark.parametrize("by", [None, -1, 10**30, 1e308, -1e308, "x\udcff", [], [-1e308, 1e308] * 5], ids=repr)
def test_a_result_with_a_part_replaced_is_refused_or_shown(by: Any) -> None:
    shown = 0
    # Numbers in turn in one format each, since all of them would take minutes.
    turn = itertools.cycle([(format_,) for format_ in FORMATS] if isinstance(by, (int, float)) else [tuple(FORMATS)])
    for value in changed(json.loads(example(class_names=["a"] * 10, command=["x"]).to_json()), by):
        try:
            result = Result.from_json(json.dumps(value))
        except ValueError:
            continue
        shown += 1
        for format_ in next(turn):
            render(result, format_)
    assert shown > 5


# JUnit


def cases(result: Result) -> dict[str, ElementTree.Element]:
    suite = ElementTree.fromstring(render(result, "junit"))[0]
    found = {case.attrib["name"]: case for case in suite}
    assert int(suite.attrib["tests"]) == len(found)
    for count, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[count]) == len(suite.findall(f"testcase/{element}"))
    return found


def test_junit_fails_what_speaks_for_a_backdoor() -> None:
    found = cases(example())
    failed = {name for name, case in found.items() if case.find("failure") is not None}
    assert failed == {"verdict", "question: one-target", "method: neuroninspect", "finding: BD001"}
    failure = found["verdict"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "Class 7 looks like the target of a backdoor."
    assert found["verdict"].attrib["classname"] == "models/signs.onnx"


def test_junit_passes_a_clean_model_and_never_one_that_could_not_be_judged() -> None:
    quiet = cases(clean())
    assert all(case.find("failure") is None and case.find("error") is None for case in quiet.values())
    assert {f"question: {question}" for question in QUESTIONS} <= set(quiet)
    assert quiet["question: one-source"].find("skipped") is not None
    error = cases(stopped("the file is empty"))["verdict"].find("error")
    assert error is not None
    assert error.attrib["message"] == "The file is empty."


def test_junit_has_a_case_for_each_finding_though_two_are_of_one_rule() -> None:
    pairs = [FindingInfo.of("BD004", f"a trigger sends images of class 3 alone to class {i}") for i in (4, 7)]
    assert {"finding: BD004", "finding: BD004 (2)"} <= set(cases(inconclusive(*pairs)))


# Markdown


def test_markdown_shows_the_verdict_the_first_classes_and_folds_the_rest() -> None:
    report = render(example(class_names=[f"sign {i}" for i in range(10)]), "markdown")
    assert report.startswith("### ❌ ninspect: suspected\n")
    assert "| 7 | sign 7 | 0.0003 | 8 | 97% | 70 | **suspected** |" in report
    assert "| 4 | sign 4 | 0.2 | – | – | – |  |" in report
    assert report.count("\n| 1 | sign 1 |") == 0
    assert "<details>" in report
    assert "| self-test: scores | passed |" in report


def test_markdown_from_outside_stays_text() -> None:
    report = render(RESULTS["hostile"], "markdown")
    for active in ("@octocat", "#1 ", "](http", "http://", "<!--", "<td"):
        assert not re.search(r"(?<!\\)" + re.escape(active), report), active
