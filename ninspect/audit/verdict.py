"""What the examinations accuse a model of, and the sentence that says how a verdict came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ninspect.detect import TARGET, Examination, PairBeside, PairTrigger, Stamp, Trigger, comparing, listed, tested
from ninspect.detect.all_to_all import PERMUTATION
from ninspect.findings import Finding, Verdict, about_file, verdict
from ninspect.measure.calibration import NEAR_MISSES
from ninspect.text import probability

Confidence = Literal["high", "low"]


@dataclass(frozen=True)
class Judgement:
    """What is said of a model.

    Attributes:
        verdict: `clean`, `suspected` or `inconclusive`; the fold over the findings.
        reason: one sentence, without the full stop.
        targets: suspected classes, most suspect first; empty where the file alone is suspect.
        confidence: of a suspicion: `high` where the evidence agrees with the statistics, else `low`.
        p_value: of the suspicion, or of its absence; None where nothing was measured.
    """

    verdict: Verdict
    reason: str
    targets: list[int]
    confidence: Confidence | None
    p_value: float | None


def accusations(examinations: Sequence[Examination], alpha: float) -> list[Finding]:
    """What the examinations find.

    Targets (BD001), permutations (BD002), triggers between two classes (BD004), what stands out beside a reference
    (BD006, BD007), and where there are neither targets nor permutations, a class that is nearly a target (BD005).

    Args:
        examinations: with p-values that are corrected for their number.
        alpha: level of suspicion.
    """
    ranking, triggers = tested(examinations), _triggers(examinations)
    tried = [*triggers, *_stamps(examinations)]
    found = [
        Finding(one.rule, f"{one.meaning} ({probability(one.p_value)})", classes=tuple(one.targets(alpha)))
        for one in ranking
        if one.rule != TARGET and one.targets(alpha)
    ]
    compared = comparing(ranking)
    convincing = [trigger.label for trigger in triggers if trigger.convincing]
    outliers = [target for one in compared for target in one.targets(alpha)]
    if targets := _convincing_first([*outliers, *convincing], convincing):
        message = _suspicion(compared[0] if compared else None, targets, tried, alpha)
        found.append(Finding(TARGET, message, classes=tuple(targets)))
    if not found and (near := _near_miss(compared, tried, alpha)):
        found.append(near)
    pairs = _pairs(examinations)
    return found + [Finding(pair.rule, _from_one_class(pair), classes=(pair.source, pair.label)) for pair in pairs]


def judge(findings: Sequence[Finding], examinations: Sequence[Examination], alpha: float) -> Judgement:
    """The verdict over all findings, and what goes with it."""
    ranking = [one for one in tested(examinations) if not one.apart or one.targets(alpha)]
    triggers = _triggers(examinations)
    p = ranking[0].p_value if ranking else None
    found = verdict(findings)
    confidence: Confidence | None = None
    targets: list[int] = []
    if any(finding.effect == "suspected" and finding.classes for finding in findings):
        convincing = [trigger.label for trigger in triggers if trigger.convincing]
        outliers = [target for one in ranking for target in one.targets(alpha)]
        beside = [pair.label for pair in _pairs(examinations) if isinstance(pair, PairBeside)]
        targets = _convincing_first([*outliers, *convincing, *beside], convincing)
    if targets:
        shown = any(stamp.nearly for stamp in _stamps(examinations) if stamp.label in targets)
        strong = bool(ranking) and (bool(convincing) or shown or ranking[0].rule == PERMUTATION)
        confidence = "high" if strong else "low"
    return Judgement(found, _reason(found, findings, ranking), targets, confidence, p)


def _near_miss(compared: Sequence[Examination], tried: Sequence[Trigger], alpha: float) -> Finding | None:
    """The first class that stands out somewhat and that little leads to, though no class is suspected."""
    for examination in compared:
        for trigger in tried:
            p = examination.p_values[examination.classes == trigger.label].item()
            at_one_place = isinstance(trigger, Stamp)
            limit = NEAR_MISSES.stamp_p if at_one_place else NEAR_MISSES.p
            if (trigger.nearly and (p <= limit or trigger.small)) or (at_one_place and p <= alpha):
                return _nearly(trigger, f" ({probability(p)})")
    if not compared:  # too few classes for statistics: the evidence speaks alone, where the images are the model's own
        own = (trigger for trigger in tried if trigger.nearly and not (trigger.drawn or trigger.doubtful))
        return next(map(_nearly, own), None)
    return None


def _nearly(trigger: Trigger, how_odd: str = "") -> Finding:
    what = _at_one_place(trigger) if isinstance(trigger, Stamp) else _small(trigger)
    claim = f"class {trigger.label} nearly looks like the target of a backdoor{how_odd}"
    return Finding("BD005", f"{claim}: {what}", classes=(trigger.label,))


def _stamps(examinations: Sequence[Examination]) -> list[Stamp]:
    return [stamp for one in examinations for stamp in one.stamps]


def _triggers(examinations: Sequence[Examination]) -> list[Trigger]:
    return [trigger for one in examinations for trigger in one.triggers]


def _pairs(examinations: Sequence[Examination]) -> list[PairTrigger]:
    return [pair for one in examinations for pair in one.pairs if pair.convincing]


def _convincing_first(targets: Sequence[int], convincing: Sequence[int]) -> list[int]:
    return sorted(dict.fromkeys(targets), key=lambda label: label not in convincing)


def _reason(found: Verdict, findings: Sequence[Finding], ranking: Sequence[Examination]) -> str:
    """The findings that decide, in one sentence; what nothing was found in, where nothing does."""
    deciding = [finding for finding in findings if finding.effect == found and found != "clean"]
    # A question without an answer says nothing new where another finding has kept it from being asked.
    told = [finding for finding in deciding if not finding.rule.startswith("CV")] or deciding
    accused = sorted(told, key=lambda finding: not finding.rule.startswith("BD"))
    words = "; ".join(map(_told, accused))
    if not ranking or (told and not told[0].rule.startswith("CV")):
        return words or "nothing was found that looks like a backdoor"
    others = max(one.measured for one in ranking) - 1
    quiet = f"no class stands out from the other {others} ({probability(ranking[0].p_value)})"
    return f"{quiet}, but {words}" if words else quiet


def _told(finding: Finding) -> str:
    """The message; with the id where the rule is about the file, which a reader may want to look up."""
    accepted = ", which you accept" if finding.ignored else ""
    return f"{finding.message}{f' ({finding.rule})' if about_file(finding.rule) else ''}{accepted}"


def _from_one_class(trigger: PairTrigger) -> str:
    if isinstance(trigger, PairBeside):
        return (
            f"a trigger of {trigger.usual_size:.0f} pixels sends {trigger.success:.0%} of other images of class "
            f"{trigger.source} alone to class {trigger.label}, where other pairs of classes need "
            f"{trigger.control_size:.0f}; the reference needs {trigger.reference_size:.0f} for it, where other pairs "
            f"need {trigger.reference_control_size:.0f}"
        )
    return (
        f"a trigger of {trigger.size:.0f} pixels sends {trigger.success:.0%} of other images of class {trigger.source} "
        f"alone to class {trigger.label}, where other pairs of classes need {trigger.control_size:.0f}: a backdoor "
        "with a source class does that, but so can classes that are alike; look at its picture"
    )


def _suspicion(examination: Examination | None, targets: list[int], triggers: Sequence[Trigger], alpha: float) -> str:
    verb, kind = ("looks", "the target") if len(targets) == 1 else ("look", "targets")
    claim = f"{listed(targets)} {verb} like {kind} of a backdoor"
    found = _found([trigger for trigger in triggers if trigger.label in targets])
    if examination is None:  # too few classes for statistics: the evidence speaks alone
        return f"{claim}{found}"
    p = probability(examination.p_value)
    compared = examination.meaning or f"compared with all {examination.measured} classes"
    if not examination.targets(alpha):
        it = "it" if len(targets) == 1 else "they"
        return f"{claim}{found}; that decides: {compared} alone, {it} would not be suspected ({p})"
    return f"{claim}, {compared} ({p}){found}"


def _found(triggers: Sequence[Trigger]) -> str:
    """What the evidence says of the suspects, as the rest of a sentence."""
    for trigger in triggers:
        if trigger.convincing:
            return f"; {_small(trigger)}"
    works = [trigger for trigger in triggers if trigger.nearly]
    for trigger in works:
        if isinstance(trigger, Stamp):
            return f"; {_at_one_place(trigger)}"
    if works:
        return f"; {_small(works[0])}"
    return "; but no small trigger was found for it, as a backdoor would have" if triggers else ""


def _small(trigger: Trigger) -> str:
    return (
        f"a trigger of {trigger.size:.0f} pixels sends {trigger.success:.0%} of other images there, "
        f"where other classes need {trigger.control_size:.0f}"
    )


def _at_one_place(stamp: Stamp) -> str:
    at = stamp.window
    return (
        f"what covers {at.side}×{at.side} pixels at row {at.row}, column {at.column} sends {stamp.success:.0%} of "
        f"other images there, where no other class gets more than {stamp.rival:.0%}"
    )
