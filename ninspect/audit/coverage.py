"""Which questions a scan has answered, by what, and how well that finds what it looks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ninspect.detect import Evidence, Examination
from ninspect.findings import Finding
from ninspect.measure.power import POWER, Power, Rate, by_attack
from ninspect.names import NOT_REACHED, QUESTIONS, TITLES, UNANSWERED, Question

FILE_CHECKS = "file rules"
_NOT_CHOSEN = "no method that looks for them was chosen"


@dataclass(frozen=True)
class Answer:
    """What became of a question.

    Attributes:
        question: one of `QUESTIONS`.
        required: without an answer the model is not called clean.
        by: what answered it by finding nothing, or would have found it; empty where it has no answer.
        why: why it has none; empty where it has one.
        power: how well that finds what it looks for, where it was measured.
        attacks: the same by kind of attack,
        measured: on networks of so many classes.
    """

    question: Question
    required: bool
    by: tuple[str, ...] = ()
    why: str = ""
    power: Power | None = None
    attacks: tuple[Rate, ...] = ()
    measured: int | None = None

    @property
    def answered(self) -> bool:
        """Whether anything answered it."""
        return bool(self.by)


def coverage(
    examinations: Sequence[Examination],
    required: Collection[Question],
    skipped: Collection[Question],
    file_checked: bool,
    ended: bool,
    classes: int | None = None,
) -> list[Answer]:
    """What became of each question.

    Args:
        examinations: what the detectors said.
        required: questions that must be answered for `clean`.
        skipped: questions that were left out.
        file_checked: all rules about the file were looked at.
        ended: all detectors had their say. Before, what some of them did not find answers nothing.
        classes: of the model, where it is known.
    """
    file = Answer("file", "file" in required, *(((FILE_CHECKS,), "") if file_checked else ((), NOT_REACHED)))
    return [file, *(_answer(question, examinations, required, skipped, ended, classes) for question in QUESTIONS[1:])]


def _answer(
    question: Question,
    examinations: Sequence[Examination],
    required: Collection[Question],
    skipped: Collection[Question],
    ended: bool,
    classes: int | None,
) -> Answer:
    if question in skipped:
        return Answer(question, False, why="left out, as was asked")
    if not ended:
        return Answer(question, question in required, why=NOT_REACHED)
    able = [one for one in examinations if question in one.answers]
    by = tuple(one.name for one in able if one.gap is None)
    if by:
        measured, attacks = by_attack(question, by, classes) if classes else (None, ())
        power = POWER.get((question, frozenset(by)))
        return Answer(question, question in required, by, "", power, attacks, measured if attacks else None)
    # Evidence only follows another method, so its gap is that method's.
    leading = [one for one in able if one.name != Evidence.name] or able
    why = "; ".join(dict.fromkeys(one.gap for one in leading if one.gap)) or _NOT_CHOSEN
    return Answer(question, question in required, why=why)


def unanswered(answers: Sequence[Answer]) -> list[Finding]:
    """A finding for each required question that has no answer: by these, nothing unanswered is ever clean."""
    found, told = list[Finding](), set[str]()
    for answer in answers:
        if answer.required and not answer.answered:
            why = " either" if answer.why in told else f": {answer.why}"
            found.append(Finding(UNANSWERED[answer.question], f"{TITLES[answer.question]} cannot be ruled out{why}"))
            told.add(answer.why)
    return found


def idle(examinations: Sequence[Examination], answers: Sequence[Answer]) -> list[Finding]:
    """A note for each method that could not look, where other methods answer the questions that it is for."""
    open_questions = {answer.question for answer in answers if not answer.answered}
    return [
        Finding("SC006", f"method {one.name} could not judge the model: {one.gap}")
        for one in examinations
        if one.gap and one.name != Evidence.name and not open_questions & one.answers
    ]
