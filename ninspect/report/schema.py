"""The one result schema: what a scan found, and everything needed to repeat it."""

from __future__ import annotations

import base64
import html
import io
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ninspect.errors import ExitCode, UsageError
from ninspect.files import write_file
from ninspect.findings import RULES, Severity, Verdict, effect, worst
from ninspect.names import FORMATS, QUESTIONS, REQUIRED, Format, Question, format_of
from ninspect.report.pictured import (
    AttentionInfo,
    Document,
    PairInfo,
    Part,
    StampInfo,
    TriggerInfo,
    Words,
    recorded_texts,
)
from ninspect.report.references import ReferenceInfo
from ninspect.requests import ScanRequest

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMA: Literal["ninspect/result/2"] = "ninspect/result/2"
_UNREAD = "nothing was read yet"
Confidence = Literal["high", "low"]
Outcome = Literal["answered", "unanswered", "skipped"]


def now() -> str:
    """The time as results have it: UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FileInfo(Part):
    """A file that the model consists of."""

    name: Words = Field(description="relative to the folder of the model")
    sha256: str
    bytes: int


class ModelInfo(Part):
    """The file that was scanned. What could not be found out before a scan stopped is null."""

    path: Words
    sha256: str | None = Field(
        None, description="of all files; of a model in one file that of the file (docs/security.md)"
    )
    files: list[FileInfo] = Field(default_factory=list, description="the .onnx file, then those of its weights")
    opset: int | None = None
    producer: Words | None = None
    input: Words | None = None
    input_shape: list[int | None] | None = Field(None, description="batch axis first, null where it is free")
    layout: str | None = None
    output: Words | None = None
    logits: Words | None = None
    activation: Words | None = Field(None, description="what the file makes of the logits; null where nothing")
    gradient: Literal["exact", "straight-through"] | None = Field(
        None, description="straight-through: an estimate, because the network rounds; null where there is none"
    )
    architecture: str | None = Field(
        None,
        description="SHA-256 of operators, attributes and shapes: the same for models that differ in weights alone",
    )


class SampleInfo(Part):
    """The clean images that were used."""

    source: Words
    kind: str
    sha256: str | None = Field(None, description="of the pixels and labels that were used, as they were decoded")
    count: int
    labelled: bool
    skipped: list[Words] = Field(description="unreadable images, each with the reason")
    clean_accuracy: float | None = Field(description="share of labelled images that the model gets right")
    class_map: dict[Words, int] | None = Field(
        None, description="numbers of the classes, for which the model's answers speak where the labels look shuffled"
    )


class PreprocessInfo(Part):
    """model input = (pixel · scale − mean) / std, with pixel in 0–255."""

    scale: float
    mean: float | list[float]
    std: float | list[float]
    layout: str | None
    color: str | None
    size: tuple[int, int] | None
    resize: str
    resize_to: int | tuple[int, int] | None = Field(
        None, description="before the middle is cut out: length of the shorter side, or height and width"
    )
    feed: dict[Words, float | list[float]] | None = Field(None, description="for inputs beside the image")
    source: Words = Field(description="where the settings come from")


class TruthInfo(Part):
    """A test of the scan itself: relative error, and the largest that passes."""

    name: str
    error: float | None = Field(description="null where it is not a finite number")
    tolerance: float
    passed: bool


class DetectorInfo(Part):
    """One detector's findings. Lists have one entry per explained class; null where nothing could be measured."""

    name: str
    answers: list[Question] = Field(description="the questions that it answers by finding nothing")
    settings: dict[str, float | bool | list[float]]
    gap: Words | None = Field(description="why it does not answer them here")
    scores: dict[str, list[float | None]]
    index: list[float | None] = Field(description="robust z-score in the suspicious direction")
    p_value: float | None = Field(description="probability that any class of a clean model is as suspicious")
    p_values: list[float | None] = Field(description="the same for each class")
    test: str = Field(description="what the p-values come from; `robust z`: from the index alone")
    critical_index: float | None = Field(
        description="index that a clean model exceeds with probability alpha; null for other tests"
    )
    easy: list[int] = Field(description="classes that are easy by nature, which stand out in clean models too")
    critical_index_easy: float | None = Field(description="the critical index of these; null if there are none")
    flagged: list[int] = Field(description="classes with an index above 2, the published rule; not used to decide")
    targets: list[int] = Field(description="classes with a p-value of at most alpha, most suspect first")
    seconds: float


class FindingInfo(Part):
    """One thing that is said of the model. The verdict follows from these."""

    rule: str = Field(description="stable id; `ninspect rules` lists them")
    severity: Severity = Field(
        description="error: the model is suspected; warning: it is not called clean; note: shown"
    )
    ignored: bool = Field(
        False, description="accepted with --ignore; an error then still keeps the model from being clean"
    )
    title: str
    message: Words = Field(description="what, and where")
    meaning: str
    advice: str = Field(description="what to do")
    nodes: list[Words] = Field(default_factory=list, description="names of the nodes or tensors concerned")
    classes: list[int] = Field(
        default_factory=list, description="the classes concerned; of BD004 the source and the target"
    )

    @classmethod
    def of(cls, rule: str, message: str, **more: Any) -> Self:
        """A finding with what its rule says."""
        known = RULES[rule]
        texts = {"title": known.title, "meaning": known.meaning, "advice": known.advice}
        return cls(rule=rule, severity=known.severity, message=message, **texts, **more)

    @property
    def effect(self) -> Verdict:
        """The best verdict that a model with this finding can get."""
        return effect(self.severity, self.ignored)


class AttackInfo(Part):
    """How many networks with one kind of attack were found, where that was measured."""

    attack: str
    found: int
    of: int = Field(description="networks whose attack works")


class AnswerInfo(Part):
    """What became of a question."""

    question: Question
    required: bool = Field(description="without an answer the model is not called clean")
    outcome: Outcome = "unanswered"
    by: list[str] = Field(default_factory=list, description="what answered it")
    why: Words | None = Field(None, description="why it has no answer")
    power: str | None = Field(None, description="how well that finds what it looks for; null where it was not measured")
    attacks: list[AttackInfo] = Field(default_factory=list, description="the same by kind of attack")
    measured: int | None = Field(None, description="on networks of so many classes")

    @property
    def keeps_from_clean(self) -> bool:
        """Whether it has no answer, and is required or was not left out by name."""
        missing_by_default = self.question in REQUIRED and self.outcome == "unanswered"
        return missing_by_default or (self.required and self.outcome != "answered")


class IsolationInfo(Part):
    """What stood between the model and the rest of the machine (docs/security.md)."""

    active: list[str] = Field(description="of process, memory, files and network")
    missing: dict[str, str] = Field(description="the others, each with the reason")


class Result(Document):
    """The outcome of a scan.

    >>> import ninspect
    >>> result = ninspect.scan("models/digits/clean_torch.onnx")  # without images nothing is called clean
    >>> result.verdict, result.exit_code.value, sorted({finding.rule for finding in result.findings})
    ('inconclusive', 3, ['CV002', 'CV003', 'IM001'])
    >>> Result.from_json(result.to_json()) == result
    True
    """

    schema_: Literal["ninspect/result/2"] = Field(SCHEMA, alias="schema")
    date: str = Field(description="when the scan began, UTC, ISO 8601", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    verdict: Verdict = Field(description="the worst that any finding makes of it")
    reason: Words
    targets: list[int] = Field(default_factory=list, description="suspected target classes, most suspect first")
    confidence: Confidence | None = Field(None, description="of a suspicion; high where the evidence agrees")
    p_value: float | None = Field(None, ge=0, le=1)
    alpha: float = Field(gt=0, le=0.5)
    coverage: list[AnswerInfo] = Field(description="each question, and whether it has an answer")
    findings: list[FindingInfo] = Field(default_factory=list)
    classes: int | None = Field(None, ge=1, description="number of classes of the model")
    class_names: list[Words] = Field(default_factory=list, description="by number; empty where they are not known")
    explained: list[int] = Field(default_factory=list, description="the classes that were judged")
    model: ModelInfo
    samples: SampleInfo | None = None
    preprocess: PreprocessInfo | None = Field(None, description="null where the scan ended before it was known")
    truth_tests: list[TruthInfo] = Field(default_factory=list)
    detectors: list[DetectorInfo] = Field(default_factory=list)
    triggers: list[TriggerInfo] = Field(
        default_factory=list, description="evidence for the classes that stand out most"
    )
    stamps: list[StampInfo] = Field(
        default_factory=list, description="windows whose covering serves the classes that stand out most there"
    )
    pairs: list[PairInfo] = Field(default_factory=list, description="triggers from one class to another")
    references: list[ReferenceInfo] = Field(
        default_factory=list, description="models that the user trusts, beside this one"
    )
    attention: AttentionInfo | None = None
    provider: str | None = Field(None, description="ONNX Runtime's execution provider")
    isolation: IsolationInfo | None = Field(None, description="null: the model ran in the process that asked")
    versions: dict[str, str]
    request: Annotated[ScanRequest | None, BeforeValidator(recorded_texts)] = Field(
        None, description="what was asked, with every option; null where it was not kept"
    )
    seed: int
    seconds: float = 0.0
    command: list[Words] | None = Field(None, description="the command line, where there was one")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        suspects = {*self.targets, *(label for detector in self.detectors for label in detector.targets)}
        if not suspects <= set(self.explained):
            raise ValueError("a class is suspected that was not explained")
        if self.verdict != worst(finding.effect for finding in self.findings):
            raise ValueError(f"the verdict {self.verdict} does not follow from the findings")
        if [answer.question for answer in self.coverage] != list(QUESTIONS):
            raise ValueError("the coverage does not name each question once, in their order")
        if any((answer.outcome == "answered") != bool(answer.by) for answer in self.coverage):
            raise ValueError("a question is answered by nothing, or has no answer in spite of one")
        if self.verdict == "clean" and any(answer.keeps_from_clean for answer in self.coverage):
            raise ValueError("the verdict is clean, and a required question has no answer")
        for detector in self.detectors:
            columns = (detector.index, detector.p_values, *detector.scores.values())
            if any(len(column) != len(self.explained) for column in columns):
                raise ValueError(f"detector {detector.name} has not one value for each explained class")
        return self

    @classmethod
    def unread(cls, path: str, alpha: float, seed: int) -> Result:
        """What is known of a model before anyone has looked at it."""
        nothing = [AnswerInfo(question=question, required=question in REQUIRED) for question in QUESTIONS]
        return cls(
            schema=SCHEMA,
            date=now(),
            verdict="inconclusive",
            reason=_UNREAD,
            alpha=alpha,
            coverage=nothing,
            findings=[FindingInfo.of("CV001", _UNREAD)],
            model=ModelInfo(path=path),
            versions={"ninspect": version("ninspect")},
            seed=seed,
        )

    def stopped(self, reason: str, seconds: float) -> Result:
        """This result as that of a scan which did not come to its end: what is known stays, and is never `clean`."""
        findings = [*self.findings, FindingInfo.of("SC003", reason)]
        verdict = worst(finding.effect for finding in findings)
        told = [finding.message for finding in findings if finding.effect == verdict == "suspected"]
        update = {"verdict": verdict, "findings": findings, "seconds": round(seconds, 3)}
        return self.model_copy(update=update | {"reason": "; ".join([*told, reason])})

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a scan with this verdict."""
        return {
            "clean": ExitCode.CLEAN,
            "suspected": ExitCode.SUSPECTED,
            "inconclusive": ExitCode.INCONCLUSIVE,
        }[self.verdict]

    def save(self, path: Path | str, format: Format | None = None) -> None:  # noqa: A002  as pandas and Pillow have it
        """Write the result to a file, as a whole or not at all.

        Args:
            path: of the file.
            format: what it shall be; None: what the ending says, such as `.html`, `.json`, `.md` or `.sarif`.

        Raises:
            UsageError: there is no such format, or there cannot be such a file.
            WriteError: it cannot be written.
        """
        from ninspect.report.formats import render

        chosen = format or format_of(Path(path).name)
        if chosen not in FORMATS:
            what = f"the ending of {path} says no format" if chosen is None else f"there is no format {chosen!r}"
            raise UsageError(f"{what}; give one of {', '.join(FORMATS)}")
        write_file(Path(path), render(self, chosen).encode())

    def trigger(self, label: int) -> TriggerInfo:
        """The trigger that was found for a class; `arrays` gives its mask and pattern.

        Raises:
            UsageError: none was searched for this class.
        """
        found = {one.label: one for one in (*self.stamps, *self.triggers)}
        if label not in found:
            raise UsageError(
                f"there is no trigger for class {label}; there are for: {', '.join(map(str, found)) or 'none'}"
            )
        return found[label]

    def heatmap(self, label: int) -> Image:
        """Where a class looks: its mean heatmap, laid over one of the images. Only classes that stand out have one.

        Raises:
            UsageError: there is no picture of this class.
        """
        from PIL import Image

        pictures = {} if self.attention is None else {entry.label: entry.picture for entry in self.attention.heatmaps}
        if label not in pictures:
            known = ", ".join(map(str, pictures)) or "none"
            raise UsageError(f"there is no heatmap of class {label}; there are of: {known}")
        return Image.open(io.BytesIO(base64.b64decode(pictures[label])))

    def __repr__(self) -> str:
        """The verdict and the reason, in a line: a result has thousands."""
        return f"Result({self.verdict}: {self.model.path}: {self.reason[:200]})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """The HTML report, in a frame of its own: its styles stay inside, and nothing in it can run."""
        from ninspect.report.html import html_report

        page = html.escape(html_report(self))
        style = "width:100%;height:48em;border:0"
        return f'<iframe sandbox title="ninspect report" style="{style}" srcdoc="{page}"></iframe>'
