"""MNIST's IDX files, plain or gzipped: a magic number, the sizes as big-endian uint32, then the bytes."""

from __future__ import annotations

import gzip
import math
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.folders import Folder
from ninspect.samples.interface import Reader, Source
from ninspect.samples.limits import MAX_BYTES, is_bomb

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# MNIST's own names have a hyphen before "idx"; many mirrors have a dot.
_ENDINGS = tuple(f"images{mark}idx{axes}-ubyte{zipped}" for mark in "-." for axes in "34" for zipped in ("", ".gz"))
_IMAGES = re.compile(r"images([-.])idx[34]-ubyte(\.gz)?$")
UBYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"


def idx_test_images(folder: Folder) -> list[Path]:
    """The file of IDX images in a folder, the test set before the training set; empty when there are none.

    Raises:
        UsageError: there are several files, and it is not clear which one is meant.
    """
    paths = [path for name in folder.files if IDX.accepts(name) and (path := folder.path / name).is_file()]
    # A file and its .gz are the same images; the shorter name comes later and wins.
    found = list({path.name.removesuffix(".gz"): path for path in sorted(paths, reverse=True)}.values())
    chosen = [path for path in found if "t10k" in path.name or "test" in path.name] or found
    if len(chosen) > 1:
        raise UsageError(
            f"{folder.path} holds several sets of images ({', '.join(path.name for path in chosen)}); "
            "give one of the files"
        )
    return chosen


def idx_source(path: Path) -> Source:
    """Images from an IDX file, with the labels of the file that belongs to it, if that exists.

    Raises:
        UsageError: a file is broken, or is not IDX.
    """
    from ninspect.samples.arrays import array_source

    labels = _labels_path(path)
    return array_source("idx", path, read_idx(path, (3, 4)), read_idx(labels, (1,)) if labels else None)


def _labels_path(images: Path) -> Path | None:
    """The labels that belong to images of this name; files of other names have none."""
    name, replaced = _IMAGES.subn(r"labels\1idx1-ubyte", images.name)
    if not replaced:
        return None
    return next((path for path in (images.with_name(name), images.with_name(f"{name}.gz")) if path.is_file()), None)


def read_idx(path: Path, dimensions: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes.

    Args:
        path: the file.
        dimensions: the numbers of axes to accept.

    Raises:
        UsageError: the header is not that of such a file, or does not fit the length of the data.
    """
    import numpy as np

    with reading(path, "an IDX file"), path.open("rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        stream: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=file) if zipped else file
        zero, kind, axes = struct.unpack(">HBB", stream.read(4))
        if (zero, kind) != (0, UBYTE) or axes not in dimensions:
            expected = " or ".join(f"0x{UBYTE << 8 | axes:08x}" for axes in dimensions)
            found = zero << 16 | kind << 8 | axes
            raise UsageError(f"{path} starts with 0x{found:08x}, an IDX file of this name with {expected}; replace it")
        shape = struct.unpack(f">{axes}I", stream.read(4 * axes))
        size = math.prod(shape)
        # Reading one byte more than announced also finds data that is too long.
        stored = path.stat().st_size
        possible = size <= MAX_BYTES and (not is_bomb(size, stored) if zipped else size <= stored)
        data = stream.read(size + 1) if possible else b""
    if len(data) != size:
        raise UsageError(
            f"{path} announces {size} bytes for shape {shape}, but does not hold just these; "
            f"give a complete file of at most {MAX_BYTES >> 30} GiB"
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


IDX = Reader(
    accepted="an IDX file",
    endings=_ENDINGS,
    starts=(bytes([0, 0, UBYTE]),),
    find=idx_test_images,
    open=lambda root, files: idx_source(files[0]),
    siblings=True,  # the labels
)
