"""All formats of images. A new one is a file with its `Reader` and a line in `READERS`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.cifar import CIFAR
from ninspect.samples.class_folders import CLASS_FOLDERS
from ninspect.samples.idx import IDX
from ninspect.samples.images import IMAGES
from ninspect.samples.interface import Folder, Reader
from ninspect.samples.npy import NPY
from ninspect.samples.npz import NPZ
from ninspect.samples.parquet import PARQUET
from ninspect.samples.tables import TABLES

# The first that recognises what was given reads it. Data sets come with readme files and pictures, so these are last.
READERS = (IDX, CIFAR, PARQUET, TABLES, NPZ, NPY, CLASS_FOLDERS, IMAGES)
ACCEPTED = f"{', '.join(reader.accepted for reader in reversed(READERS))}, or a folder with one"
_PICKLE = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


def recognise(path: Path) -> tuple[Reader, Sequence[Path]]:
    """The reader for what is at `path`, and the files or folders that it is to open.

    Raises:
        UsageError: no reader knows what it is, or there are several things that may be meant.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; give {ACCEPTED}")
    if not path.is_dir():
        return _reader_of_file(path), [path]
    folder = Folder.of(path)
    return next((reader, found) for reader in READERS if (found := reader.find(folder)))


def readable(samples: Path) -> list[Path]:
    """What must be readable for these samples: the path, and the folder of a file that has others beside it."""
    reader = _by_name(samples)
    return [samples, samples.parent] if reader is not None and reader.siblings else [samples]


def _reader_of_file(path: Path) -> Reader:
    """By the name, or by how the content starts where the name says nothing."""
    if not path.is_file():
        raise UsageError(f"{path} holds no images that ninspect reads; give {ACCEPTED}")
    with reading(path, "a file"), path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_PICKLE):
        raise UsageError(f"{path} is a Python pickle, which can run code when it is loaded; save it as .npz")
    reader = _by_name(path) or next((reader for reader in READERS if start.startswith(reader.starts)), None)
    if reader is None:
        raise UsageError(f"{path} holds no images that ninspect reads; give {ACCEPTED}")
    return reader


def _by_name(path: Path) -> Reader | None:
    return next((reader for reader in READERS if reader.accepts(path.name)), None)
