"""What a scan can find, as rules with stable ids, and the techniques of MITRE ATLAS that they are signs of."""

from __future__ import annotations

from ninspect.findings import Rule
from ninspect.findings import catalogue as findings

ATLAS_VERSION = "5.6.0"
ATLAS = {
    "AML.T0010.003": "AI Supply Chain Compromise: Model",
    "AML.T0018.000": "Manipulate AI Model: Poison AI Model",
    "AML.T0018.001": "Manipulate AI Model: Modify AI Model Architecture",
    "AML.T0043.004": "Craft Adversarial Data: Insert Backdoor Trigger",
}


TARGET = Rule(
    "BD001",
    "error",
    "a class that looks like a backdoor's target",
    "Of all classes this one is explained like a trigger: it can be reached with far less than the others, by a small "
    "spot that stays where it is. A class like no other can look so without a backdoor.",
    "Do not use the model before its author has explained the class. Look at the recovered trigger in the HTML report, "
    "and put it on images of your own.",
    ("AML.T0018.000", "AML.T0043.004", "AML.T0010.003"),
)
ALL_TO_ALL = Rule(
    "BD002",
    "error",
    "one change that sends every class to another",
    "One small change of all images permutes the classes, as the trigger of an all-to-all backdoor does.",
    "Do not use the model before its author has explained this; train it again, or ask for another.",
    ("AML.T0018.000", "AML.T0043.004", "AML.T0010.003"),
)
NOT_JUDGED = Rule(
    "BD003",
    "warning",
    "a model that could not be judged",
    "Something that had to be checked could not be, so the model must not be taken for clean.",
    "Read the reason. Most often images are missing or too few, or the preprocessing is not that of the model.",
    ("AML.T0010.003",),
)

RULES = (TARGET, ALL_TO_ALL, NOT_JUDGED, *findings.RULES.values())
