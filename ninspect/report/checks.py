"""Everything that was checked, one by one, for formats that list checks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ninspect.report.pictured import TriggerInfo
from ninspect.report.schema import DetectorInfo, Result
from ninspect.report.wording import Outcome, asked, beside, finding, scientific, unconvincing
from ninspect.text import probability

_TRUTH_TESTS = {
    "scores": "the converted model answers as the file does in ONNX Runtime",
    "gradient": "the gradient is the derivative of the logits",
}


@dataclass(frozen=True)
class Check:
    """One thing that was checked, or was not.

    Attributes:
        name: short, the same in every scan.
        outcome: `failed` is what speaks for a backdoor, `inconclusive` what keeps the model from being judged.
        detail: what was found, or why it was not checked.
    """

    name: str
    outcome: Outcome
    detail: str


def checks(result: Result) -> list[Check]:
    """What was asked and what became of it, and everything else that was checked."""
    questions = [
        Check(f"question: {one.question}", one.outcome, f"{one.title}: {one.word}: {one.detail}")
        for one in asked(result)
    ]
    return [*questions, *other_checks(result)]


def other_checks(result: Result) -> list[Check]:
    """The scan's tests of itself, the images, the methods, and every finding."""
    methods = [_method(result, detector) for detector in result.detectors]
    references = [Check(f"reference {number}", "passed", text) for number, text in enumerate(beside(result), 1)]
    return [*_truth(result), _images(result), *references, *methods, *_findings(result)]


def _findings(result: Result) -> list[Check]:
    """Each finding; those of one rule are numbered, as names of checks must differ."""
    outcomes: dict[str, Outcome] = {"suspected": "failed", "inconclusive": "inconclusive", "clean": "passed"}
    seen: Counter[str] = Counter()
    found = []
    for one in result.findings:
        seen[one.rule] += 1
        number = f" ({seen[one.rule]})" if seen[one.rule] > 1 else ""
        found.append(Check(f"finding: {one.rule}{number}", outcomes[one.effect], finding(one)))
    return found


def _truth(result: Result) -> list[Check]:
    return [
        Check(
            f"self-test: {test.name}",
            "passed" if test.passed else "inconclusive",
            f"{_TRUTH_TESTS.get(test.name, test.name)}: relative error {scientific(test.error)}, "
            f"allowed {test.tolerance:g}",
        )
        for test in result.truth_tests
    ]


def _images(result: Result) -> Check:
    samples = result.samples
    if samples is None:
        return Check("images", "skipped", "no images were read")
    unreadable = f", {len(samples.skipped)} unreadable" if samples.skipped else ""
    accuracy = (
        "no labels, so clean accuracy was not measured"
        if samples.clean_accuracy is None
        else f"clean accuracy {samples.clean_accuracy:.1%}"
    )
    return Check("images", "passed", f"{samples.count} images{unreadable}; {accuracy}")


def _method(result: Result, detector: DetectorInfo) -> Check:
    name = f"method: {detector.name}"
    if detector.targets:
        some = ", ".join(map(str, detector.targets[:8])) + (", …" if len(detector.targets) > 8 else "")
        return Check(name, "failed", f"stands out: {some} ({probability(detector.p_value)})")
    if detector.name == "evidence" and result.triggers:
        return Check(name, *_evidence(result.triggers))
    if detector.gap is not None:
        return Check(name, "skipped", detector.gap)
    if detector.p_value is None:
        return Check(name, "passed", "nothing was found")
    return Check(name, "passed", f"no class stands out ({probability(detector.p_value)})")


def _evidence(triggers: list[TriggerInfo]) -> tuple[Outcome, str]:
    found = [str(trigger.label) for trigger in triggers if trigger.convincing]
    if found:
        return "failed", f"a small trigger that works was found for class {', '.join(found)}"
    return "passed", "; ".join(map(unconvincing, triggers))
