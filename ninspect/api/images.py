"""Images that are objects, written to files as the readers of `samples` know them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.requests import PreprocessOptions
from ninspect.samples.npz import IMAGE_NAMES, LABEL_NAMES

Array = NDArray[Any]

ARRAYS = "images.npz"  # the file that holds them while they are read
_MOST_BYTES = 2**30  # of images that are held at once
_READ = 5  # times as many images are read from a loader as are used, so that every class can be among them
_PICTURE, _CLASS = (*IMAGE_NAMES, "image", "img", "pixel_values"), (*LABEL_NAMES, "label", "fine_label")
_KINDS = "a path, an array, a pair (images, labels), or something that gives (image, label) or batches of these"
_SIZES = "samples are of several sizes; give images of one size, or a folder of pictures"


def save_samples(samples: Any, folder: Path, limit: int) -> Path:
    """Clean images as a path: as it is, or of a file in the folder.

    Args:
        samples: a path, an array, a pair of arrays, a data set or a data loader.
        folder: for the file.
        limit: how many images will be used.

    Raises:
        UsageError: it is none of these, is empty, or its images are of several sizes and no pictures.
    """
    if isinstance(samples, str | os.PathLike):
        return Path(samples)
    if isinstance(samples, tuple) and len(samples) == 2:
        return _save([_array(samples[0])], [_classes(samples[1])], folder)
    if (whole := _maybe_array(samples)) is not None:
        return _save([whole], [], folder)
    pictures: list[Any] = []
    labels: list[Array] = []
    size = 0
    for picture, label in map(_parts, _items(samples, limit * _READ)):
        if _is_picture(picture):
            pictures.append(picture)
            labels += [] if label is None else [_classes(label).reshape(1)]
        else:
            images, classes = _batch(_array(picture), None if label is None else _classes(label))
            pictures.append(images)
            labels += [] if classes is None else [classes]
            size += images.nbytes
        enough = sum(1 if _is_picture(one) else len(one) for one in pictures) >= limit * _READ
        if enough or size > _MOST_BYTES:
            break
    if not pictures:
        raise UsageError("samples gave no image; give some, or leave them out")
    if labels and len(labels) != len(pictures):
        raise UsageError("some of the samples have labels and some have none; give labels for all or for none")
    if all(map(_is_picture, pictures)):
        return _save_pictures(pictures, labels, folder)
    return _save(pictures, labels, folder)


def image_shape(samples: Path | None, preprocess: PreprocessOptions) -> tuple[int, int, int] | None:
    """Height, width and channels of the images, as far as options or arrays in a file tell; else None."""
    channels = 1 if preprocess.color == "gray" else 3
    if preprocess.size is not None and samples is None:
        return *preprocess.size, channels
    if samples is None or samples.suffix not in (".npz", ".npy") or not samples.is_file():
        return None if preprocess.size is None else (*preprocess.size, channels)
    from ninspect.samples.npy import npy_source
    from ninspect.samples.npz import npz_source

    source = (npz_source if samples.suffix == ".npz" else npy_source)(samples)
    width, height = source.read(0).size
    return (*(preprocess.size or (height, width)), source.channels or channels)


def _items(samples: Any, most: int) -> Iterator[Any]:
    """What a data set or a loader gives; of a data set that can be asked for any, evenly spread ones."""
    if hasattr(samples, "__getitem__") and hasattr(samples, "__len__") and not isinstance(samples, Mapping):
        length = len(samples)
        indices = np.unique(np.linspace(0, length - 1, min(length, most)).astype(int)) if length else ()
        return (samples[int(index)] for index in indices)
    if isinstance(samples, Iterable) and not isinstance(samples, bytes | Mapping):
        return iter(samples)
    raise UsageError(f"samples are of type {type(samples).__name__}; give {_KINDS}")


def _parts(item: Any) -> tuple[Any, Any]:
    """Image and label of what a data set gives; the label is None where there is none."""
    if isinstance(item, Mapping):
        image = next((item[name] for name in _PICTURE if name in item), None)
        return image, next((item[name] for name in _CLASS if name in item), None)
    if isinstance(item, tuple | list):
        return item[0] if item else None, item[1] if len(item) > 1 else None
    return item, None


def _batch(image: Array, label: Array | None) -> tuple[Array, Array | None]:
    """`[N, …]` images and their labels, of a batch or of one image."""
    is_batch = image.ndim == 4 or (image.ndim == 3 and label is not None and label.shape[:1] == image.shape[:1])
    if is_batch:
        return image, label
    return image[np.newaxis], None if label is None else label[np.newaxis]


def _is_picture(thing: Any) -> bool:
    """Whether it is an image of Pillow."""
    return hasattr(thing, "convert") and hasattr(thing, "getbands")


def _maybe_array(thing: Any) -> Array | None:
    """An array or a tensor as an array, wherever it lies; None where it is none."""
    if isinstance(thing, np.ndarray):
        return thing
    if not hasattr(thing, "__array__") or _is_picture(thing):
        return None
    for step in ("detach", "cpu"):  # tensors of PyTorch may have a gradient, and lie on a GPU
        thing = getattr(thing, step, lambda there=thing: there)()
    return np.asarray(thing)


def _array(thing: Any) -> Array:
    array = _maybe_array(thing)
    if array is None:
        try:
            array = np.asarray(thing)
        except ValueError as error:  # lists of several lengths
            raise UsageError(_SIZES) from error
    if array.dtype.kind not in "biuf":
        raise UsageError(f"samples hold {type(thing).__name__}; give {_KINDS}")
    return array


def _classes(thing: Any) -> Array:
    """Labels: numbers, or words."""
    words = np.asarray(thing) if isinstance(thing, str | list | tuple | np.ndarray) else None
    return words if words is not None and words.dtype.kind == "U" else _array(thing)


def _save(images: list[Array], labels: list[Array], folder: Path) -> Path:
    if len({image.shape[1:] for image in images}) > 1 or len({label.shape[1:] for label in labels}) > 1:
        raise UsageError(_SIZES)
    path = folder / ARRAYS
    arrays = {"x": np.concatenate(images)} | ({"y": np.concatenate(labels)} if labels else {})
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def _save_pictures(pictures: list[Any], labels: list[Array], folder: Path) -> Path:
    """Pictures of any size as files, in a folder for each class; readers then treat them as they do any picture."""
    path = folder / "images"
    for number, picture in enumerate(pictures):
        place = path / str(int(labels[number].item())) if labels else path
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number:06}.png")
    return path
