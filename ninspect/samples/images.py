"""Image files, alone, in a folder, or in class folders; decoded by Pillow."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.preprocess.settings import Preprocess
from ninspect.samples.dataset import Source, check_count, list_folder
from ninspect.samples.labels import ClassMap, label_numbers

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


def folder_source(folder: Path, class_map: ClassMap | None = None) -> Source:
    """A folder of images, or a folder of class folders (ImageFolder). Hidden files and folders do not count.

    The label is what the class map says of the class folder's name; without a map, the position of the name in the
    sorted names. Names that are all integers are labels as they stand, so that a folder with some of the classes keeps
    their numbers.

    Raises:
        UsageError: there are no images, or both images and sub-folders, or a folder that is not in the map.
    """
    files, classes = list_folder(folder)
    names = list(filter(is_image, files))
    if names and classes:
        raise UsageError(
            f"{folder} holds both images and sub-folders, so it is unclear whether it has classes; "
            "give a folder with only images, or only one sub-folder per class"
        )
    if not classes:
        return _image_source("images", folder, names, None)
    if class_map is None and all(re.fullmatch("[0-9]{1,9}", name) for name in classes):
        classes.sort(key=int)
        numbers = list(map(int, classes))
    elif class_map is None:
        numbers = list(range(len(classes)))
    else:
        numbers = label_numbers(folder, classes, class_map, [f"folder {name}" for name in classes]).tolist()
    labels: list[int] = []
    for name, number in zip(classes, numbers, strict=True):
        images = list(filter(is_image, list_folder(folder / name)[0]))
        names += [f"{name}/{image}" for image in images]
        labels += [number] * len(images)
        check_count(folder, len(names))
    return _image_source("imagefolder", folder, names, np.array(labels, dtype=np.int64))


def _image_source(kind: str, folder: Path, names: list[str], labels: NDArray[np.int64] | None) -> Source:
    if not names:
        raise UsageError(
            f"no images in {folder}; give a folder of PNG, JPEG, BMP, PPM, PGM, WebP, GIF or TIFF files, "
            "or a folder with one sub-folder of them per class"
        )
    return Source(kind, names, labels, lambda index: read_image(folder / names[index]))


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
    from PIL import Image

    if image.mode == "F":
        raise ValueError("float pixels have no known range")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("32-bit pixels have no known range")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))


def fit(image: Image, name: str, image_shape: tuple[int, int, int], settings: Preprocess) -> NDArray[np.uint8]:
    """`image` as `[H, W, C]` uint8.

    Raises:
        UsageError: the image has another size and `resize` is `none`, or `resize_to` is smaller than the image wanted.
        ValueError: resized, the image would be larger than Pillow's limit.
    """
    height, width, channels = image_shape
    image = image.convert("L" if channels == 1 else "RGB")
    if settings.resize == "none":
        if image.size != (width, height):
            raise UsageError(
                f"{name} is {image.height}×{image.width}, the model wants {height}×{width}: "
                "choose a resize filter, or give images of that size"
            )
    else:
        image = _resized(image, (width, height), settings)
    return np.asarray(image).reshape(image_shape)


def _resized(image: Image, size: tuple[int, int], settings: Preprocess) -> Image:
    """The image of (width, height) pixels: resized, or resized to `resize_to` and then its middle."""
    from PIL import Image
    from PIL.Image import Resampling

    target = size
    if isinstance(settings.resize_to, int):
        short, long = sorted(image.size)
        sides = settings.resize_to, settings.resize_to * long // short
        target = sides if image.width <= image.height else sides[::-1]
    elif settings.resize_to is not None:
        target = settings.resize_to[::-1]
    if target[0] < size[0] or target[1] < size[1]:
        raise UsageError(
            f"resize_to makes images of {target[1]}×{target[0]}, smaller than the {size[1]}×{size[0]} that the model "
            "wants; give a larger one"
        )
    if math.prod(target) > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise ValueError(f"resized, it would be {target[1]}×{target[0]}, too large")
    if image.size != target:
        image = image.resize(target, Resampling[settings.resize.upper()])
    left, top = (target[0] - size[0]) // 2, (target[1] - size[1]) // 2
    return image if target == size else image.crop((left, top, left + size[0], top + size[1]))
