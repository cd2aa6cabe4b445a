"""The errors that ninspect shows to people, and the exit codes they stand for."""

import os
import re
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process exit code of every command means; stable across releases."""

    CLEAN = 0
    SUSPECTED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INTERNAL = 4  # or the result could not be written


class NinspectError(Exception):
    """One sentence for a person: what is wrong, where, and what to do. Never shown with a traceback.

    >>> NinspectError("the disk is full").exit_code.name
    'INTERNAL'
    """

    exit_code: ExitCode = ExitCode.INTERNAL


class UsageError(NinspectError):
    """The request is wrong: a missing path, an impossible option, a class that the model does not have.

    >>> UsageError("there is no file model.onnx").exit_code.value
    2
    """

    exit_code = ExitCode.USAGE


class WriteError(NinspectError):
    """The result cannot be written: a full disk, a read-only folder. Whatever the verdict was, it is lost."""


class InconclusiveError(NinspectError):
    """The request is fine, but the model cannot be judged; never to be read as clean.

    Attributes:
        rule: id of the finding that a result has for it.

    >>> error = InconclusiveError("the model answers class 3 for every image", "IM007")
    >>> error.exit_code.value, error.rule
    (3, 'IM007')
    """

    exit_code = ExitCode.INCONCLUSIVE
    rule = "SC003"

    def __init__(self, message: str, rule: str | None = None) -> None:
        super().__init__(message)
        if rule is not None:
            self.rule = rule


class ModelError(InconclusiveError):
    """The file is not an ONNX image classifier that ninspect can run.

    >>> ModelError("model.onnx holds no network").rule
    'MD001'
    """

    rule = "MD001"


_NETWORKS_ONLY = "ninspect audits neural networks; a model of this kind has no gradient to look at"
_TREES, _MACHINE = "decision trees", "a support vector machine"
_BOXES, _TEXT, _LOOP = "an object detector's boxes", "text", "a loop"
# What operators are for that ninspect does not analyse.
_KINDS = {
    "ai.onnx.ml::TreeEnsemble": _TREES, "ai.onnx.ml::TreeEnsembleClassifier": _TREES,
    "ai.onnx.ml::TreeEnsembleRegressor": _TREES, "ai.onnx.ml::SVMClassifier": _MACHINE,
    "ai.onnx.ml::SVMRegressor": _MACHINE, "NonMaxSuppression": _BOXES, "RoiAlign": _BOXES, "MaxRoiPool": _BOXES,
    "StringNormalizer": _TEXT, "TfIdfVectorizer": _TEXT, "Loop": _LOOP, "Scan": _LOOP,
}  # fmt: skip


class UnsupportedOperatorError(ModelError):
    """Operators on the path from the image to the logits have no gradient rule.

    Attributes:
        operators: names of all operators without a rule, sorted.
        nodes: `operator (node name)` for every node concerned, in graph order.

    >>> UnsupportedOperatorError([("NonMaxSuppression", "boxes")]).operators
    ['NonMaxSuppression']
    """

    rule = "MD002"

    def __init__(self, nodes: list[tuple[str, str]]) -> None:
        self.operators = sorted({operator for operator, _ in nodes})
        self.nodes = [f"{operator} (node '{name}')" for operator, name in nodes]
        operator, name = nodes[0]
        kinds = {operator: _kind(operator) for operator in self.operators}
        missing = ", ".join(f"{operator} ({kind})" if kind else operator for operator, kind in kinds.items())
        learners = bool({*kinds.values()} & {_TREES, _MACHINE})
        advice = "export the model without these operators, or ask for the rule with this message"
        kind = f" ({kinds[operator]})" if kinds[operator] else ""
        others = f"; without a rule in this model: {missing}" if len(kinds) > 1 else ""
        super().__init__(
            f"operator {operator} (node '{name}') has no gradient rule{others or kind}; "
            f"{_NETWORKS_ONLY if learners else advice}"
        )


def _kind(operator: str) -> str:
    domain, _, _ = operator.rpartition("::")
    custom = domain not in ("", "ai.onnx.ml", "com.microsoft")
    known = _KINDS.get(operator) or _KINDS.get(f"ai.onnx.ml::{operator}")
    return known or (f"a custom operator of {domain}" if custom else "")


def describe(error: Exception) -> tuple[ExitCode, str]:
    """The exit code and the sentence for any error that ends a command."""
    if isinstance(error, NinspectError):
        return error.exit_code, str(error)
    if isinstance(error, MemoryError):
        return ExitCode.INCONCLUSIVE, "the memory does not suffice for this model; allow more with --max-memory"
    if isinstance(error, OSError) and error.filename is not None:  # a closed folder, a name that is too long
        return ExitCode.USAGE, f"{os.fsdecode(error.filename)}: {error.strerror}"
    what = f"{type(error).__name__}: {error}"
    return ExitCode.INTERNAL, f"internal error, please report it: {what} (NINSPECT_TRACEBACK=1 shows where)"


def first_line(error: Exception) -> str:
    """The first line of another library's error, for a sentence of ours; without codes and places in its source."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if line.startswith("[ONNXRuntimeError]"):
        line = line.rpartition("] : ")[2]
    return re.sub(r"^\S+\.(?:cc|cpp|h):\d+: (?:\w+: )?(?:Assertion `.*?` failed: )?", "", line)[:300]
