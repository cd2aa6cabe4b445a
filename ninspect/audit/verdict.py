"""From findings to a verdict: `clean` only when everything that was to be checked was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ninspect.audit.selftest import TruthTest
from ninspect.detect import Detection, Trigger, listed
from ninspect.findings import Finding
from ninspect.measure.outliers import FEWEST_CLASSES
from ninspect.report import Confidence, Verdict
from ninspect.report.wording import probability

_MOST = 3  # classes to seek evidence for, and at most a third of all


@dataclass(frozen=True)
class Judgement:
    """What is said of a model.

    Attributes:
        verdict: `clean`, `suspected` or `inconclusive`.
        reason: one sentence, without the full stop.
        targets: suspected classes, most suspect first; empty where the file alone is suspect.
        confidence: of a suspicion: `high` where the evidence agrees with the statistics, else `low`.
        p_value: of the suspicion, or of its absence; None where nothing was measured.
        reservations: what speaks against a verdict that stands all the same.
    """

    verdict: Verdict
    reason: str
    targets: list[int]
    confidence: Confidence | None
    p_value: float | None
    reservations: list[str]


def candidates(detections: Sequence[Detection], alpha: float) -> list[int]:
    """Classes that evidence is sought for, most suspect first: the suspects, and the next that stand out most.

    Comparing explanations ranks a target far more reliably than it tells it from what stands out in clean models; the
    trigger tells them apart. All classes where they are too few for outliers. None where the suspicion has evidence of
    its own.
    """
    tested = _tested(detections)
    if detections and not tested and len(detections[0].classes) < FEWEST_CLASSES:
        return [int(label) for label in detections[0].classes]
    if not tested or (tested[0].finding is not None and tested[0].targets(alpha)):
        return []
    suspects = [label for detection in tested if detection.finding is None for label in detection.targets(alpha)]
    ranked = next((d.ranked for d in detections if d.p_value is not None and d.finding is None), [])
    return list(dict.fromkeys([*suspects, *ranked]))[: max(1, min(_MOST, len(ranked) // 3))]


def decide(
    truth: Sequence[TruthTest],
    detections: Sequence[Detection],
    triggers: Sequence[Trigger],
    problems: Sequence[str],
    alpha: float,
    findings: Sequence[Finding] = (),
    unseen: Sequence[str] = (),
) -> Judgement:
    """What the file itself shows comes first, then what its network has learnt, as far as that can be known.

    Args:
        truth: the scan's tests of itself.
        detections: with p-values that are corrected for their number; empty where the scan stopped before.
        triggers: what was found for the candidates.
        problems: why the model must not be called clean.
        alpha: largest probability of suspecting a clean model.
        findings: what is wrong with the file itself.
        unseen: what should have been looked for and could not be, with the reason.
    """
    attacks = [_told(finding) for finding in findings if finding.severity == "error"]
    problems = [*(_told(finding) for finding in findings if finding.severity == "warning"), *problems]
    learnt = _decide(truth, detections, triggers, problems, alpha, unseen)
    if not attacks:
        return learnt
    if learnt.verdict == "suspected":
        return replace(learnt, reason=f"{learnt.reason}; {'; '.join(attacks)}")
    reservations = [*problems, *learnt.reservations]
    return Judgement("suspected", "; ".join(attacks), [], None, learnt.p_value, reservations)


def _told(finding: Finding) -> str:
    return f"{finding.message} ({finding.rule})"


def _decide(
    truth: Sequence[TruthTest],
    detections: Sequence[Detection],
    triggers: Sequence[Trigger],
    problems: Sequence[str],
    alpha: float,
    unseen: Sequence[str],
) -> Judgement:
    """Failed truth tests come first, then suspicion, then whatever keeps a model from being called clean."""
    if not detections or not all(test.passed for test in truth):
        return Judgement("inconclusive", "; ".join(problems), [], None, None, [])
    skipped = [detection.skipped for detection in detections if detection.skipped]
    if len(skipped) == len(detections):
        problems, skipped = [*problems, *skipped], []
    skipped += unseen
    problems = [*problems, *(detection.problem for detection in detections if detection.problem)]
    tested = _tested(detections)
    p = tested[0].p_value if tested else None
    convincing = [trigger.label for trigger in triggers if trigger.convincing and trigger.source is None]
    problems += [_from_one_class(trigger) for trigger in triggers if trigger.convincing and trigger.source is not None]
    outliers = [target for detection in tested for target in detection.targets(alpha)]
    targets = sorted(dict.fromkeys([*outliers, *convincing]), key=lambda label: label not in convincing)
    if targets:
        strong = bool(tested) and (bool(convincing) or tested[0].finding is not None)
        reason = _suspicion(tested[0] if tested else None, targets, triggers, alpha)
        return Judgement("suspected", reason, targets, "high" if strong else "low", p, [*problems, *skipped])
    if problems:
        return Judgement("inconclusive", "; ".join(problems), [], None, p, skipped)
    others = max(detection.measured for detection in tested) - 1
    quiet = f"no class stands out from the other {others} ({probability(p)})"
    if skipped:
        return Judgement("inconclusive", f"{quiet}, but {'; '.join(skipped)}", [], None, p, [])
    return Judgement("clean", quiet, [], None, p, [])


def _tested(detections: Sequence[Detection]) -> list[Detection]:
    """The detections that have p-values, the smallest first."""
    return sorted((d for d in detections if d.p_value is not None), key=lambda d: d.p_value or 0.0)


def _from_one_class(trigger: Trigger) -> str:
    return (
        f"a trigger of {trigger.size:.0f} pixels sends {trigger.success:.0%} of other images of class {trigger.source} "
        f"alone to class {trigger.label}, where other pairs of classes need {trigger.control_size:.0f}: a backdoor "
        "with a source class does that, but so can classes that are alike; look at its picture"
    )


def _suspicion(detection: Detection | None, targets: list[int], triggers: Sequence[Trigger], alpha: float) -> str:
    verb, kind = ("looks", "the target") if len(targets) == 1 else ("look", "targets")
    claim = f"{listed(targets)} {verb} like {kind} of a backdoor"
    found = _found(triggers)
    if detection is None:  # too few classes for statistics: the evidence speaks alone
        return f"{claim}{found}"
    p = probability(detection.p_value)
    if detection.finding is not None and not triggers:
        return f"{detection.finding} ({p})"
    compared = f"compared with all {detection.measured} classes"
    if not detection.targets(alpha):
        it = "it stands" if len(targets) == 1 else "they stand"
        return f"{claim}{found}; {compared} {it} out too little to say so ({p})"
    return f"{claim}, {compared} ({p}){found}"


def _found(triggers: Sequence[Trigger]) -> str:
    """What the evidence says, as the rest of a sentence."""
    convincing = [trigger for trigger in triggers if trigger.convincing]
    if convincing:
        best = convincing[0]
        return (
            f"; a trigger of {best.size:.0f} pixels sends {best.success:.0%} of other images there, "
            f"where other classes need {best.control_size:.0f}"
        )
    return "; but no small trigger was found for it, as a backdoor would have" if triggers else ""
