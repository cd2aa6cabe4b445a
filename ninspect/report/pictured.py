"""The parts of a result that hold pictures: triggers, stamps, and where classes look."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ninspect.text import recorded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def recorded_texts(value: Any) -> Any:
    """The texts in a value as a result keeps them."""
    if isinstance(value, dict):
        return {name: recorded_texts(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [recorded_texts(entry) for entry in value]
    return recorded(value) if isinstance(value, str) else value


# What names from a file may be part of.
Words = Annotated[str, BeforeValidator(recorded_texts)]

# A result may come from anywhere when it is shown again: what goes for a picture must at least begin as a PNG does.
Picture = Annotated[
    str,
    Field(
        description="a PNG in base64, at most 112 pixels a side",
        pattern=r"^iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$",
        repr=False,
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
    ),
]


class Part(BaseModel):
    """What all parts of a result have in common: no unknown keys, nothing that is not a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Document(Part):
    """What is written as one JSON document, and read again."""

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What `to_json` wrote.

        Raises:
            ValueError: it is no JSON, or nothing of this schema.
        """
        return cls.model_validate(json.loads(text))  # Pydantic's own parser refuses names that are not UTF-8

    def facts(self) -> dict[str, Any]:
        """This in what JSON can hold."""
        return self.model_dump(by_alias=True, mode="json")

    def to_json(self) -> str:
        """A JSON document in ASCII: any pipe passes it, and no name in it can steer a terminal."""
        return json.dumps(self.facts(), indent=2, allow_nan=False) + "\n"


class ExampleInfo(Part):
    """A held-out image of another class, before and after the trigger was put on it."""

    before: Picture
    after: Picture
    answer_before: int = Field(description="the class that the model gives it")
    answer_after: int


class TriggerInfo(Part):
    """Evidence: the smallest trigger that was found for a class, next to those of other classes."""

    label: int = Field(description="the class")
    size: float = Field(description="covered pixels, the sum of the mask")
    success: float | None = Field(description="share of held-out images of other classes that it sends to the class")
    held_out: int = Field(description="how many images were held out")
    control_size: float | None = Field(description="median size for other classes, or other pairs of classes")
    control_success: float | None = Field(description="median success for these")
    convincing: bool = Field(description="works, is far smaller than the control size, and its class stands out")
    nearly: bool = Field(False, description="works on held-out images, and is small though not so small")
    npz: str = Field(
        description="the exact mask [H, W] and pattern [H, W, C], float32, as an .npz archive in base64",
        pattern=r"^[A-Za-z0-9+/]+={0,2}$",
        repr=False,
    )
    mask: Picture = Field(description="white where an image is covered")
    pattern: Picture = Field(description="what covers it, on grey")
    examples: list[ExampleInfo]

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The exact mask `[H, W]` and pattern `[H, W, C]`, both in [0, 1].

        The trigger makes (1 − mask) · image + mask · pattern of an image; `ninspect.Patch` puts it on many.
        """
        import numpy as np

        with np.load(io.BytesIO(base64.b64decode(self.npz)), allow_pickle=False) as archive:
            return archive["mask"], archive["pattern"]


class StampInfo(TriggerInfo):
    """What a window of the images is covered with, next to what serves other classes at the same place.

    `control_success` is the median success of the stamps that were tried for other classes in the window.
    """

    window: tuple[int, int, int, int] = Field(description="row, column, height and width of what is covered")
    rival: float | None = Field(description="the largest success of a stamp for another class in the window")


class PairInfo(TriggerInfo):
    """A trigger that sends the images of one class alone to another."""

    source: int = Field(description="the class whose images it sends there")
    elsewhere: float = Field(description="share of the images of other classes that it sends there as well")
    foreign: float | None = Field(
        description="how far what it covers is from images of the target, relative to those of the source"
    )
    reference: int | None = Field(None, description="place among the references of the one that needs least for it")
    reference_size: float | None = Field(None, description="covered pixels of the smallest trigger there")
    reference_control_size: float | None = Field(None, description="median size for other pairs of classes there")


class HeatmapInfo(Part):
    """Where a class looks."""

    label: int = Field(description="the class")
    picture: Picture = Field(description="mean heatmap, laid over the image")


class AttentionInfo(Part):
    """Where the classes that stand out most look: heatmaps at images that were moved toward each class."""

    image: Picture = Field(description="one of the images, as it was before")
    answer: int = Field(description="the class that the model gives it")
    starts: int = Field(description="how many images the heatmaps are the mean of")
    heatmaps: list[HeatmapInfo] = Field(description="the suspects, then by falling index")
