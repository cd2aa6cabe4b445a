"""NumPy's `.npy` files: an array of images, and perhaps one of labels in a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.interface import Reader, Source
from ninspect.samples.limits import MAX_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray


def npy_source(path: Path, beside: Path | None = None) -> Source:
    """Images from an `.npy` file, which is mapped and not read as a whole.

    Args:
        path: the file.
        beside: another one; of the two, the one with more axes holds the images, and the other their labels.

    Raises:
        UsageError: a file is broken, or its array does not hold images, or labels of them.
    """
    from ninspect.samples.arrays import array_source

    images, labels = _mapped(path), None if beside is None else _mapped(beside)
    if labels is not None and labels.ndim > images.ndim:
        path, images, labels = beside or path, labels, images
    return array_source("npy", path, images, labels)


def _mapped(path: Path) -> NDArray[Any]:
    import numpy as np

    with reading(path, "an .npy array"):
        array = np.lib.format.open_memmap(path, mode="r")
    if array.nbytes > MAX_BYTES:
        raise UsageError(f"{path} has {array.nbytes} bytes; give an array of at most {MAX_BYTES >> 30} GiB")
    return array


NPY = Reader(
    accepted="an .npy file",
    endings=(".npy",),
    starts=(b"\x93NUMPY",),
    open=lambda root, files: npy_source(*files),
)
