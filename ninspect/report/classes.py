"""The classes that stand out most, each with what decides: how odd it is, and how small a trigger leads to it."""

from __future__ import annotations

from dataclasses import dataclass

from ninspect.report.pictured import TriggerInfo
from ninspect.report.schema import DetectorInfo, Result
from ninspect.report.wording import class_name, share

MEANING = (
    "p: probability that a clean model has a class as odd. Trigger: pixels of the smallest that was found, the share "
    "of other images that it sends to the class, and the pixels that other classes need."
)
HEADS = ("p", "trigger", "success", "others need")
_MOST = 5


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Attributes:
        label: its number.
        name: its name; empty where it is not known.
        p_value: the smallest that a method gave it which compares classes; None where none did.
        trigger: the smallest that was found for it; None where none was searched.
        suspected: whether the verdict names it.
    """

    label: int
    name: str
    p_value: float | None
    trigger: TriggerInfo | None
    suspected: bool

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What stands below `HEADS`."""
        p = "–" if self.p_value is None else f"{self.p_value:.2g}"
        if self.trigger is None:
            return p, "–", "–", "–"
        needed = self.trigger.control_size
        return p, f"{self.trigger.size:.0f}", share(self.trigger.success), "–" if needed is None else f"{needed:.0f}"


def standing_out(result: Result) -> list[ClassRow]:
    """The first few: the suspects, then the classes that triggers were searched for, then others by falling oddity."""
    triggers = {trigger.label: trigger for trigger in reversed(result.triggers)}
    detectors = [d for d in result.detectors if _compares(d) or d.targets]
    rows = [
        ClassRow(
            label,
            class_name(result, label),
            min((p for d in detectors if (p := _p_value(d, place, label)) is not None), default=None),
            triggers.get(label),
            label in result.targets,
        )
        for place, label in enumerate(result.explained)
    ]
    first = next((d.index for d in detectors if d.index), [])
    oddity = {label: index for label, index in zip(result.explained, first, strict=False) if index is not None}
    rows.sort(
        key=lambda row: (
            result.targets.index(row.label) if row.suspected else len(result.targets),
            row.trigger is None,
            2.0 if row.p_value is None else row.p_value,
            -oddity.get(row.label, -float("inf")),
        )
    )
    return [row for row in rows if row.p_value is not None or row.trigger is not None or row.suspected][:_MOST]


def _compares(detector: DetectorInfo) -> bool:
    """Whether its p-values tell the target of one trigger from other classes."""
    return "one-target" in detector.answers or not detector.answers


def _p_value(detector: DetectorInfo, place: int, label: int) -> float | None:
    """What a detector gives a class; of one that looks for something else, only where it found that."""
    found = _compares(detector) or label in detector.targets
    return detector.p_values[place] if found and place < len(detector.p_values) else None
