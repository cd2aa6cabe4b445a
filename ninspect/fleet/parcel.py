"""The files of a request, to be carried to another machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ninspect.errors import NinspectError
from ninspect.files import companions, open_plain
from ninspect.fleet.identity import named_in
from ninspect.option import paths, with_paths
from ninspect.requests import ScanRequest


@dataclass(frozen=True)
class Parcel:
    """Files with their contents.

    Attributes:
        contents: by the place below the folder where they are unpacked.
    """

    contents: dict[str, bytes]

    @classmethod
    def of(cls, files: Iterable[Path], limit: int) -> Parcel | None:
        """The contents of files; None where they are more bytes than the limit, or cannot be read."""
        contents: dict[str, bytes] = {}
        try:
            for file in dict.fromkeys(files):
                with open_plain(file, follow=True) as stream:
                    content = stream.read(limit + 1)
                if (limit := limit - len(content)) < 0:
                    return None
                contents[_below(Path(), file).as_posix()] = content
        except (NinspectError, OSError):
            return None
        return cls(contents)

    def unpack(self, folder: Path) -> None:
        """Write the files below a folder."""
        for name, content in self.contents.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def files_of_model(request: ScanRequest) -> Iterator[Path]:
    """All that is read for a request besides its samples."""
    models = (request.model, *request.reference)
    for model in models:
        yield from (model, *named_in(model), *companions(model))
    yield from (path for path in paths(request) if path not in (*models, request.samples) and path.is_file())


def absolute(request: ScanRequest) -> ScanRequest:
    """A request that means the same whatever folder a process is in."""
    return with_paths(request, lambda path: Path(os.path.abspath(path)))  # noqa: PTH100  follows no links


def unpacked(request: ScanRequest, folder: Path) -> ScanRequest:
    """A request with absolute paths, that has those below the folder where its files were unpacked."""
    return with_paths(request, lambda path: _below(folder, path))


def _below(folder: Path, path: Path) -> Path:
    """Where an absolute path is moved to: below the folder, by its parts without the root."""
    return folder.joinpath(*path.parts[1:])
