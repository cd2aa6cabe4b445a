"""The one result schema: what a scan found, and everything needed to repeat it."""

from __future__ import annotations

import base64
import html
import io
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ninspect.errors import ExitCode, UsageError
from ninspect.findings import Severity
from ninspect.text import recorded

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMA: Literal["ninspect/result/1"] = "ninspect/result/1"
Verdict = Literal["clean", "suspected", "inconclusive"]
Confidence = Literal["high", "low"]


def _recorded(value: Any) -> Any:
    return recorded(value) if isinstance(value, str) else value


# What names from a file may be part of.
Words = Annotated[str, BeforeValidator(_recorded)]

# A result may come from anywhere when it is shown again: what goes for a picture must at least begin as a PNG does.
Picture = Annotated[
    str,
    Field(
        description="a PNG in base64, at most 112 pixels a side",
        pattern=r"^iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelInfo(_Part):
    """The file that was scanned. What could not be found out before a scan stopped is null."""

    path: Words
    sha256: str | None = None
    opset: int | None = None
    producer: Words | None = None
    input: Words | None = None
    input_shape: list[int | None] | None = Field(None, description="batch axis first, null where it is free")
    layout: str | None = None
    output: Words | None = None
    logits: Words | None = None
    gradient: Literal["exact", "straight-through"] | None = Field(
        None, description="straight-through: an estimate, because the network rounds; null where there is none"
    )


class SampleInfo(_Part):
    """The clean images that were used."""

    source: Words
    kind: str
    count: int
    labelled: bool
    skipped: list[Words] = Field(description="unreadable images, each with the reason")
    clean_accuracy: float | None = Field(description="share of labelled images that the model gets right")


class PreprocessInfo(_Part):
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
    source: Words = Field(description="where the settings come from")


class TruthInfo(_Part):
    """A test of the scan itself: relative error, and the largest that passes."""

    name: str
    error: float | None = Field(description="null where it is not a finite number")
    tolerance: float
    passed: bool


class DetectorInfo(_Part):
    """One detector's findings. Lists have one entry per explained class; null where nothing could be measured."""

    name: str
    settings: dict[str, float | bool | list[float]]
    skipped: str | None = Field(description="why this detector did not look at the model")
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
    problem: Words | None = Field(description="why this detector cannot judge the model")
    seconds: float


class ExampleInfo(_Part):
    """A held-out image of another class, before and after the trigger was put on it."""

    before: Picture
    after: Picture
    answer_before: int = Field(description="the class that the model gives it")
    answer_after: int


class FindingInfo(_Part):
    """A rule that the file itself breaks, whatever its network has learnt."""

    rule: str = Field(description="stable id: HX hostile file, IN integrity, GR graph")
    severity: Severity = Field(
        description="error: the model is suspected; warning: it is not called clean; note: shown"
    )
    title: str
    message: Words
    nodes: list[Words] = Field(description="names of the nodes or tensors concerned")


class TriggerInfo(_Part):
    """Evidence: the smallest trigger that was found for a class, next to those of other classes."""

    label: int = Field(description="the class")
    source: int | None = Field(description="the only class whose images it sends there; null: images of all classes")
    size: float = Field(description="covered pixels, the sum of the mask")
    success: float | None = Field(description="share of held-out images of other classes that it sends to the class")
    held_out: int = Field(description="how many images were held out")
    control_size: float | None = Field(description="median size for other classes, or other pairs of classes")
    control_success: float | None = Field(description="median success for these")
    convincing: bool = Field(description="works on held-out images, and is far smaller than the control size")
    mask: Picture = Field(description="white where an image is covered")
    pattern: Picture = Field(description="what covers it, on grey")
    examples: list[ExampleInfo]


class HeatmapInfo(_Part):
    """Where a class looks."""

    label: int = Field(description="the class")
    picture: Picture = Field(description="mean heatmap, laid over the image")


class AttentionInfo(_Part):
    """Where the classes that stand out most look: heatmaps at images that were moved toward each class."""

    image: Picture = Field(description="one of the images, as it was before")
    answer: int = Field(description="the class that the model gives it")
    starts: int = Field(description="how many images the heatmaps are the mean of")
    heatmaps: list[HeatmapInfo] = Field(description="the suspects, then by falling index")


class IsolationInfo(_Part):
    """What stood between the model and the rest of the machine (docs/security.md)."""

    active: list[str] = Field(description="of process, memory, files and network")
    missing: dict[str, str] = Field(description="the others, each with the reason")


class Result(_Part):
    """The outcome of a scan."""

    schema_: Literal["ninspect/result/1"] = Field(SCHEMA, alias="schema")
    verdict: Verdict
    reason: Words
    targets: list[int] = Field(description="suspected target classes, most suspect first")
    confidence: Confidence | None = Field(description="of a suspicion; high where the evidence agrees")
    p_value: float | None
    alpha: float
    classes: int | None = Field(description="number of classes of the model")
    class_names: list[Words] = Field(description="by number; empty where they are not known")
    explained: list[int] = Field(description="the classes that were judged")
    model: ModelInfo
    samples: SampleInfo | None
    preprocess: PreprocessInfo | None = Field(description="null where the scan ended before it was known")
    truth_tests: list[TruthInfo]
    detectors: list[DetectorInfo]
    findings: list[FindingInfo] = Field(default_factory=list, description="rules that the file itself breaks")
    triggers: list[TriggerInfo] = Field(description="evidence for the classes that stand out most")
    unseen: list[Words] = Field(default_factory=list, description="backdoors that were not looked for, with the reason")
    attention: AttentionInfo | None
    warnings: list[Words]
    provider: str | None = Field(description="ONNX Runtime's execution provider")
    isolation: IsolationInfo | None = Field(None, description="null: the model ran in the process that asked")
    versions: dict[str, str]
    seed: int
    seconds: float
    command: list[Words] | None = Field(None, description="the command line, where there was one")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        suspects = {*self.targets, *(label for detector in self.detectors for label in detector.targets)}
        if not suspects <= set(self.explained):
            raise ValueError("a class is suspected that was not explained")
        for detector in self.detectors:
            columns = (detector.index, detector.p_values, *detector.scores.values())
            if any(len(column) != len(self.explained) for column in columns):
                raise ValueError(f"detector {detector.name} has not one value for each explained class")
        return self

    @classmethod
    def unread(cls, path: str, alpha: float, seed: int) -> Result:
        """What is known of a model before anyone has looked at it."""
        return cls(
            schema=SCHEMA,
            verdict="inconclusive",
            reason="nothing was read yet",
            targets=[],
            confidence=None,
            p_value=None,
            alpha=alpha,
            classes=None,
            explained=[],
            model=ModelInfo(path=path),
            samples=None,
            preprocess=None,
            truth_tests=[],
            detectors=[],
            triggers=[],
            attention=None,
            class_names=[],
            warnings=[],
            provider=None,
            versions={"ninspect": version("ninspect")},
            seed=seed,
            seconds=0.0,
        )

    def stopped(self, reason: str, seconds: float) -> Result:
        """This result as that of a scan which did not come to its end: what is known stays, and is no verdict."""
        update = {"verdict": "inconclusive", "reason": reason, "seconds": round(seconds, 3)}
        return self.model_copy(update=update | {"targets": [], "confidence": None})

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a scan with this verdict."""
        return {
            "clean": ExitCode.CLEAN,
            "suspected": ExitCode.SUSPECTED,
            "inconclusive": ExitCode.INCONCLUSIVE,
        }[self.verdict]

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The result that `to_json` wrote.

        Raises:
            ValueError: it is no JSON, or no result of this schema.
        """
        return cls.model_validate(json.loads(text))  # Pydantic's own parser refuses names that are not UTF-8

    def to_json(self) -> str:
        """This result as a JSON document in ASCII: any pipe passes it, and no name in it can steer a terminal."""
        return json.dumps(self.model_dump(by_alias=True), indent=2, allow_nan=False) + "\n"

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

    def _repr_html_(self) -> str:
        """The HTML report, in a frame of its own: its styles stay inside, and nothing in it can run."""
        from ninspect.report.html import html_report

        page = html.escape(html_report(self))
        style = "width:100%;height:48em;border:0"
        return f'<iframe sandbox title="ninspect report" style="{style}" srcdoc="{page}"></iframe>'
