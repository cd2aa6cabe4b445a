"""CIFAR's binary batches: records of one label byte (two in CIFAR-100) and 3·32·32 pixels, colour by colour."""

from __future__ import annotations

from pathlib import Path

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.folders import Folder
from ninspect.samples.interface import Reader, Source
from ninspect.samples.limits import MAX_BYTES

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
# Kind, and how many classes each label byte counts; the last byte is the label.
_VERSIONS = (("cifar10", (10,)), ("cifar100", (20, 100)))


def cifar_test_batch(folder: Folder) -> list[Path]:
    """The binary batch in a folder, that of the test set first; empty where there is none.

    Raises:
        UsageError: there are several, or they are those of the Python version.
    """
    batches = [name for name in folder.files if CIFAR.accepts(name)]
    chosen = [name for name in batches if "test" in name] or batches
    if len(chosen) > 1:
        raise UsageError(f"{folder.path} holds several batches ({', '.join(chosen[:8])}); give one of the files")
    if not chosen and "batches.meta" in folder.files:
        raise UsageError(f"{folder.path} holds pickled batches, which can run code; give CIFAR's binary version")
    return [folder.path / name for name in chosen]


def cifar_source(path: Path) -> Source:
    """Images and labels of a batch of CIFAR-10 or CIFAR-100, told apart by size and labels.

    Raises:
        UsageError: the file is neither.
    """
    import numpy as np

    from ninspect.samples.arrays import array_source

    with reading(path, "a CIFAR batch"):
        size = path.stat().st_size
        content = np.fromfile(path, dtype=np.uint8) if 0 < size <= MAX_BYTES else np.empty(0, np.uint8)
    for kind, counts in _VERSIONS:
        width = len(counts) + _PIXELS
        if len(content) and len(content) % width == 0:
            records = content.reshape(-1, width)
            labels = records[:, : len(counts)]
            if (labels < counts).all():
                return array_source(kind, path, records[:, len(counts) :].reshape(-1, *_SHAPE), labels[:, -1])
    raise UsageError(f"{path} is not a binary batch of CIFAR-10 or CIFAR-100; give a complete one")


CIFAR = Reader(
    accepted="a CIFAR batch",
    endings=(".bin",),
    find=cifar_test_batch,
    open=lambda root, files: cifar_source(files[0]),
)
