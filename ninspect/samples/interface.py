"""What a reader is, and what it gives: images that are listed, not yet decoded.

Readers import NumPy and Pillow only when they open something, so that the command line can ask them what the sandbox
must be able to read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ninspect.files import reading
from ninspect.samples.labels import ClassMap
from ninspect.samples.limits import check_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


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


@dataclass(frozen=True)
class Folder:
    """What is in a folder; hidden files and folders do not count.

    Attributes:
        path: of the folder.
        files: names of the files in it, sorted.
        folders: likewise. Names only, no `Path`: ImageNet has a million of them.
    """

    path: Path
    files: Sequence[str]
    folders: Sequence[str]

    @classmethod
    def of(cls, path: Path) -> Folder:
        """Lists a folder.

        Raises:
            UsageError: it cannot be listed, or holds more than `MAX_IMAGES` files.
        """
        files: list[str] = []
        folders: list[str] = []
        with reading(path, "a folder"), os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if _is_folder(entry) else files).append(entry.name)
                    check_count(path, len(files))
        return cls(path, sorted(files), sorted(folders))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _nothing(folder: Folder) -> Sequence[Path]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One format of images: how it is recognised, and how it is opened.

    Attributes:
        accepted: what people may give, with an article, for messages.
        open: lists the images in (the path that was given, the files or folders of this format in it, class map);
            raises `UsageError` where they are broken.
        endings: of the names of its files, in small letters.
        starts: first bytes of its files, for those whose name says nothing.
        find: what `open` wants of a folder; empty: the folder is not of this format. Raises `UsageError` where it is
            unclear what is meant.
        named: classes have names, of which a class map says the numbers.
        siblings: what belongs to a file lies beside it, so the folder of the file must be readable, too.
    """

    accepted: str
    open: Callable[[Path, Sequence[Path], ClassMap | None], Source]
    endings: tuple[str, ...] = ()
    starts: tuple[bytes, ...] = ()
    find: Callable[[Folder], Sequence[Path]] = _nothing
    named: bool = False
    siblings: bool = False

    def accepts(self, name: str) -> bool:
        """Whether a file name is that of this format."""
        return name.lower().endswith(self.endings)
