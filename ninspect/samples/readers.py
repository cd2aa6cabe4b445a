"""All formats of images. A new one is a file with its `Reader` and a line in `READERS`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.cifar import CIFAR
from ninspect.samples.class_folders import CLASS_FOLDERS
from ninspect.samples.folders import Folder
from ninspect.samples.idx import IDX
from ninspect.samples.images import IMAGES, is_image
from ninspect.samples.interface import Reader
from ninspect.samples.npy import NPY
from ninspect.samples.npz import NPZ
from ninspect.samples.parquet import PARQUET
from ninspect.samples.tables import TABLES

# The first that recognises what was given reads it. Data sets come with readme files and pictures, so these are last.
_DATA = (IDX, CIFAR, PARQUET, TABLES, NPZ, NPY)
READERS = (*_DATA, CLASS_FOLDERS, IMAGES)
ACCEPTED = f"{', '.join(reader.accepted for reader in reversed(READERS))}, or a folder with one"
_PICKLE = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_MAX_DEPTH = 4  # of folders above the data


@dataclass(frozen=True)
class Found:
    """What is at a path.

    Attributes:
        reader: for it.
        paths: the files or folders that the reader is to open.
        notes: which part of a data set it is, for people.
    """

    reader: Reader
    paths: Sequence[Path]
    notes: Sequence[str] = ()


def recognise(path: Path) -> Found:
    """The reader for what is at a path, and what it is to open.

    Raises:
        UsageError: no reader knows what it is, or there are several things that may be meant.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; give {ACCEPTED}")
    return _in_folder(Folder.of(path)) if path.is_dir() else Found(_reader_of_file(path), [path])


def _in_folder(folder: Folder, depth: int = 0) -> Found:
    """Data, else the best part of a data set, else what a lone folder holds, else folders of classes, else images."""
    for reader in _DATA:
        if paths := reader.find(folder):
            return Found(reader, paths)
    if (array := _lone_array(folder)) is not None:
        return array
    if depth < _MAX_DEPTH:
        if folder.splits:
            return _best_split(folder, depth)
        if (inner := _wrapped(folder)) is not None:
            return _in_folder(inner, depth + 1)
    return next(Found(reader, paths) for reader in (CLASS_FOLDERS, IMAGES) if (paths := reader.find(folder)))


def _best_split(folder: Folder, depth: int) -> Found:
    """The first part that has labels, else the first that has images."""
    name, found = folder.splits[0], None
    for split in folder.splits:
        part = _in_folder(folder.inner(split), depth + 1)
        labelled = part.reader is not IMAGES and (part.reader is not CLASS_FOLDERS or len(part.paths) > 1)
        if labelled or (found is None and _has_images(part.paths[0])):
            name, found = split, part
        if labelled:
            break
    found = found or part
    unused = [each for each in (*folder.folders, *folder.files) if each != name]
    others = f", and not {', '.join(unused[:6])}{', …' if len(unused) > 6 else ''}" if unused else ""
    return Found(found.reader, found.paths, [f"folder {name} was read{others}", *found.notes])


def _lone_array(folder: Folder) -> Found | None:
    """The only file of arrays in a folder without pictures or folders, or two `.npy`: images and their labels."""
    if folder.folders or any(map(is_image, folder.files)):
        return None
    for reader, most in ((NPZ, 1), (NPY, 2)):
        found = [folder.path / name for name in folder.files if reader.accepts(name)]
        if 0 < len(found) <= most:
            return Found(reader, found)
    return None


def _has_images(folder: Path) -> bool:
    return any(map(is_image, Folder.of(folder).files))


def _wrapped(folder: Folder) -> Folder | None:
    """The only folder in a folder, where it is no class itself: it holds folders or data, and its name is no number."""
    if len(folder.folders) != 1 or folder.folders[0].isdecimal() or any(map(is_image, folder.files)):
        return None
    inner = folder.inner(folder.folders[0])
    data = any(reader.find(inner) for reader in _DATA)
    return inner if data or (inner.folders and not any(map(is_image, inner.files))) else None


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
