"""What can be asked of a scan, and of a repair, which is scanned before and after."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar

from ninspect.errors import UsageError
from ninspect.names import DEFAULT_METHODS, QUESTIONS, REQUIRED, Method, Question, Skippable
from ninspect.option import Option, class_list, three_numbers
from ninspect.requests.base import ModelRequest, Request
from ninspect.requests.shared import (
    EXPERTS,
    GATE,
    INPUT,
    PREPROCESSING,
    QUESTIONS_ASKED,
    QUESTIONS_MEAN,
    DeviceOption,
    MemoryOption,
    OutputOption,
    PreprocessOptions,
)


@dataclass(frozen=True)
class ScanRequest(ModelRequest):
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

    def of_reference(self, number: int) -> "ScanRequest":
        """The same of a reference alone, with the preprocessing that is said of it; `number` is its place, from 0."""
        files = self.reference_preprocess
        return replace(
            self,
            model=self.reference[number],
            preprocess=PreprocessOptions(file=files[min(number, len(files) - 1)] if files else None),
            reference=(),
            reference_preprocess=(),
            output=None,
            class_names=None,
        )

    @property
    def required(self) -> frozenset[Question]:
        """The questions without an answer to which the model is not clean."""
        return frozenset(QUESTIONS if self.strict else {*REQUIRED, *self.require}) - set(self.skip)

    @property
    def gpu(self) -> bool:
        """Whether the device may be a GPU."""
        return self.device != "cpu"


@dataclass(frozen=True, kw_only=True)
class RepairOptions:
    """How a model is repaired, besides how it is scanned."""

    result: Annotated[
        Path | None,
        Option(
            "What ninspect scan --format json wrote of this model; without it, the model is scanned first.",
            metavar="FILE",
            panel=INPUT,
        ),
    ] = None
    max_drop: Annotated[
        float,
        Option(
            "Write nothing if accuracy falls by more than this share or, without labels, more answers change.",
            min=0.0,
            max=1.0,
            panel=GATE,
        ),
    ] = 0.02
    repair_images: Annotated[
        int, Option("Repair with at most this many images, and measure on a part of them.", min=1, panel=INPUT)
    ] = 2000


@dataclass(frozen=True, kw_only=True)
class RepairRequest(Request):
    """Repair a model; the file is ONNX.

    Attributes:
        scan: the model, its images and how they are taken; of `classes`, the targets to repair.
        result: of its scan, as JSON.
        max_drop: see `RepairOptions`.
        images: how many are used at most.
    """

    kind: ClassVar[str] = "repair"

    scan: ScanRequest
    result: Path
    max_drop: float
    images: int

    @property
    def readable(self) -> tuple[Path, ...]:
        """What the scan may read, and its result."""
        return (*self.scan.readable, self.result)

    @property
    def gpu(self) -> bool:
        """Whether the device may be a GPU."""
        return self.scan.gpu
