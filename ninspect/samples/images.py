"""Image files, alone, in a folder, or in class folders; decoded by Pillow."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.samples.dataset import Source, reading

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp", ".gif", ".tif", ".tiff"})
# Only these decoders may see a file, whatever its name: Pillow has others that start programs (EPS).
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "GIF", "TIFF")


def is_image(name: str) -> bool:
    """Whether a file name is that of an image."""
    return Path(name).suffix.lower() in SUFFIXES


def file_source(path: Path) -> Source:
    """One image file."""
    return Source("images", [path.name], None, lambda index: read_image(path))


def folder_source(folder: Path) -> Source:
    """A folder of images, or a folder of class folders (ImageFolder). Hidden files and folders do not count.

    The label is the position of the class folder's name in the sorted names. Names that are all integers are labels
    as they stand, so that a folder with some of the classes keeps their numbers.

    Raises:
        UsageError: there are no images, or both images and sub-folders.
    """
    names, classes = _entries(folder)
    if names and classes:
        raise UsageError(
            f"{folder} holds both images and sub-folders, so it is unclear whether it has classes; "
            "give a folder with only images, or only one sub-folder per class"
        )
    if not classes:
        return _image_source("images", folder, names, None)
    numbered = all(re.fullmatch("[0-9]{1,9}", name) for name in classes)
    classes.sort(key=int if numbered else str)
    labels: list[int] = []
    for index, name in enumerate(classes):
        images = _entries(folder / name)[0]
        names += [f"{name}/{image}" for image in images]
        labels += [int(name) if numbered else index] * len(images)
    return _image_source("imagefolder", folder, names, np.array(labels, dtype=np.int64))


def _image_source(kind: str, folder: Path, names: list[str], labels: NDArray[np.int64] | None) -> Source:
    if not names:
        raise UsageError(
            f"no images in {folder}; give a folder of PNG, JPEG, BMP, PPM, PGM, WebP, GIF or TIFF files, "
            "a folder with one sub-folder of them per class, or an .npz, .npy or MNIST IDX file"
        )
    return Source(kind, names, labels, lambda index: read_image(folder / names[index]))


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """The sorted names of the images and of the sub-folders in `folder`."""
    images: list[str] = []
    folders: list[str] = []
    # Names only, no Path objects: ImageNet has a million of them.
    with reading(folder, "a folder"), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif is_image(entry.name):
                images.append(entry.name)
    return sorted(images), sorted(folders)


def read_image(path: Path) -> Image:
    """The first frame of an image file, upright (EXIF orientation applied) and with 8 bits a channel.

    Raises:
        Exception: almost any, when the file is broken, larger than Pillow's limit, or not one of `FORMATS`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():  # Opening a named pipe would wait forever.
        raise ValueError("not a file")
    try:
        with Image.open(path, formats=FORMATS) as image:
            return _eight_bit(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise ValueError("not an image in a known format") from None


def _eight_bit(image: Image) -> Image:
    """16-bit grey becomes round(pixel / 257); Pillow itself would clip it at 255."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("float pixels have no known range")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("32-bit pixels have no known range")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))


def fit(image: Image, name: str, image_shape: tuple[int, int, int], resize: str) -> NDArray[np.uint8]:
    """`image` as `[H, W, C]` uint8.

    Raises:
        UsageError: the image has another size and `resize` is `none`.
    """
    from PIL.Image import Resampling

    height, width, channels = image_shape
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        if resize == "none":
            raise UsageError(
                f"{name} is {image.height}×{image.width}, the model wants {height}×{width}: "
                "choose a resize filter, or give images of that size"
            )
        image = image.resize((width, height), Resampling[resize.upper()])
    return np.asarray(image).reshape(image_shape)
