"""Every name that a person can choose, each once: the command line and the library read the same literals."""

from typing import Literal, get_args

Method = Literal[
    "activated", "windows", "agreement", "all-to-all", "neuroninspect", "mmbd", "weights", "neural_cleanse", "freeeagle"
]
METHODS: tuple[Method, ...] = get_args(Method)
DEFAULT_METHODS: tuple[Method, ...] = ("activated", "windows", "agreement", "all-to-all")

# What detectors do, as their progress has it.
STEPS: dict[str, str] = {
    "models": "scanning models",
    "activated": "comparing classes",
    "windows": "covering windows of the images",
    "agreement": "comparing methods",
    "all-to-all": "looking for triggers of every class",
    "neuroninspect": "comparing heatmaps",
    "mmbd": "maximizing margins",
    "weights": "comparing weights",
    "neural_cleanse": "inverting triggers of all classes",
    "freeeagle": "comparing second halves",
    "evidence": "searching for triggers",
    "source-specific": "searching for triggers of one class",
    "reference": "comparing with the reference",
    "repair": "repairing",
    "screen": "screening pictures",
}

# How long they take next to each other, of 10 and of 43 classes (docs/performance.md); of the others it is not known.
EFFORTS: dict[str, float] = {
    "activated": 1.0, "windows": 8.0, "agreement": 0.0, "all-to-all": 0.3, "evidence": 4.5, "source-specific": 1.5,
}  # fmt: skip

# What a scan asks of a model.
Question = Literal["file", "one-target", "every-class", "one-source"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
# Without an answer to these, no model is called clean, unless they were left out by name.
REQUIRED: tuple[Question, ...] = ("file", "one-target", "every-class")
TITLES: dict[Question, str] = {
    "file": "an attack in the file itself",
    "one-target": "triggers that send every image to one class",
    "every-class": "triggers that send every class to another",
    "one-source": "triggers for images of one class",
}
# The rule that a required question without an answer breaks.
UNANSWERED: dict[Question, str] = {
    "file": "CV001",
    "one-target": "CV002",
    "every-class": "CV003",
    "one-source": "CV004",
}
NOT_REACHED = "the scan ended first"  # why a question has no answer, where nothing else is known
Skippable = Literal["one-target", "every-class", "one-source"]
SKIPPABLE: tuple[Skippable, ...] = get_args(Skippable)

Format = Literal["text", "json", "sarif", "junit", "markdown", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)
# The endings that files of a format have.
_ENDINGS: dict[str, Format] = {
    ".txt": "text",
    ".json": "json",
    ".jsonl": "json",
    ".sarif": "sarif",
    ".sarif.json": "sarif",
    ".xml": "junit",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
}


def format_of(file: str) -> Format | None:
    """The format that the ending of a file's name stands for.

    >>> format_of("report.html"), format_of("scan.sarif.json"), format_of("result")
    ('html', 'sarif', None)
    """
    fitting = [ending for ending in _ENDINGS if file.lower().endswith(ending)]
    return _ENDINGS[max(fitting, key=len)] if fitting else None


# What comes of pictures that are looked at for a trigger.
ScreenFormat = Literal["text", "json", "csv", "html"]
SCREEN_FORMATS: tuple[ScreenFormat, ...] = get_args(ScreenFormat)


def screen_format_of(file: str) -> ScreenFormat | None:
    """The same of a file with what comes of pictures that are looked at for a trigger.

    >>> screen_format_of("found.csv"), screen_format_of("found.sarif")
    ('csv', None)
    """
    ending = file.lower().rpartition(".")[2]
    return next((format_ for format_ in SCREEN_FORMATS if ending in (format_, {"text": "txt"}.get(format_))), None)


Preset = Literal["unit", "imagenet", "minus1_1", "uint8", "cifar10", "mnist"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
Layout = Literal["NCHW", "NHWC", "flat", "flat_chw"]
Color = Literal["rgb", "bgr", "gray"]
Resize = Literal["bilinear", "bicubic", "nearest", "lanczos", "none"]

WITH_BACKGROUND = 1001  # classes of TensorFlow's models of ImageNet, of which the first is none of its 1000

Objective = Literal["logit", "margin", "logprob", "cross_entropy"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

Device = Literal["auto", "cpu", "cuda"]
Sandbox = Literal["auto", "require", "off"]

ROBUST_Z = "robust z"  # p-values that come from the index alone, a robust z-score over the classes
THREADS = "_NINSPECT_THREADS"  # of a worker process, by its parent: how many cores it may use at a time
