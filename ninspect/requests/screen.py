"""What can be asked about pictures, once a scan has recovered a trigger."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from ninspect.option import Option, class_list
from ninspect.requests.base import ModelRequest
from ninspect.requests.shared import EXPERTS, DeviceOption, MemoryOption


@dataclass(frozen=True, kw_only=True)
class ScreenRequest(ModelRequest):
    """Find the pictures that carry a trigger which a scan has recovered."""

    kind: ClassVar[str] = "screen"

    result: Annotated[Path, Option("What ninspect scan --format json wrote.", metavar="RESULT")]
    images: Annotated[Path, Option("The pictures: what scan takes as --samples.", metavar="PATH")]
    classes: Annotated[
        tuple[int, ...] | None,
        Option(
            "Look for the triggers of these classes, such as 0,3,7-9. Default: those that are suspected.",
            metavar="LIST",
            parse=class_list,
            panel=EXPERTS,
        ),
    ] = None
    first: Annotated[int, Option("Pass over so many pictures.", min=0, panel=EXPERTS)] = 0
    seed: Annotated[int, Option("Random seed, of the pictures that others are held against.", min=0, panel=EXPERTS)] = 0
    device: DeviceOption = "auto"
    memory: MemoryOption = None

    @property
    def gpu(self) -> bool:
        """Whether the device may be a GPU."""
        return self.device != "cpu"
