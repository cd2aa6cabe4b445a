"""NumPy's `.npz` archives: an array of images, and perhaps one of labels."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.folders import unlabelled
from ninspect.samples.interface import Reader, Source
from ninspect.samples.limits import MAX_BYTES, is_bomb

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The first that there is, in small letters.
IMAGE_NAMES = ("x", "x_test", "test_images", "images", "image", "data", "x_train", "train_images")
LABEL_NAMES = ("y", "y_test", "test_labels", "labels", "label", "targets", "target", "y_train", "train_labels")
_PARTS = ("test", "train", "val")


def npz_source(path: Path) -> Source:
    """Images and, if there are any, labels from an `.npz` archive.

    Raises:
        UsageError: the archive is broken, or holds no images that can be told from the rest.
    """
    from ninspect.samples.arrays import array_source

    with reading(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if members and not any(info.filename.endswith(".npy") for info in members.values()):
            raise UsageError(f"{path} is an archive of other files than arrays; unpack it, and give the folder")
        image_name = _image_name(path, archive, members)
        label_name = _label_name(image_name, members)
        images = _member(path, archive, members[image_name])
        known = label_name or _lone_labels(archive, members, len(images))
        labels = _member(path, archive, members[known]) if known else None
        if labels is not None and label_name is None and len({*labels.ravel().tolist()}) == len(images):
            known, labels = None, None  # every image has one of its own: its name, or its number
    others = [name for name in members if name != image_name] if known is None else []
    return replace(array_source("npz", path, images, labels), notes=unlabelled(others))


def _image_name(path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> str:
    if (known := _first(IMAGE_NAMES, members)) is not None:
        return known
    shapes = {name: _header(archive, info)[0] for name, info in members.items()}
    candidates = [name for name, shape in shapes.items() if len(shape) in (3, 4)]
    if len(candidates) != 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "nothing"
        raise UsageError(f"{path} has no array named {', '.join(IMAGE_NAMES)}, but {found}; name the image array x")
    return candidates[0]


def _label_name(images: str, members: dict[str, zipfile.ZipInfo]) -> str | None:
    """The labels of these images, never those of another part of the data set."""
    part = _part(images)
    same = [name for name in LABEL_NAMES if _part(name) == part]
    return _first([*same, *(name for name in LABEL_NAMES if None in (part, _part(name)))], members)


def _lone_labels(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], count: int) -> str | None:
    """The only array of one entry for each image, whatever it is called."""
    shapes = {name: _header(archive, info)[0] for name, info in members.items()}
    fitting = [name for name, shape in shapes.items() if shape in ((count,), (count, 1))]
    return fitting[0] if len(fitting) == 1 else None


def _part(name: str) -> str | None:
    return next((part for part in _PARTS if part in name.lower()), None)


def _first(names: Sequence[str], members: dict[str, zipfile.ZipInfo]) -> str | None:
    small = {name.lower(): name for name in members}
    return next((small[name] for name in names if name in small), None)


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """One array of the archive, once its header is known to be honest and harmless."""
    import numpy as np

    shape, dtype = _header(archive, info)
    if dtype.hasobject:
        raise UsageError(f"{info.filename} in {path} holds Python objects, which can run code; save it as numbers")
    if not math.prod(shape) * dtype.itemsize < info.file_size <= MAX_BYTES:
        raise UsageError(
            f"{info.filename} in {path} has {info.file_size} bytes for an array of shape {shape}; "
            f"give a complete array of at most {MAX_BYTES >> 30} GiB"
        )
    if is_bomb(info.file_size, info.compress_size):
        raise UsageError(
            f"{info.filename} in {path} is {info.compress_size} bytes that become {info.file_size}, as in a zip bomb; "
            "save it with np.savez, which does not compress"
        )
    with archive.open(info) as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    import numpy as np

    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    return shape, dtype


NPZ = Reader(
    accepted="an .npz file",
    endings=(".npz",),
    starts=(b"PK\x03\x04",),
    open=lambda root, files: npz_source(files[0]),
)
