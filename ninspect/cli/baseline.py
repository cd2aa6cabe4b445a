"""Earlier results that a pipeline accepts, of one model or of many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninspect.errors import UsageError
from ninspect.fleet.store import saved_results

if TYPE_CHECKING:
    from ninspect.report import Result

# What a comparison does not look at, and what takes most of the memory.
_HEAVY: dict[str, Any] = {"detectors": [], "triggers": [], "stamps": [], "pairs": [], "attention": None}


@dataclass(frozen=True)
class Baseline:
    """Earlier results.

    Attributes:
        results: without their pictures, triggers and scores.
    """

    results: tuple[Result, ...]

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """The results in a file, as one JSON document or a line for each, or in a folder of `--results`.

        Raises:
            UsageError: it cannot be read, or something in it is no result.
        """
        found = (result for file in saved_results(path) for result in _results(file))
        return cls(tuple(result.model_copy(update=_HEAVY) for result in found))

    def of(self, result: Result) -> list[Result]:
        """What may be known of a model: of the same bytes, else of the same path, else the only one that there is."""
        digest, path = result.model.sha256, result.model.path
        same = [known for known in self.results if digest is not None and known.model.sha256 == digest]
        there = [known for known in self.results if known.model.path == path]
        return same or there or [*self.results][: len(self.results) == 1]


def _results(file: Path) -> Iterator[Result]:
    from ninspect.report import parse_result

    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    if not content.partition(b"\n")[0].rstrip().endswith(b"}"):  # a document alone has more than one line
        yield parse_result(content, str(file))
        return
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield parse_result(line, f"line {number} of {file}")
