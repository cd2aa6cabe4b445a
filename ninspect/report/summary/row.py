"""What a summary says of one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ninspect.findings import Verdict
from ninspect.report.formats import load_result
from ninspect.report.schema import Result
from ninspect.report.wording import class_name, judgement, named_classes

VERDICTS: tuple[Verdict, ...] = ("suspected", "inconclusive", "clean")  # the worst first
Source = Literal["scan", "earlier", "twin"]
SOURCES: dict[Source, str] = {"scan": "", "earlier": "known", "twin": "same bytes as another"}
_MOST_CLASSES = 3


@dataclass(frozen=True)
class Row:
    """What is held of one model, however many there are; the rest lies in a file.

    Attributes:
        saved: the file of the result.
        path: of the model.
        verdict: of its scan.
        classes: those that are suspected, or nearly, with their names; empty where there are none.
        p_value: of the class that stands out most; None where nothing was measured.
        seconds: that the scan took.
        says: the reason of the verdict, in sentences.
        source: whether it was scanned for this summary, or was known before.
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
    page: str = ""

    @classmethod
    def of(cls, result: Result, saved: Path, source: Source = "scan") -> Row:
        """The line of a result."""
        labels = result.targets or named_classes(result)
        shown = [f"{label} {class_name(result, label)}".strip() for label in labels[:_MOST_CLASSES]]
        more = [f"{len(labels) - _MOST_CLASSES} more"] if len(labels) > _MOST_CLASSES else []
        return cls(
            saved=saved,
            path=result.model.path,
            verdict=result.verdict,
            classes=", ".join(shown + more),
            p_value=result.p_value,
            seconds=result.seconds,
            says=judgement(result),
            source=source,
        )

    def result(self) -> Result:
        """All of it, read again, with the path of this model: that of another with the same bytes may have been kept.

        Raises:
            UsageError: it is not there any more.
        """
        result = load_result(self.saved)
        return result.model_copy(update={"model": result.model.model_copy(update={"path": self.path})})


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Suspected models, then inconclusive ones, then clean ones, each by path."""
    return sorted(rows, key=lambda row: (VERDICTS.index(row.verdict), row.path))


def counted(rows: Iterable[Row]) -> str:
    """`5 models: 1 suspected, 4 clean`."""
    counts = Counter(row.verdict for row in rows)
    total = counts.total()
    each = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{total} model{'s' * (total != 1)}: {each}" if total else "no models"


def p_shown(row: Row) -> str:
    """The p-value in a cell."""
    if row.p_value is None:
        return "–"
    return f"{row.p_value:.2g}" if row.p_value >= 0.001 else "< 0.001"
