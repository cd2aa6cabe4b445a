"""What a repair did: from the worker process, as JSON, and as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from ninspect.errors import ExitCode, UsageError
from ninspect.report.pictured import Document, Part, Words
from ninspect.report.schema import Result
from ninspect.text import printable

SCHEMA: Literal["ninspect/repair/1"] = "ninspect/repair/1"
_SCANS = {"clean": "clean", "suspected": "still suspected", "inconclusive": "inconclusive"}


class TriggerTried(Part):
    """A trigger on images that neither it nor the repair was made with."""

    goal: Words = Field(description="where it sends images")
    found: Literal["by the scan", "by the repair"]
    before: float = Field(ge=0, le=1, description="share of the images that it sent there before")
    after: float = Field(ge=0, le=1, description="and sends there now")


class CandidateInfo(Part):
    """A way to repair the model that was tried."""

    name: str
    drop: float = Field(description="accuracy that it costs or, without labels, share of answers that change")
    success: float = Field(ge=0, le=1, description="mean success of the triggers under it")
    chosen: bool


class Proof(Part):
    """What was measured of a repair."""

    method: str = Field(description="how the limits were made")
    scaled: int = Field(ge=0, description="channels that are scaled down, those that are pruned among them")
    pruned: int = Field(ge=0, description="channels that are scaled to nothing")
    channels: int = Field(ge=1, description="of all tensors that can be held back")
    fit: int = Field(description="images that the repair was made with")
    choice: int = Field(description="images that it was chosen by")
    held_out: int = Field(description="other images, on which all that follows was measured")
    accuracy_before: float | None = Field(None, description="null without labels")
    accuracy_after: float | None = None
    agreement: float = Field(ge=0, le=1, description="share of the images that are answered as before")
    drop: float = Field(description="accuracy that is lost or, without labels, share of the answers that changed")
    max_drop: float
    triggers: list[TriggerTried]
    candidates: list[CandidateInfo]
    opset_before: int
    opset_after: int

    @property
    def success(self) -> tuple[float, float]:
        """Mean success of the triggers before and after."""
        count = max(len(self.triggers), 1)
        return sum(one.before for one in self.triggers) / count, sum(one.after for one in self.triggers) / count

    @property
    def refusal(self) -> str:
        """Why the repair is not worth having, in a sentence without its full stop; empty where it is."""
        before, after = self.success
        if after > before / 2:
            return f"nothing helped: triggers still work on {after:.0%} of the images, and on {before:.0%} before"
        if self.drop > self.max_drop:
            what = "accuracy falls by" if self.accuracy_after is not None else "the share of changed answers is"
            return f"{what} {self.drop:.1%} on held-out images, and --max-drop allows {self.max_drop:.1%}"
        return ""


class Repair(Document):
    """A repair from one scan to the next.

    Attributes:
        model: path of the model as it was.

    >>> Repair.__name__, Proof.model_fields["agreement"].description
    ('Repair', 'share of the images that are answered as before')
    """

    schema_: Literal["ninspect/repair/1"] = Field(SCHEMA, alias="schema")
    model: Words
    written: Words | None = Field(description="path of the repaired file; null where none was written")
    reason: Words
    proof: Proof
    before: Result
    after: Result | None = Field(description="the scan of the repaired model; null where it was not worth one")

    @property
    def exit_code(self) -> ExitCode:
        """That of the scan of the repaired model; 3 where none was written."""
        return ExitCode.INCONCLUSIVE if self.written is None or self.after is None else self.after.exit_code

    @classmethod
    def of(cls, before: Result, after: Result | None, proof: Proof, written: str | None) -> Self:
        """With its sentence."""
        told = "" if after is None else f"the repaired model is {_SCANS[after.verdict]} in a new scan"
        reason, model = proof.refusal or told, before.model.path
        return cls(schema=SCHEMA, model=model, written=written, reason=reason, proof=proof, before=before, after=after)

    def __repr__(self) -> str:
        """The outcome in a line."""
        return f"Repair({self.written or 'nothing written'}: {self.reason[:200]})"

    __str__ = __repr__


RepairFormat = Literal["text", "json", "html"]


def report_format(path: Path) -> RepairFormat:
    """What the ending of a file says.

    Raises:
        UsageError: it says nothing.
    """
    known: dict[str, RepairFormat] = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html"}
    if path.suffix.lower() not in known:
        raise UsageError(f"the ending of {path} says no format of a report; give one of {', '.join(known)}")
    return known[path.suffix.lower()]


def render(repair: Repair, format_: RepairFormat) -> str:
    """The repair in a format."""
    if format_ == "json":
        return repair.to_json()
    return text_of(repair) if format_ == "text" else _html(repair)


def _html(repair: Repair) -> str:
    from ninspect.report.page import page
    from ninspect.report.wording import NOT_A_PROOF, sentence

    return page("repair.html", ["report.css", "repair.css"], [share, sentence], r=repair, not_a_proof=NOT_A_PROOF)


def share(value: float) -> str:
    """As a percentage."""
    return f"{value:.1%}"


def text_of(repair: Repair) -> str:
    """The proof as text, a number a line."""
    return "".join(f"{printable(line)}\n" for line in _lines(repair))


def _lines(repair: Repair) -> Iterator[str]:
    proof = repair.proof
    yield f"{'REPAIRED' if repair.written else 'NOT REPAIRED'}  {repair.written or repair.model}"
    yield f"  {repair.reason[:1].upper()}{repair.reason[1:]}."
    yield ""
    rows = [("", "before", "after"), *_rows(repair)]
    width = max(len(what) for what, _, _ in rows)
    yield from (f"  {what:{width}}  {before:>12}  {after:>12}" for what, before, after in rows)
    yield ""
    yield f"  Method: {proof.method}; {proof.scaled} of {proof.channels} channels scaled, {proof.pruned} to nothing."
    yield f"  {proof.fit} images to repair, {proof.choice} to choose, {proof.held_out} to measure."
    if proof.opset_after != proof.opset_before:
        yield f"  The file is of opset {proof.opset_after}, and was of {proof.opset_before}."


def _rows(repair: Repair) -> Iterator[tuple[str, str, str]]:
    """What, before and after."""
    proof = repair.proof
    if proof.accuracy_before is not None and proof.accuracy_after is not None:
        what = f"accuracy on {proof.held_out} held-out images"
        yield what, share(proof.accuracy_before), share(proof.accuracy_after)
    yield "answers that stay the same", "", share(proof.agreement)
    for one in proof.triggers:
        yield f"trigger found {one.found}: {one.goal}", share(one.before), share(one.after)
    yield "verdict of a scan", repair.before.verdict, "not scanned" if repair.after is None else repair.after.verdict
