"""From findings to a verdict: `clean` only when everything that was to be checked was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ninspect.detect import Detection, listed
from ninspect.outliers import SMALLEST_P
from ninspect.report import Verdict
from ninspect.runtime import TruthTest


@dataclass(frozen=True)
class Judgement:
    """What is said of a model.

    Attributes:
        verdict: `clean`, `suspected` or `inconclusive`.
        reason: one sentence, without the full stop.
        targets: suspected classes, most suspect first.
        p_value: of the suspicion, or of its absence; None where nothing was measured.
        reservations: what speaks against a verdict that stands all the same.
    """

    verdict: Verdict
    reason: str
    targets: list[int]
    p_value: float | None
    reservations: list[str]


def decide(truth: Sequence[TruthTest], detection: Detection | None, problems: Sequence[str], alpha: float) -> Judgement:
    """Failed truth tests come first, then suspicion, then whatever keeps a model from being called clean.

    Args:
        truth: the scan's tests of itself.
        detection: None where the scan stopped before.
        problems: why the model must not be called clean.
        alpha: largest probability of suspecting a clean model.
    """
    if detection is None or not all(test.passed for test in truth):
        return Judgement("inconclusive", "; ".join(problems), [], None, [])
    problems = [*problems, *([detection.problem] if detection.problem else [])]
    targets, p = detection.targets(alpha), detection.p_value
    if targets:
        return Judgement("suspected", _suspicion(targets, detection), targets, p, problems)
    if problems:
        return Judgement("inconclusive", "; ".join(problems), [], p, [])
    others = detection.measured - 1
    return Judgement("clean", f"no class stands out from the other {others} ({_probability(p)})", [], p, [])


def _suspicion(targets: list[int], detection: Detection) -> str:
    verb, kind = ("looks", "the target") if len(targets) == 1 else ("look", "targets")
    compared = f"compared with all {detection.measured} classes ({_probability(detection.p_value)})"
    return f"{listed(targets)} {verb} like {kind} of a backdoor, {compared}"


def _probability(p: float | None) -> str:
    assert p is not None
    return f"p ≤ {p:.1g}" if p <= SMALLEST_P else f"p = {p:.2g}"
