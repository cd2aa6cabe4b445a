"""What a reader is, and what it gives: images that are listed, not yet decoded.

Readers import NumPy and Pillow only when they open something, so that the command line can ask them what the sandbox
must be able to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ninspect.samples.folders import Folder
from ninspect.samples.labels import Labels

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class Source:
    """Images that are listed but not yet decoded, so that a subset can be chosen first.

    Attributes:
        kind: as in `Samples`.
        names: N names.
        labels: of the images, or None.
        read: decodes the image at one index; may raise anything when the image is broken.
        channels: the channels that all images have, 1 or 3; None when images are converted to what the model wants.
        notes: what of the data set is not read, for people.
    """

    kind: str
    names: Sequence[str]
    labels: Labels | None
    read: Callable[[int], Image]
    channels: int | None = None
    notes: Sequence[str] = ()


def _nothing(folder: Folder) -> Sequence[Path]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One format of images: how it is recognised, and how it is opened.

    Attributes:
        accepted: what people may give, with an article, for messages.
        open: lists the images in (the path that was given, the files or folders of this format in it); raises
            `UsageError` where they are broken.
        endings: of the names of its files, in small letters.
        starts: first bytes of its files, for those whose name says nothing.
        find: what `open` wants of a folder; empty: the folder is not of this format. Raises `UsageError` where it is
            unclear what is meant.
        siblings: what belongs to a file lies beside it, so the folder of the file must be readable, too.
    """

    accepted: str
    open: Callable[[Path, Sequence[Path]], Source]
    endings: tuple[str, ...] = ()
    starts: tuple[bytes, ...] = ()
    find: Callable[[Folder], Sequence[Path]] = _nothing
    siblings: bool = False

    def accepts(self, name: str) -> bool:
        """Whether a file name is that of this format."""
        return name.lower().endswith(self.endings)
