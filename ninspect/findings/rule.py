"""What a rule is, what a finding is, and what a finding does to the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["clean", "inconclusive", "suspected"]

# As in SARIF. An error: the model is suspected. A warning: it is not called clean. A note is only shown.
Severity = Literal["error", "warning", "note"]

# MITRE ATLAS, the techniques that findings are signs of.
ATLAS_VERSION = "5.6.0"
ATLAS = {
    "AML.T0010.003": "AI Supply Chain Compromise: Model",
    "AML.T0018.000": "Manipulate AI Model: Poison AI Model",
    "AML.T0018.001": "Manipulate AI Model: Modify AI Model Architecture",
    "AML.T0043.004": "Craft Adversarial Data: Insert Backdoor Trigger",
}


def effect(severity: Severity, ignored: bool) -> Verdict:
    """The best verdict that a model can get with a finding; an error that is accepted is still nothing clean."""
    if severity == "error":
        return "inconclusive" if ignored else "suspected"
    return "inconclusive" if severity == "warning" and not ignored else "clean"


def about_file(rule: str) -> bool:
    """Whether a rule is about the file itself, whatever the network answers: a reader may want to look it up."""
    return rule[:2] in ("HX", "IN", "GR")


@dataclass(frozen=True)
class Rule:
    """One thing that can be said of a model.

    Attributes:
        id: stable across releases. HX: a file made to harm its reader; IN: one that contradicts itself; GR: a network
            that hides something from the analysis; MD: a model that cannot be analysed; SC: the scan itself; IM: the
            images; PP: the preprocessing; BD: what looks like a backdoor; CV: a required question without an answer.
        severity: what it does to the verdict.
        title: a few words.
        meaning: what it means, in a sentence or two.
        advice: what to do.
        techniques: of MITRE ATLAS, that it is a sign of.
    """

    id: str
    severity: Severity
    title: str
    meaning: str
    advice: str
    techniques: tuple[str, ...] = ("AML.T0010.003",)

    @property
    def ignorable(self) -> bool:
        """Whether a user may accept it by its id. An unanswered question is not accepted but left out, by its name."""
        return not self.id.startswith("CV")


@dataclass(frozen=True)
class Finding:
    """One rule, and where it was found.

    Attributes:
        rule: id of the rule.
        message: one sentence, without the full stop: what, where.
        nodes: names of the nodes or tensors concerned.
        classes: the classes concerned, most suspect first.
        ignored: the user accepts it.

    >>> Finding("IN007", "weight 'w' is an input as well", ("w",)).effect
    'clean'
    >>> Finding("IM002", "3 images are too few").effect
    'inconclusive'
    """

    rule: str
    message: str
    nodes: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    ignored: bool = False

    @property
    def severity(self) -> Severity:
        """What the rule does to the verdict."""
        from ninspect.findings.catalogue import RULES

        return RULES[self.rule].severity

    @property
    def effect(self) -> Verdict:
        """The best verdict that a model with this finding can get."""
        return effect(self.severity, self.ignored)
