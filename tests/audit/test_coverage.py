"""`clean` means that every required question was answered: shown over all sets of methods, images and classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pytest

from ninspect.audit.coverage import coverage, unanswered
from ninspect.audit.verdict import accusations, judge
from ninspect.detect import (
    MMBD,
    Activated,
    AllToAll,
    Case,
    Detector,
    Evidence,
    Examination,
    FreeEagle,
    NeuralCleanse,
    NeuronInspect,
    SourceSpecific,
    Weights,
    evidence,
    examined,
    holm,
    source_specific,
)
from ninspect.detect.pairs import PairSearch
from ninspect.names import QUESTIONS, REQUIRED, Question
from ninspect.requests import ScanRequest
from ninspect.search.inversion import Inversion
from tests.support import even_weights, linear_model, open_network, random_pixels

# Few steps: whether they looked is what matters here, not what they see.
METHODS: tuple[Detector, ...] = (
    Activated(starts=2, steps=1),
    AllToAll(steps=2),
    NeuronInspect(),
    MMBD(starts=2, steps=2),
    Weights(),
    NeuralCleanse(Inversion(steps=2, batch=4)),
    FreeEagle(steps=2),
)
MODEL = Path("model.onnx")
IMAGES = {"images": 16, "few images": 1, "none": 0}


def subsets() -> Iterator[tuple[Detector, ...]]:
    return chain.from_iterable(combinations(METHODS, count) for count in range(len(METHODS) + 1))


@pytest.fixture(scope="module", params=[2, 4, 10, 43])
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """A linear model of so many classes: with images of every class, with one each of some, and with none."""
    classes = request.param
    weights = even_weights(classes=classes, side=6)
    network = open_network(linear_model(weights), tmp_path_factory.mktemp("model"))
    pixels = random_pixels(4000, (6, 6, 1))
    answers = network.logits(pixels).argmax(axis=1)
    each = [np.flatnonzero(answers == label) for label in range(classes)]
    return {
        name: Case(
            network,
            None if count == 0 else pixels[np.concatenate([own[:count] for own in each[: max(2, classes // count)]])],
            np.arange(classes),
            0,
            lambda done, total: None,
        )
        for name, count in IMAGES.items()
    }


@pytest.fixture
def without_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers take the time of all the rest together, and what they are does not matter here."""
    monkeypatch.setattr(evidence, "find_triggers", lambda case, suspects: [])
    monkeypatch.setattr(PairSearch, "distances", None)
    monkeypatch.setattr(source_specific, "_nearness", lambda distance: distance)
    monkeypatch.setattr(PairSearch, "best", lambda search, nearness, count: [])


def looked(case: Case, methods: Sequence[Detector], done: dict[str, Examination]) -> list[Examination]:
    """What the methods say, in order; those that follow no other are asked once, whatever they are asked with."""
    case.earlier.clear()
    for method in methods:
        if isinstance(method, Evidence | SourceSpecific) or method.name not in done:
            done[method.name] = examined(method, case)
        case.earlier.append(done[method.name])
    return holm(case.earlier)


@pytest.mark.usefixtures("without_searches")
@pytest.mark.parametrize("evidence", [True, False], ids=["evidence", "no evidence"])
@pytest.mark.parametrize("images", IMAGES)
def test_nothing_is_clean_while_a_required_question_has_no_answer(
    cases: dict[str, Case], images: str, evidence: bool
) -> None:
    case, done = cases[images], dict[str, Examination]()
    for chosen in subsets():
        found = looked(case, (*chosen, *((Evidence(), SourceSpecific()) if evidence else ())), done)
        names = {method.name for method in chosen}
        for asked in (ScanRequest(MODEL), ScanRequest(MODEL, strict=True), ScanRequest(MODEL, skip=("every-class",))):
            answers = coverage(found, asked.required, asked.skip, file_checked=True, ended=True)
            judged = judge([*accusations(found, 0.01), *unanswered(answers)], found, 0.01)
            missing = [a.question for a in answers if a.required and not a.answered]
            assert (judged.verdict == "clean") <= (missing == [])
            assert {a.question for a in answers if a.answered} <= _could_answer(found, case)
            if images == "none":
                assert judged.verdict != "clean"
            if not names & {"activated", "neuroninspect", "mmbd", "neural_cleanse"} or len(case.classes) < 5:
                assert "one-target" in missing
            if "all-to-all" not in names and not asked.skip:
                assert "every-class" in missing
            if asked.strict and not (evidence and len(case.classes) == 10 and images == "images"):
                assert "one-source" in missing


def _could_answer(found: list[Examination], case: Case) -> set[str]:
    """The questions that something was able to look at: it says that it answers them, and has no gap."""
    able = {question for one in found if one.gap is None for question in one.answers}
    return {"file", *able} if case.pixels is not None else {"file"}


def test_the_required_questions_are_those_asked_for_less_those_left_out() -> None:
    assert ScanRequest(MODEL).required == set(REQUIRED)
    assert ScanRequest(MODEL, require=("one-source",)).required == set(QUESTIONS)
    assert ScanRequest(MODEL, strict=True).required == set(QUESTIONS)
    assert ScanRequest(MODEL, strict=True, skip=("one-source",)).required == set(REQUIRED)


def test_where_no_method_was_chosen_that_is_the_reason() -> None:
    answers = coverage([], set(QUESTIONS), (), file_checked=True, ended=True)
    assert {answer.why for answer in answers[1:]} == {"no method that looks for them was chosen"}


def test_a_scan_that_ended_early_answers_nothing(cases: dict[str, Case]) -> None:
    found = looked(cases["images"], (Activated(starts=2, steps=1),), {})
    answers = coverage(found, set(QUESTIONS), (), file_checked=True, ended=False)
    assert [answer.question for answer in answers if answer.answered] == ["file"]
    answers = coverage([], set(QUESTIONS), (), file_checked=False, ended=False)
    assert not any(answer.answered for answer in answers)
    assert [finding.rule for finding in unanswered(answers)] == ["CV001", "CV002", "CV003", "CV004"]


@pytest.mark.parametrize("question", QUESTIONS[1:])
def test_a_question_that_was_left_out_says_so_and_is_no_finding(question: Question) -> None:
    answers = coverage([], set(QUESTIONS) - {question}, (question,), file_checked=True, ended=True)
    (left_out,) = (answer for answer in answers if answer.question == question)
    assert (left_out.required, left_out.why) == (False, "left out, as was asked")
    assert len(unanswered(answers)) == 2


def test_the_reason_is_that_of_the_method_that_should_have_answered(tmp_path: Path) -> None:
    network = open_network(linear_model(even_weights(classes=3)), tmp_path)
    case = Case(network, random_pixels(40, (12, 12, 1)), np.arange(3), 0, lambda done, total: None)
    methods = (Activated(starts=2, steps=1), Evidence())
    answer = coverage(looked(case, methods, {}), {"one-target"}, (), file_checked=True, ended=True)[1]
    assert answer.why == "3 classes can be compared, and outliers among fewer than 5 mean nothing"
