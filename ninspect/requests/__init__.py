"""What can be asked of ninspect: a class for each kind of request, a field for each option.

The type of an option, its default and its help stand here and nowhere else. The command line makes its options of
them, the worker gets a request as JSON, a cluster can pickle it. Nothing heavy is imported before one becomes JSON.
"""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

import json
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from ninspect.errors import UsageError
from ninspect.names import DEFAULT_METHODS, QUESTIONS, REQUIRED, Method, Question, Skippable
from ninspect.option import Option, class_list, options, paths, three_numbers, validated
from ninspect.requests.shared import (
    CHECKED,
    EXPERTS,
    GATE,
    INPUT,
    PREPROCESSING,
    QUESTIONS_ASKED,
    QUESTIONS_MEAN,
    ColorOption,
    DeviceOption,
    FeedOption,
    LayoutOption,
    MemoryOption,
    ObjectiveOption,
    OutputOption,
    PreprocessOptions,
    SizeOption,
)

__all__ = [
    "AugmentRequest",
    "DoctorRequest",
    "ExplainRequest",
    "InfoRequest",
    "PreprocessOptions",
    "Request",
    "ScanRequest",
]


@dataclass(frozen=True)
class Request:
    """What all requests have in common.

    Attributes:
        kind: names the class in JSON.
    """

    __pydantic_config__: ClassVar = CHECKED
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        """Refuse a number outside the bounds of its option.

        Raises:
            UsageError: there is one.
        """
        for each, _, option in options(type(self)):
            value = getattr(self, each.name)
            if option is not None and isinstance(value, int | float) and not option.allows(value):
                bounds = f"at least {option.min}" if option.max is None else f"from {option.min} to {option.max}"
                raise UsageError(f"{each.name} = {value} is out of range; give a number {bounds}")

    @property
    def readable(self) -> tuple[Path, ...]:
        """Files and folders that must be read to answer."""
        return tuple(paths(self))

    @property
    def gpu(self) -> bool:
        """Whether a GPU may be used to answer."""
        return False

    def facts(self) -> dict[str, Any]:
        """The fields of the request in what JSON can hold."""
        from pydantic import TypeAdapter

        return dict(TypeAdapter(type(self)).dump_python(self, mode="json"))

    def to_json(self) -> str:
        """The request as an object of JSON, its kind included."""
        return json.dumps({"kind": self.kind, **self.facts()})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What `to_json` wrote; of `Request` itself, whatever the kind.

        Raises:
            UsageError: it is no such request, or a key or a value is wrong.
        """
        try:
            facts = dict(json.loads(text))
            kind = _KINDS[facts.pop("kind")]
        except (TypeError, ValueError, KeyError) as error:
            raise UsageError("this is no request of ninspect; give what to_json wrote") from error
        if not issubclass(kind, cls):
            raise UsageError(f"a request to {kind.kind} was given where one to {cls.kind} is needed")
        return validated(kind, facts, f"a request to {kind.kind}")

    def checked(self) -> Self:
        """This request with every value as its type has it: texts become paths, lists tuples.

        Raises:
            UsageError: a value is wrong.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return validated(type(self), values, f"a request to {self.kind}")


@dataclass(frozen=True)
class _ModelRequest(Request):
    """What is asked of one model."""

    model: Annotated[Path, Option("The ONNX file.", metavar="MODEL")]

    @property
    def readable(self) -> tuple[Path, ...]:
        """The paths of the request, and the folder of the model, where its weights and its settings may lie."""
        return (*super().readable, self.model.parent)


@dataclass(frozen=True)
class ScanRequest(_ModelRequest):
    """Judge a model.

    Names and numbers of classes come from files, or are given as they are. Without `memory`, see `spare_memory`.

    >>> request = ScanRequest(Path("model.onnx"), Path("images"), alpha=0.05, skip=("one-source",))
    >>> sorted(request.required)
    ['every-class', 'file', 'one-target']
    >>> ScanRequest.from_json(request.to_json()) == request
    True
    """

    kind: ClassVar[str] = "scan"

    samples: Annotated[
        Path | None,
        Option(
            "Clean images, best 10 or more of each class: a folder, class folders, CSV, npz, npy, IDX, CIFAR or "
            "parquet. Without them, classes are judged on drawn pictures, which finds less.",
            flags=("--samples", "-s"),
            metavar="PATH",
            panel=INPUT,
        ),
    ] = None
    _: KW_ONLY
    preprocess: PreprocessOptions = field(default_factory=PreprocessOptions)
    output: OutputOption = None
    class_names: Annotated[
        Path | tuple[str, ...] | None,
        Option(
            "Class names: one per line, or JSON with id2label. Default: classes.txt or config.json beside the model.",
            metavar="FILE",
            panel=INPUT,
        ),
    ] = None
    class_map: Annotated[
        Path | dict[str, int] | None,
        Option(
            "Class numbers by the names that the samples use: JSON, or a name and a number per line.",
            metavar="FILE",
            panel=INPUT,
        ),
    ] = None
    classes: Annotated[
        tuple[int, ...] | None,
        Option("Judge only these classes, such as 0,3,7-9.", metavar="LIST", parse=class_list, panel=EXPERTS),
    ] = None
    methods: Annotated[
        tuple[Method, ...],
        Option(
            "Method by which classes are judged (docs/method.md); may be repeated.", flags=("--method",), panel=EXPERTS
        ),
    ] = DEFAULT_METHODS
    weights: Annotated[
        tuple[float, float, float] | None,
        Option(
            "Weights of the sparse, smooth and persistent features; only for neuroninspect. Default: 1,1,1.",
            metavar="X,X,X",
            parse=three_numbers,
            panel=EXPERTS,
        ),
    ] = None
    threshold: Annotated[
        float, Option("Heatmap value above which a pixel counts as on.", min=0.0, max=1.0, panel=EXPERTS)
    ] = 0.5
    chained: Annotated[
        bool, Option("Persistence as published: one chain of exclusive ors; only for neuroninspect.", panel=EXPERTS)
    ] = False
    reference: Annotated[
        tuple[Path, ...],
        Option(
            "A model with the same classes that you trust, such as an earlier version; may be repeated. What a class, "
            "or a pair of classes, does in the model alone is shown, and may be suspected.",
            metavar="MODEL",
            panel=INPUT,
        ),
    ] = ()
    reference_preprocess: Annotated[
        tuple[Path, ...],
        Option(
            "How images become the inputs of the references, as --preprocess takes it: one file for all, or one for "
            "each in their order. Default: found out for each, as for the model.",
            metavar="FILE",
            panel=PREPROCESSING,
        ),
    ] = ()
    images: Annotated[
        int,
        Option(
            "Use at most this many images, spread evenly over the classes.",
            flags=("--max-images",),
            min=1,
            panel=INPUT,
        ),
    ] = 200
    alpha: Annotated[
        float,
        Option(
            "Significance level: the largest acceptable false-alarm probability.", min=0.0001, max=0.5, panel=EXPERTS
        ),
    ] = 0.01
    evidence: Annotated[
        bool,
        Option(
            "Search for triggers of the classes that stand out most. Without it, a scan is faster and finds less.",
            panel=EXPERTS,
        ),
    ] = True
    require: Annotated[
        tuple[Question, ...],
        Option(
            "Call no model clean without an answer to this question; may be repeated. "
            f"Always required, unless skipped: {', '.join(REQUIRED)}.",
            metavar="QUESTION",
            panel=QUESTIONS_ASKED,
        ),
    ] = ()
    strict: Annotated[
        bool, Option("Require an answer to every question that is not skipped.", panel=QUESTIONS_ASKED)
    ] = False
    skip: Annotated[
        tuple[Skippable, ...],
        Option(
            f"Leave this question out; may be repeated. {QUESTIONS_MEAN}.",
            metavar="QUESTION",
            panel=QUESTIONS_ASKED,
        ),
    ] = ()
    ignore: Annotated[
        tuple[str, ...],
        Option(
            "Ignore findings with this id, or whose ids begin like this, such as GR; may be repeated. "
            "ninspect rules lists them.",
            metavar="ID",
            panel=GATE,
        ),
    ] = ()
    seed: Annotated[int, Option("Random seed.", min=0, panel=EXPERTS)] = 0
    device: DeviceOption = "auto"
    memory: MemoryOption = None

    def __post_init__(self) -> None:
        """Refuse options that contradict each other; settings of a method that was not chosen are not ignored.

        Raises:
            UsageError: some do, or a number is outside its bounds.
        """
        super().__post_init__()
        if both := set(self.require) & set(self.skip):
            raise UsageError(f"--require {min(both)} and --skip {min(both)} contradict each other; leave one out")
        if "neuroninspect" not in self.methods and (self.weights is not None or self.chained):
            raise UsageError("--weights and --chained belong to --method neuroninspect; add it or leave them out")
        if not {"activated", "neuroninspect"} & set(self.methods) and self.threshold != ScanRequest.threshold:
            raise UsageError(f"--threshold does not belong to --method {' or '.join(self.methods)}; leave it out")
        if self.required <= {"file"}:
            raise UsageError("--skip leaves no required question about the network; leave one of them in")
        if self.reference and self.samples is None:
            raise UsageError("--reference compares what two models do on the same images; give them with --samples")
        count = len(self.reference_preprocess)
        if count not in ((0, 1, len(self.reference)) if self.reference else (0,)):
            given = f"{count} for {len(self.reference)} references"
            raise UsageError(f"--reference-preprocess was given {given}; give it once, or once for each --reference")

    @property
    def readable(self) -> tuple[Path, ...]:
        """As of every model, also the folders of the references."""
        return (*super().readable, *(path.parent for path in self.reference))

    @property
    def required(self) -> frozenset[Question]:
        """The questions without an answer to which the model is not clean."""
        return frozenset(QUESTIONS if self.strict else {*REQUIRED, *self.require}) - set(self.skip)

    @property
    def gpu(self) -> bool:
        """Whether the device may be a GPU."""
        return self.device != "cpu"


@dataclass(frozen=True, kw_only=True)
class ExplainRequest(_ModelRequest):
    """Explain one class at one image; the file is a PNG."""

    kind: ClassVar[str] = "explain"

    image: Annotated[Path, Option("The picture.", metavar="FILE")]
    label: Annotated[int, Option("The class to explain.", flags=("--class",), metavar="K")]
    preprocess: PreprocessOptions = field(default_factory=PreprocessOptions)
    output: OutputOption = None
    objective: ObjectiveOption = "logit"
    device: DeviceOption = "auto"
    memory: MemoryOption = None

    @property
    def gpu(self) -> bool:
        """Whether the device may be a GPU."""
        return self.device != "cpu"


@dataclass(frozen=True, kw_only=True)
class _GraphRequest(_ModelRequest):
    """What is asked of a model without images."""

    layout: LayoutOption = None
    color: ColorOption = None
    size: SizeOption = None
    feed: FeedOption = ()
    output: OutputOption = None
    memory: MemoryOption = None


@dataclass(frozen=True, kw_only=True)
class AugmentRequest(_GraphRequest):
    """Make the model with its input gradient; the file is ONNX."""

    kind: ClassVar[str] = "augment"

    objective: ObjectiveOption = "logit"


@dataclass(frozen=True, kw_only=True)
class InfoRequest(_GraphRequest):
    """Say what is understood of a model."""

    kind: ClassVar[str] = "info"


@dataclass(frozen=True)
class DoctorRequest(Request):
    """Say what this installation has."""

    kind: ClassVar[str] = "doctor"

    @property
    def gpu(self) -> bool:
        """Yes: whether there is one is the question."""
        return True


_KINDS: dict[str, type[Request]] = {
    kind.kind: kind for kind in (ScanRequest, ExplainRequest, AugmentRequest, InfoRequest, DoctorRequest)
}
