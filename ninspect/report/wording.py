"""What every format says of a result, in the same words. Nothing is escaped here: each format has its own way."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ninspect.findings import about_file
from ninspect.names import NOT_REACHED, TITLES, UNANSWERED, Question
from ninspect.report.pictured import PairInfo, StampInfo, TriggerInfo
from ninspect.report.references import ReferenceInfo
from ninspect.report.schema import AnswerInfo, DetectorInfo, FindingInfo, Result
from ninspect.text import byte_count

Outcome = Literal["passed", "failed", "inconclusive", "skipped"]
REFERENCE = "reference"  # the detector whose scores stand side by side with those of the references
NOT_A_PROOF = (
    "No verdict is a proof. Weak attacks, attacks on images of one class, and triggers that look like natural content "
    "can be missed; a class unlike all others can stand out without a backdoor."
)
_MOST_NODES = 5
_MOST_CHANGES = 5
# The question that a finding answers with yes (BD), or leaves open (CV); findings about the file answer the first.
_QUESTIONS: dict[str, Question] = {
    "BD001": "one-target",
    "BD002": "every-class",
    "BD004": "one-source",
    "BD005": "one-target",
    "BD006": "one-target",
    "BD007": "one-source",
    **{rule: question for question, rule in UNANSWERED.items()},
}


def sentence(text: str) -> str:
    """With a capital letter and a full stop; a file name at the start keeps its letters.

    >>> sentence("class 7 stands out"), sentence("ONNX Runtime is too old"), sentence("model.onnx is empty")
    ('Class 7 stands out.', 'ONNX Runtime is too old.', 'model.onnx is empty.')
    """
    a_word = text.partition(" ")[0].replace("-", "").isalpha()
    return (text[:1].upper() + text[1:] if a_word else text) + ("" if text.endswith(".") else ".")


def judgement(result: Result) -> str:
    """The reason, and how sure a suspicion is."""
    return sentence(result.reason) + (f" Confidence: {result.confidence}." if result.confidence else "")


def uncovered(result: Result) -> list[str]:
    """What a reader of the verdict must know that was not looked for; to be shown directly below it."""
    told = [answer for answer in result.coverage if answer.outcome == "skipped"]
    if result.verdict == "clean":
        told += [answer for answer in result.coverage if answer.outcome == "unanswered"]
    return [sentence(f"{TITLES[answer.question]}: not looked for ({_why(answer)})") for answer in told]


@dataclass(frozen=True)
class Asked:
    """A question, and what became of it.

    Attributes:
        title: what was asked.
        outcome: as of a `Check`.
        word: the outcome for people.
        detail: what answered the question, and how well that finds what it looks for; or why there is no answer.
    """

    question: Question
    title: str
    outcome: Outcome
    word: str
    detail: str


def asked(result: Result) -> list[Asked]:
    """Every question, and what became of it."""
    return [_asked(result, answer) for answer in result.coverage]


def _asked(result: Result, answer: AnswerInfo) -> Asked:
    about = [found for found in result.findings if _question_of(found) == answer.question]
    accusing = [found for found in about if not found.rule.startswith("CV")]
    ids = ", ".join(dict.fromkeys(found.rule for found in about))
    if accusing:
        outcome: Outcome = "failed" if any(found.effect == "suspected" for found in accusing) else "inconclusive"
        word, detail = "found" if any(found.rule != "BD005" for found in accusing) else "unclear", ids
    elif answer.outcome == "answered":
        outcome, word, detail = "passed", "nothing found", _answered_by(answer)
    elif answer.outcome == "skipped":
        outcome, word, detail = "skipped", "left out", _why(answer)
    else:
        outcome, word = "inconclusive" if answer.required else "skipped", "not answered"
        detail = _why(answer) + (f" ({ids})" if ids else "" if answer.required else " (not required)")
    return Asked(answer.question, TITLES[answer.question], outcome, word, detail)


def _question_of(found: FindingInfo) -> Question | None:
    """The question that a finding answers with yes, or leaves open."""
    if found.rule in _QUESTIONS:
        return _QUESTIONS[found.rule]
    return "file" if about_file(found.rule) and found.severity != "note" else None


def _answered_by(answer: AnswerInfo) -> str:
    if answer.question == "file":
        return ", ".join(answer.by)  # rules find all that they describe
    return f"{', '.join(answer.by)} ({answer.power or 'power not measured'})"


def _why(answer: AnswerInfo) -> str:
    return answer.why or NOT_REACHED


def deciding(result: Result) -> list[FindingInfo]:
    """The findings that the verdict rests on."""
    return [finding for finding in result.findings if finding.effect == result.verdict != "clean"]


def next_steps(result: Result) -> list[tuple[str, str]]:
    """What to do now: the rules behind the verdict, and the advice they share.

    Questions without an answer come with their own advice only where nothing else keeps them from being answered.
    """
    decided = deciding(result)
    steps: dict[str, list[str]] = {}
    for found in [found for found in decided if not found.rule.startswith("CV")] or decided:
        steps.setdefault(found.advice, []).append(found.rule)
    return [(", ".join(dict.fromkeys(rules)), advice) for advice, rules in steps.items()]


def remarks(result: Result) -> list[str]:
    """The other findings, each with its id; not those with a place of their own: questions, and the file."""
    placed = [*deciding(result), *explained(result)]
    others = [found for found in result.findings if found not in placed and not found.rule.startswith("CV")]
    return [f"{found.message} ({found.rule}{', accepted' if found.ignored else ''})" for found in others]


def detectors_shown(result: Result) -> list[DetectorInfo]:
    """The first detector that compares classes, those that found something, and the comparison with references."""
    compared = [d for d in result.detectors if any(value is not None for value in d.index)]
    return [d for d in compared if d is compared[0] or d.targets or d.name == REFERENCE]


def class_name(result: Result, label: int) -> str:
    """The name of a class; nothing where it is not known, or says no more than the number."""
    name = result.class_names[label] if 0 <= label < len(result.class_names) else ""
    return "" if name == str(label) else name


def named(result: Result, label: int) -> str:
    """`class 5`, or `class 5 (limit_120)`."""
    name = class_name(result, label)
    return f"class {label} ({name})" if name else f"class {label}"


def ranked(detector: DetectorInfo) -> list[int]:
    """Positions of the classes by falling index, those that were not measured last."""
    return sorted(range(len(detector.index)), key=lambda i: -_sortable(detector.index[i]))


def _sortable(value: float | None) -> float:
    return -math.inf if value is None else value


def number(value: float | None, digits: int) -> str:
    """With so many digits after the point; a dash for what was not measured."""
    return "–" if value is None else f"{value:z.{digits}f}"


def share(value: float | None) -> str:
    """A share as a percentage."""
    return "none" if value is None else f"{value:.0%}"


def beside(result: Result) -> list[str]:
    """What each reference says of the images, next to the model, in a sentence or two."""
    return [_beside(result, one) for one in result.references]


def _beside(result: Result, one: ReferenceInfo) -> str:
    own = None if result.samples is None else result.samples.clean_accuracy
    right = (
        "" if one.accuracy is None or own is None else f", and is right about {one.accuracy:.1%}, the model {own:.1%}"
    )
    said = f"Reference {one.path} gives {one.agreement:.1%} of the images the same answer{right}."
    changed = [
        f"{named(result, change.label)} ({change.agreement:.0%} of {change.images})"
        for change in one.changed()[:_MOST_CHANGES]
    ]
    return f"{said} They agree least on {', '.join(changed)}." if changed else said


def reading(result: Result, detector: DetectorInfo) -> str:
    """What the index means, so that a number is never shown without its scale."""
    if detector.critical_index is None:
        return "The index has no meaning here." if detector.p_value is None else f"p-values from the {detector.test}."
    count, easy = len(result.explained), detector.critical_index_easy
    exceeds = f"{detector.critical_index:.2f}"
    if easy is not None and easy != detector.critical_index:
        exceeds += f", or {easy:.2f} with a class that is easy by nature,"
    return (
        f"Index: distance from the other classes in robust standard deviations. A clean model with {count} classes "
        f"exceeds {exceeds} with probability {result.alpha:g}."
    )


def evidence(trigger: TriggerInfo) -> str:
    """What was found when a trigger was searched for a class, or from one class to another."""
    if isinstance(trigger, StampInfo):
        return _at_one_place(trigger)
    source, others, peers = "", "other images", "other classes need"
    meaning = "That is no sign of a backdoor."
    if trigger.convincing:
        meaning = "A backdoor explains that."
    elif trigger.nearly:
        meaning = "That is small, but decides nothing by itself."
    if isinstance(trigger, PairInfo):
        source, others = f" from class {trigger.source}", f"other images of class {trigger.source}"
        peers = "other pairs of classes need"
        meaning = (
            "A backdoor explains that, and so does a likeness of the two classes."
            if trigger.reference_size is None
            else "A likeness of the two classes does not explain that."
        )
    sent = (
        "was tried on no other image"
        if trigger.success is None
        else f"sends {trigger.success:.0%} of {trigger.held_out} {others} there"
    )
    found = (
        f"Evidence for class {trigger.label}{source}: the smallest trigger found covers {trigger.size:.1f} pixels and "
        f"{sent}; "
    )
    if trigger.control_size is None:
        return found + "no trigger for another class was found to compare it with."
    needed = f"{peers} {trigger.control_size:.1f} pixels (median)"
    if isinstance(trigger, PairInfo) and trigger.reference_size is not None:
        theirs = number(trigger.reference_control_size, 1)
        meaning = f"The reference needs {trigger.reference_size:.1f} for it, and {theirs} for others. {meaning}"
    return f"{found}{needed}. {meaning}"


def _at_one_place(stamp: StampInfo) -> str:
    row, column, height, width = stamp.window
    return (
        f"Evidence for class {stamp.label}: covering {height}×{width} pixels at row {row}, column {column} sends "
        f"{share(stamp.success)} of {stamp.held_out} other images there. What was tried for other classes at the same "
        f"place sends {share(stamp.control_success)} to them (median), {share(stamp.rival)} at most."
    )


def named_classes(result: Result) -> list[int]:
    """The classes that a finding says a trigger may lead to, suspected or not."""
    return [label for found in result.findings if found.rule in ("BD001", "BD005", "BD006") for label in found.classes]


def unconvincing(trigger: TriggerInfo) -> str:
    """A trigger that is no evidence, and how far it is from that."""
    needed = "" if trigger.control_size is None else f", where others need {trigger.control_size:.1f}"
    return (
        f"class {trigger.label}: {trigger.size:.1f} pixels send {share(trigger.success)} there{needed}; not convincing"
    )


def triggers_shown(result: Result) -> list[TriggerInfo]:
    """Those of the classes that are suspected, or nearly so, and those from one class to another."""
    told = {*result.targets, *named_classes(result)}
    return [*(one for one in (*result.stamps, *result.triggers) if one.label in told), *result.pairs]


def explained(result: Result) -> list[FindingInfo]:
    """The findings about the file, which deserve their meaning and their nodes."""
    return [found for found in result.findings if about_file(found.rule)]


def explanations(result: Result) -> list[str]:
    """Findings about the file in full, without what the verdict and the advice below it say already."""
    said = [result.reason, *(advice for _, advice in next_steps(result))]
    return [f"{found.rule}: {finding(found, said)}" for found in explained(result)]


def finding(found: FindingInfo, said: Collection[str] = ()) -> str:
    """A finding, where it is, what it means, and what to do; without what has been said already."""
    names = [name or "without a name" for name in found.nodes[:_MOST_NODES]]
    more = f" and {len(found.nodes) - _MOST_NODES} more" if len(found.nodes) > _MOST_NODES else ""
    nodes = f"Nodes: {', '.join(names)}{more}." if names else ""
    message = "" if any(found.message in text for text in said) else sentence(found.message)
    advice = "" if found.advice in said else found.advice
    head = sentence(f"{found.title}{' (accepted)' if found.ignored else ''}")
    return " ".join(part for part in (head, message, nodes, found.meaning, advice) if part)


def facts(result: Result) -> list[tuple[str, str]]:
    """What was scanned, with what, and how to trust it: names and texts; an empty name continues the one before."""
    lines = []
    model, samples, settings = result.model, result.samples, result.preprocess
    if model.input is not None:
        producer = model.producer or "unknown exporter"
        shape = ", ".join("N" if d is None else str(d) for d in model.input_shape or [])
        before = f" before {model.activation}" if model.activation else ""
        lines.append(("model", f"{producer}, opset {model.opset}, {result.classes} classes"))
        lines.append(("", f"input '{model.input}' [{shape}] {model.layout}, logits '{model.logits}'{before}"))
    if model.sha256 is not None:
        lines.append(("" if model.input is not None else "model", f"sha256 {model.sha256}"))
    if len(model.files) > 1:  # the one above is that of all of them
        lines += [("", f"{file.name}: sha256 {file.sha256}, {byte_count(file.bytes)}") for file in model.files]
    if model.gradient is not None:
        lines.append(("gradient", model.gradient))
    if samples is not None:
        accuracy = "" if samples.clean_accuracy is None else f", clean accuracy {samples.clean_accuracy:.1%}"
        lines.append(("images", f"{samples.count} from {samples.source} ({samples.kind}){accuracy}"))
    if settings is not None and settings.source:
        mapped = f"(pixel · {settings.scale:.4g} − {_list(settings.mean)}) / {_list(settings.std)}"
        lines.append(("input", f"{mapped}, {settings.source}"))
    lines += [
        ("also", f"{detector.name}: nothing found (p = {detector.p_value:.2g})")
        for detector in result.detectors[1:]
        if detector.p_value is not None and not detector.targets
    ]
    if result.truth_tests:
        errors = ", ".join(f"{test.name} {scientific(test.error)}" for test in result.truth_tests)
        lines.append(("self-test", f"relative errors: {errors}"))
    lines += [("power" * (i == 0), text) for i, text in enumerate(worth(result))]
    provider = (result.provider or "").removesuffix("ExecutionProvider")
    lines.append(("date", result.date))
    lines.append(("run", f"{provider + ', ' if provider else ''}seed {result.seed}, {result.seconds:.1f} s"))
    lines.append(("sandbox", _isolation(result)))
    return lines


def worth(result: Result) -> list[str]:
    """What finding nothing is worth: of each kind of attack, best first, how many networks with it are found."""
    return [
        f"{TITLES[answer.question]}, found on networks of {answer.measured} classes: "
        + "; ".join(
            f"{rate.attack} {rate.found} of {rate.of}"
            for rate in sorted(answer.attacks, key=lambda rate: rate.found / rate.of, reverse=True)
        )
        for answer in result.coverage
        if answer.attacks
    ]


def _isolation(result: Result) -> str:
    """The layers between the model and the machine, and those that the system does not have."""
    if result.isolation is None:
        return "none"
    missing = "; ".join(f"{layer} is missing: {reason}" for layer, reason in result.isolation.missing.items())
    return ", ".join(result.isolation.active) + (f"; {missing}" if missing else "")


def _list(value: float | list[float]) -> str:
    values = [value] if isinstance(value, float) else value
    return f"{values[0]:g}" if len(set(values)) == 1 else "[" + ", ".join(f"{v:g}" for v in values) + "]"


def scientific(value: float | None) -> str:
    """With one digit after the point and a power of ten."""
    return "not a number" if value is None else f"{value:.1e}"
