"""What differs from model to model: a manifest with a row for each, and rules by pattern."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ninspect.errors import UsageError
from ninspect.files import read_text
from ninspect.fleet.remote import address_of
from ninspect.names import PRESETS, Preset
from ninspect.requests import ScanRequest

KEYS = ("path", "samples", "preprocess", "class_names")
_WANTED = f"a CSV file with a header of {', '.join(KEYS)}, or JSON lines with such keys"
_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Entry:
    """What is said of one model, or of all that a pattern fits; None: nothing.

    Attributes:
        path: of the model, or the pattern.
        samples: its clean images.
        preprocess: a preset, or the path of a file.
        class_names: the file with them.
    """

    path: str
    samples: Path | None = None
    preprocess: Preset | Path | None = None
    class_names: Path | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], folder: Path, where: str) -> Entry:
        """An entry whose paths are relative to a folder.

        Raises:
            UsageError: a key is unknown, a value is no text, or there is no path.
        """
        if unknown := [key for key in values if key not in KEYS]:
            raise UsageError(f"{where} has the key '{unknown[0]}'; the keys are {', '.join(KEYS)}")
        if wrong := [key for key, value in values.items() if not isinstance(value, str | None)]:
            raise UsageError(f"{where}: {wrong[0]} is no text; correct it")
        given = {key: value for key, value in values.items() if value}
        if "path" not in given:
            raise UsageError(f"{where} has no path; add that of the model")
        paths = {key: _anchored(value, folder) for key, value in given.items() if key != "path"}
        if given.get("preprocess") in PRESETS:
            paths["preprocess"] = given["preprocess"]
        return cls(given["path"], **paths)

    def applied(self, request: ScanRequest) -> ScanRequest:
        """A request with what is said here in place of its own."""
        preprocess = request.preprocess
        if isinstance(self.preprocess, Path):
            preprocess = replace(preprocess, file=self.preprocess, preset=None)
        elif self.preprocess is not None:
            preprocess = replace(preprocess, preset=self.preprocess)
        return replace(
            request,
            samples=self.samples or request.samples,
            class_names=self.class_names or request.class_names,
            preprocess=preprocess,
        )


def read_manifest(file: Path) -> list[tuple[Path, Entry]]:
    """Models with what is said of each, in the order of the rows. Paths are relative to the folder of the manifest.

    Raises:
        UsageError: it cannot be read, or a row is wrong; whether a model is there is not asked.
    """
    text = read_text(file, _WANTED, _MAX_BYTES)
    rows = _json_rows(text, file) if file.suffix.lower() == ".jsonl" else _csv_rows(text, file)
    entries = [Entry.of(values, file.parent, f"line {number} of {file}") for number, values in rows]
    if not entries:
        raise UsageError(f"{file} names no models; give {_WANTED}")
    return [(_anchored(entry.path, file.parent), entry) for entry in entries]


def _anchored(path: str, folder: Path) -> Path:
    """A path that is relative to a folder; an address stays as it is."""
    return Path(path) if address_of(Path(path)) else folder / path


def _json_rows(text: str, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, dict(json.loads(line))
            except (TypeError, ValueError, RecursionError) as error:
                raise UsageError(f"line {number} of {file} is no object of JSON; correct it") from error


def _csv_rows(text: str, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.reader(text.splitlines())
    header = [cell.strip() for cell in next(rows, [])]
    if "path" not in header:
        raise UsageError(f"{file} has no column 'path'; give {_WANTED}")
    for cells in rows:
        if len(cells) > len(header):
            raise UsageError(f"line {rows.line_num} of {file} has more cells than the header; correct it")
        if any(cell.strip() for cell in cells):
            yield rows.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=False))


@dataclass(frozen=True)
class Rules:
    """What a file of options says of models by pattern; the first that fits a model applies.

    Attributes:
        folder: of the file; patterns are relative to it.
        entries: in the order of the file.
    """

    folder: Path
    entries: Sequence[Entry]

    @classmethod
    def of(cls, tables: Any, file: Path) -> Rules:
        """The tables `[[models]]` of a file.

        Raises:
            UsageError: they are something else, or one of them is wrong.
        """
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{file}: models must be tables such as [[tool.ninspect.models]]; correct it")
        named = [(f"{file}: models, number {number},", table) for number, table in enumerate(tables, 1)]
        return cls(file.parent, [Entry.of(table, file.parent, where) for where, table in named])

    def apply(self, requests: Sequence[ScanRequest]) -> list[ScanRequest]:
        """The requests, each with what the first rule that fits its model says."""
        fitting = [({path.resolve() for path in self._fitting(entry)}, entry) for entry in self.entries]
        return [
            next((entry.applied(one) for models, entry in fitting if one.model.resolve() in models), one)
            for one in requests
        ]

    def _fitting(self, entry: Entry) -> list[Path]:
        try:
            return list(self.folder.glob(entry.path))
        except (NotImplementedError, ValueError) as error:
            raise UsageError(f"'{entry.path}' is no pattern of paths below {self.folder}: {error}") from error
