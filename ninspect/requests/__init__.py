"""What can be asked of ninspect: a class for each kind of request, a field for each option.

The type of an option, its default and its help stand here and nowhere else. The command line makes its options of
them, the worker gets a request as JSON, a cluster can pickle it. Nothing heavy is imported before one becomes JSON.
"""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from ninspect.option import Option
from ninspect.requests.base import ModelRequest, Request
from ninspect.requests.scan import RepairOptions, RepairRequest, ScanRequest
from ninspect.requests.screen import ScreenRequest
from ninspect.requests.shared import (
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
    "RepairOptions",
    "RepairRequest",
    "Request",
    "ScanRequest",
    "ScreenRequest",
]


@dataclass(frozen=True, kw_only=True)
class ExplainRequest(ModelRequest):
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
class _GraphRequest(ModelRequest):
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
