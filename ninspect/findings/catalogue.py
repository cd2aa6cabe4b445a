"""What can be wrong with a model file itself, apart from what its network has learnt: rules with stable ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ninspect.errors import ExitCode, ModelError

# As in SARIF. An error looks like an attack: the model is suspected. A warning: it cannot be called clean. A note is
# only shown.
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Rule:
    """One thing that is looked for.

    Attributes:
        id: stable across releases. HX: a file made to harm its reader; IN: one that contradicts itself; GR: a network
            that hides something from the analysis.
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


RULES = {
    rule.id: rule
    for rule in (
        Rule(
            "HX001",
            "error",
            "weights outside the model's folder",
            "The model asks for weights at an absolute path or above its own folder, where your own files are. Nothing "
            "was read.",
            "Do not load the model; ask its author for weights that lie beside it.",
        ),
        Rule(
            "HX002",
            "error",
            "weights behind a link or in a special file",
            "A part of the path of the weights is a symbolic link, or they are not a regular file. A link in a "
            "download can point at any file of yours, a pipe can stop the reader. Nothing was read.",
            "If the link is yours, as in a download cache, copy the file itself beside the model.",
        ),
        Rule(
            "HX003",
            "error",
            "weights in a file with several names",
            "The file of the weights has more than one hard link, so it may be any file of yours under another name. "
            "Nothing was read.",
            "If the link is yours, copy the file beside the model.",
        ),
        Rule(
            "HX004",
            "error",
            "weights at an impossible place",
            "The offset or length of external weights is no number, is negative, or is not the size of the tensor. "
            "No exporter writes that.",
            "Do not load the model; export it again if it is yours.",
        ),
        Rule(
            "HX005",
            "error",
            "unknown field of external weights",
            "External weights have the fields location, offset, length and checksum. Others have been used to set "
            "attributes of Python objects in the program that reads them.",
            "Do not load the model; export it again if it is yours.",
        ),
        Rule(
            "HX006",
            "error",
            "functions that expand without bounds",
            "Functions that call each other make a graph too large to be written out: a small file that takes all "
            "memory or time.",
            "Do not load the model; export it again without functions if it is yours.",
        ),
        Rule(
            "HX007",
            "error",
            "an operator that runs code",
            "The operator runs Python code or a native library that comes with the model, or that it names.",
            "Do not load the model in any program; ask for one in standard operators.",
        ),
        Rule(
            "HX008",
            "warning",
            "more parts than any network has",
            "The file has so many nodes, tensors, functions or entries that reading it would take its reader's memory "
            "or time.",
            "Export the model again; report the limit if the network is real.",
        ),
        Rule(
            "HX009",
            "warning",
            "a Python pickle",
            "The file is no ONNX model but a pickle, which can run code when it is loaded. It was not loaded.",
            "Do not load it; ask for the model in ONNX.",
        ),
        Rule(
            "IN001",
            "warning",
            "a tensor that does not fit its data",
            "The type or shape of a tensor is impossible, or is not that of the data that is stored for it.",
            "Download or export the model again.",
        ),
        Rule(
            "IN002",
            "warning",
            "two values for one tensor or attribute",
            "Programs differ in which of them they take, so the network that is scanned need not be the one that runs.",
            "Export the model again; a file like this was edited by hand.",
        ),
        Rule(
            "IN003",
            "warning",
            "one name twice",
            "Two tensors, nodes' results, attributes, functions or fields have one name. Programs differ in which of "
            "them they take, so the network that is scanned need not be the one that runs.",
            "Export the model again; a file like this was edited by hand.",
        ),
        Rule(
            "IN004",
            "warning",
            "a function in the place of a standard operator",
            "The model defines an operator of the standard anew. Some programs run its definition, others do not.",
            "Ask the author to give the function a domain of its own.",
        ),
        Rule(
            "IN005",
            "warning",
            "weights that are not finite",
            "A weight is infinite or not a number, so that the network's answers are no numbers either.",
            "Download or export the model again.",
        ),
        Rule(
            "IN006",
            "warning",
            "a value that depends on itself or on nothing",
            "A node's input is its own result, is defined nowhere, or a function calls itself.",
            "Download or export the model again.",
        ),
        Rule(
            "IN007",
            "note",
            "weights that a caller can replace",
            "A weight is an input as well, so a program can run the network with another. The stored one was scanned.",
            "Export the model without initializers among its inputs.",
        ),
        Rule(
            "GR001",
            "error",
            "a decision that gradients cannot see",
            "The class scores jump with a comparison, a rounding or a branch that depends on the image. A trigger can "
            "be recognised this way without leaving a trace in any gradient, and no trained classifier needs it. Not "
            "seen are steps that are only very steep, such as a Clip, Relu or Sigmoid of numbers multiplied by a large "
            "constant: they have a gradient, if one that is zero nearly everywhere.",
            "Look at the nodes named; ask what they are for.",
            ("AML.T0018.001", "AML.T0010.003"),
        ),
        Rule(
            "GR002",
            "warning",
            "a random operator",
            "The network draws random numbers, so it answers differently each time and cannot be analysed.",
            "Export the model in inference mode.",
        ),
        Rule(
            "GR003",
            "warning",
            "too deeply nested",
            "Branches lie within branches, or messages within messages, deeper than any exporter writes them.",
            "Export the model again with its branches resolved.",
        ),
    )
}


@dataclass(frozen=True)
class Finding:
    """One rule that a model breaks.

    Attributes:
        rule: its id.
        message: one sentence, without the full stop: what, where.
        nodes: names of the nodes or tensors concerned.
    """

    rule: str
    message: str
    nodes: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """What the finding does to the verdict."""
        return RULES[self.rule].severity


class FindingError(ModelError):
    """A file is refused because of a finding.

    Attributes:
        finding: what was found.
    """

    def __init__(self, rule: str, message: str, *nodes: str) -> None:
        self.finding = Finding(rule, message, nodes)
        if self.finding.severity == "error":
            self.exit_code = ExitCode.SUSPECTED
        super().__init__(f"{message} ({rule})")
