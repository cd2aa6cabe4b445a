"""What can be said of a model: one catalogue of rules with stable ids, and what each does to the verdict."""

from ninspect.findings.catalogue import RULES, FindingError, selected, verdict, worst
from ninspect.findings.rule import ATLAS, ATLAS_VERSION, Finding, Rule, Severity, Verdict, about_file, effect

__all__ = [
    "ATLAS",
    "ATLAS_VERSION",
    "RULES",
    "Finding",
    "FindingError",
    "Rule",
    "Severity",
    "Verdict",
    "about_file",
    "effect",
    "selected",
    "verdict",
    "worst",
]
