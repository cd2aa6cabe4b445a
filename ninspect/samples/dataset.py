"""What readers and the choice among images lead to: clean images, decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """Clean images of one size, decoded.

    Attributes:
        pixels: `[N, H, W, C]` uint8, 0–255; C is 1 (grey) or 3 (always in RGB order).
        labels: `[N]` int64, or None when the source has no labels.
        names: N names for messages and reports, `file` or `file[index]`.
        source: the path as it was given.
        kind: what its reader calls the format, such as `imagefolder`, `npz` or `cifar10`.
        skipped: one `name: reason` for every chosen image that could not be read.
        numbers: the label of each class by its name in the source, as far as they are labelled.
        notes: what was assumed of the source and what of it was not read, for people.

    >>> from pathlib import Path
    >>> from ninspect import load_samples
    >>> load_samples(Path("models/digits/samples"), image_shape=(28, 28, 1), limit=20)
    Samples(20 images of 10 classes, 28×28×1, imagefolder from 'models/digits/samples')
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    names: tuple[str, ...]
    source: str
    kind: str
    skipped: tuple[str, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of images N."""
        return len(self.pixels)

    def __repr__(self) -> str:
        _, height, width, channels = self.pixels.shape
        labels = "without labels" if self.labels is None else f"of {len(set(self.labels.tolist()))} classes"
        return f"Samples({len(self)} images {labels}, {height}×{width}×{channels}, {self.kind} from {self.source!r})"

    @property
    def unit_pixels(self) -> NDArray[np.float32]:
        """`[N, H, W, C]` float32 in [0, 1], as the rest of ninspect counts in."""
        import numpy as np

        return self.pixels.astype(np.float32) / np.float32(255)

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal hash of shape, pixels and labels: the same images in the same order have the same hash.

        Names and paths do not count, so copies elsewhere, or in another format without loss, agree.
        """
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        digest.update(self.pixels.tobytes())
        if self.labels is not None:
            digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()
