"""What cards say of models, and what was measured on them: one row per model and method."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ninspect import PreprocessOptions, ScanRequest

WORKING_ATTACK = 0.8  # a backdoor that works less often is neither a positive nor a negative


@dataclass(frozen=True)
class Row:
    """One model scanned with one method.

    Attributes:
        truth: `one target`, `all to all`, `clean`, or `left out` (degenerate, untrained, weak attack, one memorised
            picture instead of a trigger, or no images).
        family: kind of attack, see `family`.
        target: true target classes, comma separated.
        top: the class that is named first: the first that is suspected, else the one with the largest index.
        rank: place of the best true target among the classes, from 1, by the index of the detector that suspects most.
        flagged: number of classes with an index above 2.
        detection: seconds for the detectors alone, without evidence and what every scan does.
        evidence: size of the smallest trigger that works, in units of what other classes need.
        by: what accuses the model, comma separated: detectors, and `evidence` for a convincing trigger.
    """

    model: str
    method: str
    truth: str
    verdict: str
    seconds: float
    dataset: str = ""
    family: str = ""
    target: str = ""
    top: int | None = None
    index: float | None = None
    p_value: float | None = None
    flagged: int = 0
    accuracy: float | None = None
    reason: str = ""
    detection: float | None = None
    evidence: float | None = None
    by: str = ""
    rank: int | None = None

    @property
    def suspicion(self) -> float:
        """Larger for what is suspected, as evidence may have decided; then for smaller p-values and larger indices."""
        p = 0.0 if self.p_value is None else -math.log(self.p_value) + 1e-6 * (self.index or 0.0)
        return p + 100 * (self.verdict == "suspected")

    @property
    def top_is_target(self) -> bool:
        """Whether the class that stands out most is a true target."""
        return str(self.top) in self.target.split(",")


_ROW = TypeAdapter(Row)


def truth(card: dict[str, Any]) -> str:
    """What a card says of its model."""
    kind, success, chance = card["kind"], card.get("asr"), 1 / card["classes"]
    untrained = card.get("clean_acc") is not None and card["clean_acc"] < min(2 * chance, (1 + chance) / 2)
    if kind.startswith("degenerate") or untrained or not card.get("images"):
        return "left out"
    if "instance" in kind:  # answers one memorised picture wrongly: there is no trigger to find
        return "left out"
    if kind.startswith(("clean", "repaired", "attack failed")):
        return "clean"
    if success is None or success < WORKING_ATTACK:
        return "left out"
    return "all to all" if isinstance(card["target"], str) else "one target"


def family(card: dict[str, Any]) -> str:
    """Kind of attack, told from how its card describes the trigger; empty for models without one."""
    trigger, target = card.get("trigger") or "", card.get("target")
    if "family" in card:
        return str(card["family"])
    if target is None or truth(card) == "clean":
        return ""
    if isinstance(target, str):
        return "all to all"
    if trigger.startswith("clip("):  # found by optimisation, or a watermark, added or laid over the whole image
        return "inverted or trojan pattern"
    if "*x+" in trigger:
        return "blended"
    if card["name"].startswith("DBA"):
        return "distributed"
    return "patch" if trigger else "not stated"


def targets(card: dict[str, Any]) -> str:
    """True target classes of a card."""
    target = card.get("target")
    return ",".join(map(str, target)) if isinstance(target, list) else "" if target is None else str(target)


def card_request(path: Path, card: dict[str, Any], **options: Any) -> ScanRequest:
    """The default scan of a card's model, with its images where it has any.

    Args:
        path: of the model; the card says where its images lie, relative to it.
        card: what is known of the model.
        options: further fields of the request.
    """
    given: dict[str, Any] = card.get("preprocess") or {}
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    images = (path.parent / card["images"]).resolve() if card.get("images") else None
    return ScanRequest(path, images, preprocess=PreprocessOptions(**settings), **options)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One line per row, with a head."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def read_rows(path: Path) -> list[Row]:
    """What `write_rows` wrote."""
    with path.open(newline="") as stream:
        return [_ROW.validate_python({k: v for k, v in line.items() if v}) for line in csv.DictReader(stream)]
