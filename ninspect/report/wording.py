"""What every format says of a result, in the same words. Nothing is escaped here: each format has its own way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ninspect.findings import RULES, Severity
from ninspect.report.schema import DetectorInfo, FindingInfo, Result, TriggerInfo

Outcome = Literal["passed", "failed", "inconclusive", "skipped"]
NOT_A_PROOF = (
    "A clean result is not a proof, and a suspicion is not one either: triggers that resemble natural content, attacks "
    "on images of one class and weak attacks can be missed, and a class like no other can stand out without a backdoor."
)
_MOST_NODES = 5
_TRUTH_TESTS = {
    "scores": "the converted model answers as the file does in ONNX Runtime",
    "gradient": "the gradient is the derivative of the logits",
}


def sentence(text: str) -> str:
    """With a capital letter and a full stop; a file name at the start keeps its letters."""
    first = text.partition(" ")[0]
    start = first.capitalize() if first.replace("-", "").isalpha() else first
    return start + text[len(first) :] + ("" if text.endswith(".") else ".")


def judgement(result: Result) -> str:
    """The reason, and how sure a suspicion is."""
    return sentence(result.reason) + (f" Confidence: {result.confidence}." if result.confidence else "")


def detectors_shown(result: Result) -> list[DetectorInfo]:
    """The first detector, and those that found something; of these, the ones that looked at the model at all."""
    looked = [detector for detector in result.detectors if detector.skipped is None]
    return [detector for detector in looked if detector is result.detectors[0] or detector.targets]


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


def probability(p: float | None) -> str:
    """`p = 0.02`, or `p < 0.001`."""
    if p is None:
        return "p unknown"
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


def share(value: float | None) -> str:
    """In per cent."""
    return "none" if value is None else f"{value:.0%}"


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
    """What was found when a trigger was searched for a class."""
    source, others, peers = "", "other images", "other classes need"
    if trigger.source is not None:
        source, others = f" from class {trigger.source}", f"other images of class {trigger.source}"
        peers = "other pairs of classes need"
    found = (
        f"Evidence for class {trigger.label}{source}: the smallest trigger found covers {trigger.size:.1f} pixels and "
        f"sends {share(trigger.success)} of {trigger.held_out} {others} there; "
    )
    if trigger.control_size is None:
        return found + "for no other class one was found to compare with."
    meaning = "A backdoor explains that." if trigger.convincing else "That is no proof of a backdoor."
    if trigger.source is not None:
        meaning = "A backdoor explains that, or that the two classes are alike."
    return f"{found}{peers} {trigger.control_size:.1f} pixels (median). {meaning}"


def triggers_shown(result: Result) -> list[TriggerInfo]:
    """Those of the classes that are suspected, and those from one class to another."""
    return [trigger for trigger in result.triggers if trigger.label in result.targets or trigger.source is not None]


def finding(found: FindingInfo, reason: str) -> str:
    """What a rule found in the file, where, what that means, and what to do; not again what the reason says already."""
    rule = RULES[found.rule]
    names = [name or "without a name" for name in found.nodes[:_MOST_NODES]]
    more = f" and {len(found.nodes) - _MOST_NODES} more" if len(found.nodes) > _MOST_NODES else ""
    nodes = f" Nodes: {', '.join(names)}{more}." if names else ""
    told = "" if found.message in reason else " " + sentence(found.message)
    return f"{rule.id}, {rule.title}.{told}{nodes} {rule.meaning} {rule.advice}"


def facts(result: Result) -> list[tuple[str, str]]:
    """What was scanned, with what, and how to trust it: names and texts; an empty name continues the one before."""
    lines = []
    model, samples, settings = result.model, result.samples, result.preprocess
    if model.input is not None:
        producer = model.producer or "unknown exporter"
        shape = ", ".join("N" if d is None else str(d) for d in model.input_shape or [])
        lines.append(("model", f"{producer}, opset {model.opset}, {result.classes} classes"))
        lines.append(("", f"input '{model.input}' [{shape}] {model.layout}, logits '{model.logits}'"))
    if model.sha256 is not None:
        lines.append(("" if model.input is not None else "model", f"sha256 {model.sha256}"))
    if model.gradient is not None:
        lines.append(("gradient", model.gradient))
    if samples is not None:
        accuracy = "" if samples.clean_accuracy is None else f", clean accuracy {samples.clean_accuracy:.1%}"
        lines.append(("images", f"{samples.count} from {samples.source} ({samples.kind}){accuracy}"))
    if settings is not None:
        mapped = f"(pixel · {settings.scale:.4g} − {_list(settings.mean)}) / {_list(settings.std)}"
        lines.append(("input", f"{mapped}, {settings.source}"))
    lines += [
        ("also", f"{detector.name}: nothing found (p = {detector.p_value:.2g})")
        for detector in result.detectors[1:]
        if detector.p_value is not None and not detector.targets
    ]
    shown = triggers_shown(result)
    unconvincing = [str(trigger.label) for trigger in result.triggers if trigger not in shown]
    if unconvincing:
        lines.append(("also", f"no small trigger found for class {', '.join(unconvincing)}"))
    if result.truth_tests:
        errors = ", ".join(f"{test.name} {_scientific(test.error)}" for test in result.truth_tests)
        lines.append(("self-test", f"relative errors: {errors}"))
    provider = (result.provider or "").removesuffix("ExecutionProvider")
    lines.append(("run", f"{provider + ', ' if provider else ''}seed {result.seed}, {result.seconds:.1f} s"))
    lines.append(("sandbox", _isolation(result)))
    return lines


def _isolation(result: Result) -> str:
    """The layers between the model and the machine, and those that the system does not have."""
    if result.isolation is None:
        return "none"
    missing = "; ".join(f"{layer} is missing: {reason}" for layer, reason in result.isolation.missing.items())
    return ", ".join(result.isolation.active) + (f"; {missing}" if missing else "")


def _list(value: float | list[float]) -> str:
    values = [value] if isinstance(value, float) else value
    return f"{values[0]:g}" if len(set(values)) == 1 else "[" + ", ".join(f"{v:g}" for v in values) + "]"


def _scientific(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.1e}"


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
    """What was checked and what was not."""
    files = [_file(found) for found in result.findings]
    detectors = map(_detector, result.detectors)
    unseen = [Check("source classes", "skipped", reason) for reason in result.unseen]
    return [*files, *_truth(result), *_images(result), *_classes(result), *detectors, _trigger(result), *unseen]


def _file(found: FindingInfo) -> Check:
    outcomes: dict[Severity, Outcome] = {"error": "failed", "warning": "inconclusive", "note": "passed"}
    return Check(f"file: {found.rule}", outcomes[found.severity], finding(found, ""))


def _truth(result: Result) -> list[Check]:
    return [
        Check(
            f"self-test: {test.name}",
            "passed" if test.passed else "inconclusive",
            f"{_TRUTH_TESTS.get(test.name, test.name)}: relative error {_scientific(test.error)}, "
            f"allowed {test.tolerance:g}",
        )
        for test in result.truth_tests
    ]


def _images(result: Result) -> list[Check]:
    samples = result.samples
    if samples is None:
        return [Check("images", "skipped", "no images were read")]
    unreadable = f", {len(samples.skipped)} unreadable" if samples.skipped else ""
    accuracy = (
        "no labels, so clean accuracy was not measured"
        if samples.clean_accuracy is None
        else f"clean accuracy {samples.clean_accuracy:.1%}"
    )
    return [Check("images", "passed", f"{samples.count} images{unreadable}; {accuracy}")]


def _classes(result: Result) -> list[Check]:
    if result.classes is None:
        return []
    judged = len(result.explained)
    outcome: Outcome = "passed" if judged == result.classes else "inconclusive"
    return [Check("classes", outcome, f"{judged} of {result.classes} classes were examined")]


def _detector(detector: DetectorInfo) -> Check:
    name = f"detector: {detector.name}"
    if detector.skipped is not None:
        return Check(name, "skipped", detector.skipped)
    if detector.targets:
        some = ", ".join(map(str, detector.targets[:8])) + (", …" if len(detector.targets) > 8 else "")
        return Check(name, "failed", f"stands out: {some} ({probability(detector.p_value)})")
    if detector.problem is not None:
        return Check(name, "inconclusive", detector.problem)
    return Check(name, "passed", f"no class stands out ({probability(detector.p_value)})")


def _trigger(result: Result) -> Check:
    if not result.triggers:
        return Check("evidence", "skipped", "no trigger was searched: the scan stopped, or found other evidence")
    convincing = [trigger for trigger in result.triggers if trigger.convincing]
    found = [str(trigger.label) for trigger in convincing if trigger.source is None]
    searched = ", ".join(str(trigger.label) for trigger in result.triggers)
    if found:
        return Check("evidence", "failed", f"a small trigger that works was found for class {', '.join(found)}")
    if convincing:
        pairs = ", ".join(f"{trigger.source} to {trigger.label}" for trigger in convincing)
        return Check("evidence", "inconclusive", f"a small trigger that works was found from class {pairs}")
    return Check("evidence", "passed", f"no small trigger was found for class {searched}")
