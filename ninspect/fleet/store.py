"""A folder of results, one file each, that any number of runs may share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ninspect.errors import UsageError
from ninspect.files import make_folder, write_file
from ninspect.report import Result, load_result

_STOPPED = "SC003"  # the finding of a scan that did not come to its end


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


def saved_results(path: Path) -> Iterator[Path]:
    """The files of results in a folder; a file stands for itself.

    Raises:
        UsageError: there are none.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"there is no result in {path}; give a folder that scan --results wrote")
    yield from files
