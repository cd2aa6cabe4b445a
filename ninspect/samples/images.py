"""Image files, alone or in a folder; decoded by Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ninspect.errors import UsageError
from ninspect.samples.folders import Folder, left_out, within
from ninspect.samples.interface import Reader, Source

if TYPE_CHECKING:
    from PIL.Image import Image

# Only these decoders may see a file, whatever its name: Pillow has others that start programs (EPS).
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "GIF", "TIFF", "AVIF")
_OPTIONAL = ("WEBP", "AVIF")  # not every Pillow is built with them


def is_image(name: str) -> bool:
    """Whether a file name is that of an image."""
    return IMAGES.accepts(name)


def images_source(root: Path, found: Sequence[Path]) -> Source:
    """An image file, or the image files in a folder; without labels.

    Raises:
        UsageError: there are none in the folder.
    """
    (path,) = found
    if not path.is_dir():
        return Source("images", [path.name], None, lambda index: read_image(path))
    folder = Folder.of(path, root)
    names = [str((path / name).relative_to(root)) for name in folder.files if is_image(name)]
    notes = left_out((name for name in folder.files if not is_image(name)), folder.outside)
    if not names:
        raise no_images(path, notes)
    return Source("images", names, None, lambda index: read_image(root / names[index], root), notes=notes)


def no_images(folder: Path, notes: Sequence[str]) -> UsageError:
    """What to say of a folder without images; the notes say what is there."""
    there = "".join(f"; {note}" for note in notes)
    return UsageError(
        f"no images in {folder}{there}; give a folder of PNG, JPEG, BMP, PPM, PGM, WebP, AVIF, GIF or TIFF files, "
        "or a folder with one sub-folder of them per class"
    )


def read_image(file: Path | io.BytesIO, root: Path | None = None) -> Image:
    """The first frame of an image file, upright (EXIF orientation applied).

    Args:
        file: the image.
        root: a folder that no link may lead out of.

    Raises:
        Exception: almost any, when the file is broken, larger than Pillow's limit, or not one of `FORMATS`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError, features

    if isinstance(file, Path):
        if not file.is_file():  # Opening a named pipe would wait forever.
            raise ValueError("not a file")
        if root is not None and not within(file, root):
            raise ValueError("a link that leads out of the folder")
    formats = [name for name in FORMATS if name not in _OPTIONAL or features.check(name.lower())]
    try:
        with Image.open(file, formats=formats) as image:
            return ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        missing = [name for name in _OPTIONAL if name not in formats]
        lacks = f"; this Pillow does not read {' and '.join(missing)}" if missing else ""
        raise ValueError(f"not an image in a known format{lacks}") from None


IMAGES = Reader(
    accepted="a folder of images",
    endings=(
        *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".ppm", ".pgm"),
        *(".webp", ".avif", ".gif", ".tif", ".tiff"),
    ),
    find=lambda folder: [folder.path],
    open=images_source,
)
