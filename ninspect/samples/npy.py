"""NumPy's `.npy` files: one array of images."""

from __future__ import annotations

from pathlib import Path

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.interface import Reader, Source
from ninspect.samples.limits import MAX_BYTES


def npy_source(path: Path) -> Source:
    """Images without labels from an `.npy` file, which is mapped and not read as a whole.

    Raises:
        UsageError: the file is broken, or its array does not hold images.
    """
    import numpy as np

    from ninspect.samples.arrays import array_source

    with reading(path, "an .npy array"):
        images = np.lib.format.open_memmap(path, mode="r")
    if images.nbytes > MAX_BYTES:
        raise UsageError(f"{path} has {images.nbytes} bytes; give an array of at most {MAX_BYTES >> 30} GiB")
    return array_source("npy", path, images, None)


NPY = Reader(
    accepted="an .npy file",
    endings=(".npy",),
    starts=(b"\x93NUMPY",),
    open=lambda root, files: npy_source(files[0]),
)
