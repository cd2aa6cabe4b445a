"""What can be said of a model: one catalogue of rules with stable ids."""

from ninspect.findings.catalogue import RULES, Finding, FindingError, Rule, Severity

__all__ = [
    "RULES",
    "Finding",
    "FindingError",
    "Rule",
    "Severity",
]
