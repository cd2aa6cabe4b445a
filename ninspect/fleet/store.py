"""A folder of results, one file each, that any number of runs may share."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ninspect.errors import UsageError
from ninspect.files import make_folder, write_file
from ninspect.fleet.identity import Contents
from ninspect.report import Result, load_result

_STOPPED = "SC003"  # the finding of a scan that did not come to its end


class Note(BaseModel):
    """What was fetched from an address.

    Attributes:
        address: of a model or of samples.
        marks: what the file system said of each file that belongs to it.
        contents: what these hold, as `identity` has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    marks: dict[str, str]
    contents: Contents


class Store:
    """Results by the identity of what was scanned.

    A file is written as a whole or not at all, so that a run which is killed leaves only results that are complete, and
    two runs at a time do each other no harm.
    """

    def __init__(self, folder: Path) -> None:
        """A folder that is made if it is not there.

        Raises:
            UsageError: it is a file.
            WriteError: it cannot be written.
        """
        make_folder(folder)
        self._folder = folder

    def path(self, key: str) -> Path:
        """Where the result of an identity lies, whether it is there or not."""
        return self._folder / f"{key}.json"

    def finished(self, key: str) -> Result | None:
        """The result of an identity; None where there is none, or its scan did not come to its end."""
        try:
            result = load_result(self.path(key))
        except UsageError:  # there is none, or one of another schema
            return None
        return None if any(finding.rule == _STOPPED for finding in result.findings) else result

    def keep(self, key: str, result: Result) -> Path:
        """Write a result.

        Raises:
            WriteError: the disk is full, or the folder read-only.
        """
        write_file(self.path(key), result.to_json().encode())
        return self.path(key)

    def note(self, address: str) -> Note | None:
        """What is known of an address; None where that is nothing."""
        try:
            return Note.model_validate(json.loads(self._note(address).read_bytes()))
        except (OSError, ValueError):
            return None

    def keep_note(self, address: str, marks: dict[str, str], contents: Contents) -> None:
        """Write a note.

        Raises:
            WriteError: the disk is full, or the folder read-only.
        """
        note = {"address": address, "marks": marks, "contents": contents}
        write_file(self._note(address), json.dumps(note, indent=2).encode())

    def _note(self, address: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(address)).hexdigest()}.address"


def saved_results(path: Path) -> Iterator[Path]:
    """The files of results in a folder; a file stands for itself.

    Raises:
        UsageError: there are none.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"there is no result in {path}; give a folder that scan --results wrote")
    yield from files
