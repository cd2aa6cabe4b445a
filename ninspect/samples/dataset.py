"""What passes between the readers and the rest of ninspect: images listed, and images decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ninspect.errors import UsageError
from ninspect.files import reading

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_IMAGES = 2_000_000  # ImageNet has 1.3 million; more are a mistake, and their names alone fill the memory


@dataclass(frozen=True, eq=False)
class Samples:
    """Clean images of one size, decoded.

    Attributes:
        pixels: `[N, H, W, C]` uint8, 0–255; C is 1 (grey) or 3 (always in RGB order).
        labels: `[N]` int64, or None when the source has no labels.
        names: N names for messages and reports, `file` or `file[index]`.
        source: the path as it was given.
        kind: `images`, `imagefolder`, `csv`, `gtsrb`, `npz`, `npy`, `idx`, `cifar10`, `cifar100` or `parquet`.
        skipped: one `name: reason` for every chosen image that could not be read.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    names: tuple[str, ...]
    source: str
    kind: str
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of images N."""
        return len(self.pixels)

    @property
    def unit_pixels(self) -> NDArray[np.float32]:
        """`[N, H, W, C]` float32 in [0, 1], as the rest of ninspect counts in."""
        return self.pixels.astype(np.float32) / np.float32(255)

    def select(self, indices: ArrayLike) -> Samples:
        """The images at `indices` (`[M]` integers, or `[N]` booleans), in that order."""
        chosen = np.arange(len(self))[np.asarray(indices)]
        return replace(
            self,
            pixels=self.pixels[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            names=tuple(self.names[index] for index in chosen),
        )


@dataclass(frozen=True, eq=False)
class Source:
    """Images that are listed but not yet decoded, so that a subset can be chosen first.

    Attributes:
        kind: as in `Samples`.
        names: N names.
        labels: `[N]` int64, or None.
        read: decodes the image at one index to 8 bits a channel; may raise anything when the image is broken.
        channels: the channels that all images have, 1 or 3; None when images are converted to what the model wants.
    """

    kind: str
    names: Sequence[str]
    labels: NDArray[np.int64] | None
    read: Callable[[int], Image]
    channels: int | None = None


def check_count(path: Path, count: int) -> None:
    """Refuse more images than anyone has.

    Raises:
        UsageError: there are more than `MAX_IMAGES`.
    """
    if count > MAX_IMAGES:
        raise UsageError(f"{path} holds more than {MAX_IMAGES:,} files; give a part of them")


def list_folder(folder: Path) -> tuple[list[str], list[str]]:
    """The sorted names of the files and of the folders in `folder`; hidden ones do not count.

    Raises:
        UsageError: it cannot be listed, or holds more than `MAX_IMAGES` files.
    """
    files: list[str] = []
    folders: list[str] = []
    # Names only, no Path objects: ImageNet has a million of them.
    with reading(folder, "a folder"), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                (folders if _is_folder(entry) else files).append(entry.name)
                check_count(folder, len(files))
    return sorted(files), sorted(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
