"""What a result depends on, as one number: where it is the same, a scan would say the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from ninspect.errors import NinspectError
from ninspect.files import companions, open_plain
from ninspect.requests import ScanRequest
from ninspect.samples import readable

# Where a model is and on what it runs; its content and that of its images count instead.
_PLACES = ("model", "samples", "reference", "device", "memory")

Contents = dict[str, Any]  # digests of files, by what they are


def identity(request: ScanRequest, model: Contents | None = None, samples: Contents | None = None) -> str:
    """SHA-256 of all that decides what a scan says.

    These are the version of ninspect, the options, and the contents of the model, its references and the samples.

    Args:
        request: a scan.
        model: `contents_of_model`, where they are known.
        samples: `contents_of_samples`, where they are known.

    Raises:
        NinspectError: the model is no regular file.
        OSError: a file cannot be read.
    """
    known = {
        "ninspect": _version(),
        "references": [_contents_of_reference(path) for path in request.reference],
        "options": {name: _content(value) for name, value in request.facts().items() if name not in _PLACES},
        **(model or contents_of_model(request.model)),
        **(samples or contents_of_samples(request.samples)),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def contents_of_model(model: Path) -> Contents:
    """SHA-256 of a model, of the files of its weights, and of those that say how it is fed and what its classes are.

    The model is not parsed for that: every file in its folder or below whose name it contains counts as weights.

    Raises:
        NinspectError: the model is no regular file.
        OSError: a file cannot be read.
    """
    return {
        "model": _sha256(model),
        "weights": {path.relative_to(model.parent).as_posix(): _sha256(path) for path in named_in(model)},
        "beside": {path.name: _sha256(path) for path in companions(model)},
    }


@cache
def _contents_of_reference(model: Path) -> Contents:
    """The same, asked once for many models."""
    return contents_of_model(model)


def contents_of_samples(samples: Path | None) -> Contents:
    """SHA-256 of images, asked once for many models."""
    return {"samples": None if samples is None else _samples(samples)}


def key_of(request: ScanRequest) -> str:
    """The same; of a model that cannot be read, a number that its path alone has: the scan says what is wrong."""
    try:
        return identity(request)
    except (NinspectError, OSError):
        return hashlib.sha256(os.fsencode(request.model)).hexdigest()


def named_in(model: Path, files: Iterable[Path] | None = None) -> list[Path]:
    """Files that a model may keep weights in: it is not parsed, only searched for their names.

    Protobuf stores text as it is, so no name is missed; letters may be of either case, as on Windows and macOS.

    Args:
        model: the ONNX file.
        files: among these; None: all in its folder and below.
    """
    if not model.is_file() or model.stat().st_size == 0:
        return []
    with open_plain(model, follow=True) as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        if content.find(b"location") < 0:  # the field that all weights in other files have
            return []
        text = content[:].lower()
    among = _others(model.parent) if files is None else files
    return [path for path in among if path.name.encode(errors="surrogateescape").lower() in text]


def is_model(path: Path) -> bool:
    """Whether a path ends as ONNX files do."""
    return path.suffix.lower() == ".onnx"


def _others(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not is_model(path) and path.is_file())


def files_of_samples(samples: Path) -> Iterator[Path]:
    """All that is read of samples: the files of a folder, or a file with those beside it."""
    *_, widest = readable(samples)
    yield from (one for one in widest.rglob("*") if one.is_file()) if widest.is_dir() else [samples]


@cache
def _version() -> str:
    return version("ninspect")


def _content(value: Any) -> Any:
    """An option; in place of a path to a file, what the file holds."""
    if isinstance(value, dict):
        return {name: _content(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_content(entry) for entry in value]
    is_file = isinstance(value, str) and len(value) < 4096 and Path(value).is_file()
    return _sha256(Path(value)) if is_file else value


@cache
def _samples(path: Path) -> str:
    """Of names and content of all files in a folder, or beside a table."""
    *_, widest = readable(path)
    chosen = "" if widest == path else path.name
    listed = [[str(one.relative_to(widest)), _sha256(one)] for one in sorted(files_of_samples(path))]
    return hashlib.sha256(json.dumps([chosen, *listed]).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with open_plain(path, follow=True) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
