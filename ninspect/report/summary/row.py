"""What a summary says of one model."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from ninspect.findings import Verdict
from ninspect.measure.discoveries import q_values
from ninspect.names import ROBUST_Z
from ninspect.report.formats import load_result
from ninspect.report.schema import Result
from ninspect.report.wording import class_name, judgement, named_classes

VERDICTS: tuple[Verdict, ...] = ("suspected", "inconclusive", "clean")  # the worst first
Source = Literal["scan", "earlier", "twin"]
SOURCES: dict[Source, str] = {"scan": "", "earlier": "known", "twin": "same bytes as another"}
_MOST_CLASSES, _MOST_NAMED = 3, 5
_FEWEST_SIBLINGS = 5  # as `OUTLIERS.fewest_classes`, without what that module imports
_APART = 0.01  # the largest p-value at which a class is said to stand out from those of its siblings


class Mark(NamedTuple):
    """How odd a class is by a method: a robust z-score over the classes; None where it could not be measured."""

    label: str
    method: str
    odd: float | None


@dataclass(frozen=True)
class Row:
    """What is held of one model, however many there are; the rest lies in a file.

    Attributes:
        saved: the file of the result.
        path: of the model.
        verdict: of its scan.
        classes: those that are suspected, or nearly, with their names; empty where there are none.
        p_value: of the class that stands out most; None where nothing was measured.
        q_value: the share of clean ones to be expected among all models with a p-value as small, if they were accused.
        seconds: that the scan took.
        says: the reason of the verdict, in sentences.
        source: whether it was scanned for this summary, or was known before.
        family: what it shares with its siblings: architecture, samples, classes and methods; empty where unknown.
        marks: how odd each class is by each method, as the result has it.
        apart: what stands out in it and not in its siblings, in a sentence; empty where nothing does.
        page: where the report of this model lies, relative to the summary; empty where there is none.
    """

    saved: Path
    path: str
    verdict: Verdict
    classes: str
    p_value: float | None
    seconds: float
    says: str
    source: Source = "scan"
    family: str = ""
    marks: tuple[Mark, ...] = ()
    apart: str = ""
    page: str = ""
    q_value: float | None = None

    @classmethod
    def of(cls, result: Result, saved: Path, source: Source = "scan") -> Row:
        """The line of a result."""
        labels = result.targets or named_classes(result)
        named = [_with_name(result, label) for label in labels[:_MOST_CLASSES]]
        more = [f"{len(labels) - _MOST_CLASSES} more"] if len(labels) > _MOST_CLASSES else []
        return cls(
            saved=saved,
            path=result.model.path,
            verdict=result.verdict,
            classes=", ".join(named + more),
            p_value=result.p_value,
            seconds=result.seconds,
            says=judgement(result),
            source=source,
            family=_family(result),
            marks=tuple(
                Mark(_with_name(result, label), detector.name, index)
                for detector in result.detectors
                if detector.test == ROBUST_Z
                for label, index in zip(result.explained, detector.index, strict=True)
            ),
        )

    @property
    def remarks(self) -> list[str]:
        """What a person should read of this model: why it is not clean, and what sets it apart from its siblings."""
        return [self.says] * (self.verdict != "clean") + [self.apart] * bool(self.apart)

    def result(self) -> Result:
        """All of it, read again, with the path of this model: that of another with the same bytes may have been kept.

        Raises:
            UsageError: it is not there any more.
        """
        result = load_result(self.saved)
        return result.model_copy(update={"model": result.model.model_copy(update={"path": self.path})})


def _with_name(result: Result, label: int) -> str:
    return f"{label} {class_name(result, label)}".strip()


def _family(result: Result) -> str:
    """The same for models that are compared with each other."""
    if result.model.architecture is None or not result.detectors:
        return ""
    samples = None if result.samples is None else result.samples.sha256
    methods = [detector.name for detector in result.detectors]
    return json.dumps([result.model.architecture, samples, result.explained, methods])


def compared(rows: Sequence[Row]) -> list[Row]:
    """The rows with what stands out in each and not in its siblings."""
    families = defaultdict[str, list[int]](list)
    for number, row in enumerate(rows):
        if row.family and row.source != "twin":
            families[row.family].append(number)
    found = list(rows)
    for members in families.values():
        if len(members) >= _FEWEST_SIBLINGS:
            for number, apart in zip(members, _apart([rows[number] for number in members]), strict=True):
                found[number] = replace(rows[number], apart=apart)
    return found


def _apart(family: Sequence[Row]) -> list[str]:
    import numpy as np

    from ninspect.measure.siblings import apart

    z, p = apart(np.array([[mark.odd for mark in row.marks] for row in family], np.float64))
    sentences = []
    for row, far, chance in zip(family, z, p, strict=True):
        best = int(np.nanargmin(chance)) if np.isfinite(chance).any() else None
        if best is None or chance[best] > _APART:
            sentences.append("")
            continue
        mark = row.marks[best]
        sentences.append(
            f"Class {mark.label} stands out from the same class of {len(family) - 1} models of its kind "
            f"({mark.method}: {far[best]:.1f} times their spread, {_p(chance[best])})."
        )
    return sentences


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Suspected models, then inconclusive ones, then clean ones, each by path; with all that takes all to say."""
    rows = compared(list(rows))
    rated = [replace(row, q_value=q) for row, q in zip(rows, q_values([row.p_value for row in rows]), strict=True)]
    return sorted(rated, key=lambda row: (VERDICTS.index(row.verdict), row.path))


def counted(rows: Iterable[Row]) -> str:
    """`5 models: 1 suspected, 4 clean`."""
    counts = Counter(row.verdict for row in rows)
    total = counts.total()
    each = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{total} model{'s' * (total != 1)}: {each}" if total else "no models"


def discoveries(rows: Iterable[Row], rate: float) -> str:
    """`2 models have q ≤ 0.05; of these, 5% or fewer are expected to be clean`, by statistics alone."""
    found = [row for row in rows if row.q_value is not None and row.q_value <= rate]
    if not found:
        return f"no model has q ≤ {rate:g}"
    one = len(found) == 1
    named = ", ".join(row.path for row in found[:_MOST_NAMED]) + (", …" if len(found) > _MOST_NAMED else "")
    return (
        f"{len(found)} model{'' if one else 's'} {'has' if one else 'have'} q ≤ {rate:g} ({named}); "
        f"of models chosen so, {rate:.0%} or fewer are expected to be clean"
    )


def _p(p: float) -> str:
    text = shown(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def shown(p: float | None) -> str:
    """A p-value or a q-value in a cell."""
    if p is None:
        return "–"
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"
