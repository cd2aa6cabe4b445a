"""What the result says of the models that a user trusts: how often they agree with the model, class by class."""

from __future__ import annotations

from pydantic import Field

from ninspect.report.pictured import Part, Words


class ClassChange(Part):
    """The images of one class, as their labels say, or the reference where they have none."""

    label: int = Field(description="the class")
    images: int
    agreement: float = Field(description="share of them to which both models give the same answer")
    accuracy: float | None = Field(description="share that the model gets right; null without labels")
    reference_accuracy: float | None = Field(description="share that the reference gets right; null without labels")


class ReferenceInfo(Part):
    """A model that the user trusts, beside the one that was scanned."""

    path: Words
    sha256: str
    matched: str = Field(description="how its classes were found in the model: by name, by number, by the class map")
    preprocess: Words = Field(description="where the settings come from with which it gets the images")
    agreement: float = Field(description="share of the images to which both models give the same answer")
    accuracy: float | None = Field(description="share of labelled images that the reference gets right")
    changes: list[ClassChange] = Field(description="class by class, of those that have images")

    def changed(self) -> list[ClassChange]:
        """The classes of which the two models do not say the same, those that differ most first."""
        return sorted((one for one in self.changes if one.agreement < 1), key=lambda one: one.agreement)
