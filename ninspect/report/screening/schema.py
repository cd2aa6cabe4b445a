"""What became of pictures that were looked at for a trigger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from ninspect.errors import ExitCode, UsageError
from ninspect.files import write_file
from ninspect.names import SCREEN_FORMATS, ScreenFormat, screen_format_of
from ninspect.report.pictured import Document, Part, Picture, Words

SCREENING: Literal["ninspect/screening/1"] = "ninspect/screening/1"
SHOWN = 48  # pictures on the contact sheet
_MOST_NAMED = 20
_MOST_UNREADABLE = 0.2  # share of the pictures, as of the samples of a scan


class ShownInfo(Part):
    """What a person sees of a picture."""

    picture: Picture
    spot: Picture = Field(description="the same, dimmed but for the part that was exchanged")


class ScreenedInfo(Part):
    """A picture that the model answers with a suspected class."""

    name: Words
    index: int = Field(ge=0, description="place in the folder, from 0, of all its pictures by name")
    answer: int = Field(ge=0, description="the class that the model gives it")
    score: float = Field(ge=0, le=1, description="how far the answer goes with a part of the picture")
    found: bool = Field(description="whether it carries the trigger, as far as can be told")
    part: str = Field(description="which part that is")
    moved: float = Field(ge=0, le=1, description="probability of the answer for other pictures with that part")
    kept: float = Field(ge=0, le=1, description="probability of the answer for the picture without that part")
    shown: ShownInfo | None = Field(None, description="of the first few alone")


class ChunkInfo(Part):
    """A part of the pictures, in their order; what a state file has a line of for each."""

    listing: str = Field(description="SHA-256 of the names of all pictures")
    next: int = Field(ge=0, description="index of the first picture that has not been looked at")
    total: int = Field(ge=0, description="how many pictures there are")
    screened: list[ScreenedInfo]
    unreadable: list[Words] = Field(description="pictures that could not be read, each with the reason")


class SuspectInfo(Part):
    """A class whose trigger is looked for."""

    label: int = Field(ge=0)
    source: int | None = Field(None, description="the only class whose pictures the trigger works on, if there is one")
    parts: list[str] = Field(description="the parts that are exchanged")
    partners: int = Field(ge=0, description="pictures that they are exchanged with")
    controls: int = Field(ge=0, description="others that the recovered trigger was put on")
    control: float | None = Field(
        None, ge=0, le=1, description="share of these that are found then; null without a trigger"
    )
    doubt: Words | None = Field(None, description="why finding nothing would be no answer")


class HeadInfo(Part):
    """What is known beside the pictures."""

    date: str = Field(description="UTC, ISO 8601", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    images: Words = Field(description="where the pictures are")
    total: int = Field(ge=0, description="how many there are")
    notes: list[Words] = Field(description="what of the folder is read and what is not")
    result: Words = Field(description="the result of the scan that recovered the triggers")
    model: Words
    sha256: str = Field(description="of the model")
    class_names: list[Words] = Field(default_factory=list, description="by number; empty where they are not known")
    suspects: list[SuspectInfo]
    drawn: bool = Field(description="parts are exchanged with drawn pictures, as too few others have another answer")
    threshold: float = Field(description="pictures with at least this score are found")
    versions: dict[str, str]
    seed: int


class Screening(HeadInfo, Document):
    """Pictures by falling score, of those that the model answers with a suspected class.

    >>> import ninspect
    >>> screening = ninspect.screen("docs/badnet_result.json", "models/digits/samples")
    >>> len(screening.pictures), screening.found, screening.exit_code.name
    (10, [], 'CLEAN')
    """

    schema_: Literal["ninspect/screening/1"] = Field(SCREENING, alias="schema")
    unreadable: int = Field(ge=0, description="how many could not be read")
    named: list[Words] = Field(description="the first of these, each with the reason")
    pictures: list[ScreenedInfo] = Field(description="by falling score")
    seconds: float = 0.0

    @classmethod
    def of(cls, head: HeadInfo, chunks: Sequence[ChunkInfo], seconds: float) -> Self:
        """From what was known before, and what became of the pictures."""
        pictures = sorted((one for chunk in chunks for one in chunk.screened), key=lambda one: (-one.score, one.index))
        unreadable = [name for chunk in chunks for name in chunk.unreadable]
        return cls(
            schema=SCREENING,
            **dict(head),
            seconds=round(seconds, 3),
            unreadable=len(unreadable),
            named=unreadable[:_MOST_NAMED],
            pictures=[
                one if place < SHOWN else one.model_copy(update={"shown": None}) for place, one in enumerate(pictures)
            ],
        )

    @property
    def found(self) -> list[ScreenedInfo]:
        """The pictures that carry the trigger, as far as can be told."""
        return [one for one in self.pictures if one.found]

    @property
    def doubts(self) -> list[str]:
        """Why finding nothing would be no answer, in sentences without their full stop."""
        doubts = [one.doubt for one in self.suspects if one.doubt is not None]
        if self.unreadable > _MOST_UNREADABLE * self.total:
            unread = f"{self.unreadable:,} of {self.total:,} pictures could not be read"
            doubts.append(f"{unread}; repair or remove them")
        return doubts

    @property
    def exit_code(self) -> ExitCode:
        """1: pictures were found; 0: none; 3: none, though there may be some."""
        if self.found:
            return ExitCode.SUSPECTED
        return ExitCode.INCONCLUSIVE if self.doubts else ExitCode.CLEAN

    def save(self, path: Path | str, format: ScreenFormat | None = None) -> None:  # noqa: A002  as `Result` has it
        """Write it to a file, as a whole or not at all.

        Args:
            path: of the file.
            format: what it shall be; None: what the ending says: `.csv`, `.html`, `.json` or `.txt`.

        Raises:
            UsageError: there is no such format, or there cannot be such a file.
            WriteError: it cannot be written.
        """
        from ninspect.report.screening.render import render_screening

        chosen = format or screen_format_of(Path(path).name)
        if chosen not in SCREEN_FORMATS:
            what = f"the ending of {path} says no format" if chosen is None else f"there is no format {chosen!r}"
            raise UsageError(f"{what}; give one of {', '.join(SCREEN_FORMATS)}")
        write_file(Path(path), render_screening(self, chosen).encode())

    def __repr__(self) -> str:
        return f"Screening({len(self.found)} of {self.total} pictures found in {self.images})"

    __str__ = __repr__
