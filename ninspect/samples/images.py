"""Image files, alone or in a folder; decoded by Pillow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ninspect.errors import UsageError
from ninspect.samples.interface import Folder, Reader, Source

if TYPE_CHECKING:
    from PIL.Image import Image

# Only these decoders may see a file, whatever its name: Pillow has others that start programs (EPS).
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "GIF", "TIFF")


def is_image(name: str) -> bool:
    """Whether a file name is that of an image."""
    return IMAGES.accepts(name)


def images_source(path: Path) -> Source:
    """An image file, or the image files in a folder; without labels.

    Raises:
        UsageError: there are none in the folder.
    """
    if not path.is_dir():
        return Source("images", [path.name], None, lambda index: read_image(path))
    names = list(filter(is_image, Folder.of(path).files))
    if not names:
        raise no_images(path)
    return Source("images", names, None, lambda index: read_image(path / names[index]))


def no_images(folder: Path) -> UsageError:
    """What to say of a folder without images."""
    return UsageError(
        f"no images in {folder}; give a folder of PNG, JPEG, BMP, PPM, PGM, WebP, GIF or TIFF files, "
        "or a folder with one sub-folder of them per class"
    )


def read_image(file: Path | io.BytesIO) -> Image:
    """The first frame of an image file, upright (EXIF orientation applied) and with 8 bits a channel.

    Raises:
        Exception: almost any, when the file is broken, larger than Pillow's limit, or not one of `FORMATS`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if isinstance(file, Path) and not file.is_file():  # Opening a named pipe would wait forever.
        raise ValueError("not a file")
    try:
        with Image.open(file, formats=FORMATS) as image:
            return _eight_bit(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise ValueError("not an image in a known format") from None


def _eight_bit(image: Image) -> Image:
    """16-bit grey becomes round(pixel / 257); Pillow itself would clip it at 255."""
    import numpy as np
    from PIL import Image

    if image.mode == "F":
        raise ValueError("float pixels have no known range")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("32-bit pixels have no known range")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))


IMAGES = Reader(
    accepted="a folder of images",
    endings=(".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp", ".gif", ".tif", ".tiff"),
    find=lambda folder: [folder.path],
    open=lambda root, files, class_map: images_source(root),
)
