"""A trigger as it is put on images: a mask and a pattern, exact, in memory and as bytes."""

from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.files import reason
from ninspect.runtime import Pixels

Array = NDArray[np.float32]


def stamp(images: Pixels, mask: Array, pattern: Array) -> Pixels:
    """x' = (1 − m) · x + m · p, for one patch or several.

    Args:
        images: `[N, H, W, C]`.
        mask: `[..., H, W]`.
        pattern: `[..., H, W, C]`.

    Returns:
        `[..., N, H, W, C]`.
    """
    m = mask[..., None, :, :, None]
    return images + m * (pattern[..., None, :, :, :] - images)


@dataclass(frozen=True, eq=False, repr=False)
class Patch:
    """One trigger, x' = (1 − m) · x + m · p.

    Attributes:
        mask: `[H, W]` float32 in [0, 1], how much of an image it covers, m.
        pattern: `[H, W, C]` float32 in [0, 1], with what, p.

    >>> mask = np.zeros((28, 28), np.float32)
    >>> mask[24:, 24:] = 1
    >>> patch = Patch(mask, np.ones((28, 28, 1), np.float32))
    >>> patch
    Patch(16.0 pixels of 28×28×1)
    >>> patch.stamp(np.zeros((5, 28, 28, 1), np.float32)).shape, Patch.from_npz(patch.to_npz()).size
    ((5, 28, 28, 1), 16.0)
    """

    mask: Array
    pattern: Array

    def __repr__(self) -> str:
        height, width, channels = self.pattern.shape
        return f"Patch({self.size:.1f} pixels of {height}×{width}×{channels})"

    @property
    def size(self) -> float:
        """‖m‖₁, in pixels."""
        return float(self.mask.sum(dtype=np.float64))

    @property
    def on_grey(self) -> Pixels:
        """The patch alone, `[H, W, C]`."""
        return np.squeeze(self.stamp(np.full((1, *self.pattern.shape), 0.5, np.float32)), axis=0)

    def stamp(self, images: Pixels) -> Pixels:
        """The images `[N, H, W, C]`, in [0, 1], with the patch on each.

        Raises:
            UsageError: they are of another size, or whole numbers from 0 to 255.
        """
        if images.shape[1:] != self.pattern.shape or images.dtype.kind != "f":
            wanted = "×".join(map(str, self.pattern.shape))
            raise UsageError(
                f"the patch is for images of {wanted} in [0, 1], and these are {images.dtype} of shape {images.shape}; "
                "give what load_samples(…, image_shape=patch.pattern.shape).unit_pixels has"
            )
        return stamp(images, self.mask, self.pattern)

    def to_npz(self) -> bytes:
        """Mask and pattern as an `.npz` archive, uncompressed; the same bytes for the same patch."""
        stream = io.BytesIO()
        np.savez(stream, mask=self.mask, pattern=self.pattern)
        return stream.getvalue()

    @classmethod
    def from_base64(cls, text: str) -> Patch:
        """What `to_npz` wrote, as a result holds it.

        Raises:
            UsageError: as `from_npz`.
        """
        return cls.from_npz(base64.b64decode(text))

    @classmethod
    def from_npz(cls, data: bytes) -> Patch:
        """What `to_npz` wrote, which may have come from somebody else: it is checked, and nothing in it is run.

        Raises:
            UsageError: the bytes are no such archive, or its arrays are no mask and pattern.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                mask, pattern = (_array(archive, name, len(data)) for name in ("mask", "pattern"))
            _check(mask, pattern)
        # Broken archives make zipfile and NumPy raise ValueError, EOFError, zlib.error, RuntimeError, MemoryError, ...
        except Exception as error:
            raise UsageError(f"the patch cannot be read ({reason(error)}); give one that ninspect wrote") from error
        return cls(mask, pattern)


def _array(archive: zipfile.ZipFile, name: str, most: int) -> Array:
    """One array of the archive; no larger than the archive, so that nothing small fills the memory."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > most:
        raise ValueError(f"its {name} is compressed")
    with archive.open(info) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _check(mask: Array, pattern: Array) -> None:
    if mask.ndim != 2 or pattern.ndim != 3 or pattern.shape[:2] != mask.shape or not pattern.size:
        raise ValueError(f"a mask of shape {mask.shape} and a pattern of shape {pattern.shape} do not fit")
    for name, values in (("mask", mask), ("pattern", pattern)):
        if values.dtype != np.float32:
            raise ValueError(f"its {name} is {values.dtype}, not float32")
        if not (values.min() >= 0 and values.max() <= 1):  # nor not a number
            raise ValueError(f"its {name} has values outside 0 to 1")
