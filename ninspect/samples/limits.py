"""How much is read at most: beyond it, files are mistakes, or made to fill the memory."""

from __future__ import annotations

from pathlib import Path

from ninspect.errors import UsageError

MAX_IMAGES = 2_000_000  # ImageNet has 1.3 million; the names alone of many more fill the memory
MAX_BYTES = 8 * 2**30  # of an array
# Images do not compress like this, zip bombs do; small arrays may.
_MAX_COMPRESSION, _HARMLESS = 100, 256 * 2**20


def check_count(path: Path, count: int) -> None:
    """Refuse more images than anyone has.

    Raises:
        UsageError: there are more than `MAX_IMAGES`.
    """
    if count > MAX_IMAGES:
        raise UsageError(f"{path} holds more than {MAX_IMAGES:,} files; give a part of them")


def is_bomb(size: int, stored: int) -> bool:
    """Whether so many bytes, stored as so few, are meant to fill the memory."""
    return size > max(_HARMLESS, _MAX_COMPRESSION * stored)
