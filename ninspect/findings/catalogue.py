"""All rules, and the verdict that findings amount to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ninspect.errors import ExitCode, ModelError, UsageError
from ninspect.findings.file_rules import FILE_RULES
from ninspect.findings.rule import Finding, Rule, Verdict
from ninspect.findings.scan_rules import SCAN_RULES

RULES: dict[str, Rule] = {rule.id: rule for rule in (*FILE_RULES, *SCAN_RULES)}

_FROM_BEST: tuple[Verdict, ...] = ("clean", "inconclusive", "suspected")


class FindingError(ModelError):
    """A file is refused because of a finding.

    Attributes:
        finding: what was found.
    """

    def __init__(self, rule: str, message: str, *nodes: str) -> None:
        self.finding = Finding(rule, message, nodes)
        if self.finding.severity == "error":
            self.exit_code = ExitCode.SUSPECTED
        super().__init__(f"{message} ({rule})", rule)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The worst that any finding makes of the verdict; `clean` without findings.

    >>> verdict([Finding("IM003", "20 images"), Finding("BD001", "class 7 stands out", classes=(7,))])
    'suspected'
    """
    return worst(finding.effect for finding in findings)


def worst(effects: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; `clean` of none."""
    return max(effects, key=_FROM_BEST.index, default="clean")


def selected(prefixes: Sequence[str]) -> frozenset[str]:
    """Ids of the rules that a user accepts, by their ids or the beginnings of them.

    Raises:
        UsageError: a prefix is that of no rule, or only of rules that cannot be accepted.

    >>> sorted(selected(["GR", "IN007"]))
    ['GR001', 'GR002', 'GR003', 'IN007']
    """
    chosen: set[str] = set()
    for prefix in prefixes:
        meant = [rule for rule in RULES.values() if prefix and rule.id.startswith(prefix.upper())]
        if not meant:
            raise UsageError(f"--ignore '{prefix}' is no finding; ninspect rules lists them")
        if not any(rule.ignorable for rule in meant):
            raise UsageError(
                f"--ignore {prefix}: a question without an answer cannot be ignored; leave the question out with --skip"
            )
        chosen |= {rule.id for rule in meant if rule.ignorable}
    return frozenset(chosen)
