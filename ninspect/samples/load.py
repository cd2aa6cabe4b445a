"""The one way in: a path becomes `Samples` of the size that the model wants."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import InconclusiveError, NinspectError, UsageError
from ninspect.files import reason
from ninspect.model.layout import count_channels
from ninspect.preprocess.settings import Preprocess
from ninspect.samples.choose import choose
from ninspect.samples.dataset import Samples
from ninspect.samples.fit import fit
from ninspect.samples.interface import Source
from ninspect.samples.labels import ClassMap
from ninspect.samples.readers import ACCEPTED, recognise

MAX_SKIPPED = 0.2


def load_samples(
    path: Path | str,
    *,
    image_shape: tuple[int, int, int],
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int = 0,
    class_map: ClassMap | None = None,
    classes: int | None = None,
) -> Samples:
    """Reads clean images and brings them to the size that the model wants.

    Image files are converted to the wanted number of channels as Pillow does it: grey is 0.299 R + 0.587 G + 0.114 B,
    and transparency is dropped. Arrays are never converted: their channels must be the model's.

    Args:
        path: a folder of images or of class folders; a table of image files (CSV with a header such as `path,label`, or
            GTSRB's, whose regions of interest are cut out), or a folder with one; `.npz`, `.npy`; MNIST's IDX files;
            CIFAR's binary batches; parquet files as Hugging Face has them; a single image.
        image_shape: H, W, C that the model wants; C is 1 or 3.
        preprocess: how images are resized (`resize` and `resize_to`; the rest is for the model's input).
        limit: read at most this many, chosen at random and as evenly over the classes as they allow, see `choose`.
        seed: of that choice; the same seed always chooses the same images, in the order of the source.
        class_map: numbers of classes by the names of their folders, or by their labels in a table.
        classes: number of classes of the model; labels beyond are refused.

    Raises:
        UsageError: there are no readable images at `path`, or they do not fit `image_shape`.
        InconclusiveError: more than 20 % of the images cannot be read.

    >>> samples = load_samples(Path("models/digits/samples"), image_shape=(28, 28, 1))
    >>> samples.pixels.shape, samples.pixels.dtype
    ((100, 28, 28, 1), dtype('uint8'))
    """
    if limit is not None and limit < 1:
        raise UsageError(f"cannot read {limit} images from {path}; use a limit of at least 1")
    path = Path(path)
    source = _open(path, class_map)
    if classes is not None:
        _check_labels(source, classes, path)
    if source.channels is not None and source.channels != image_shape[2]:
        raise UsageError(
            f"the images in {path} have {count_channels(source.channels)}, the model wants {image_shape[2]}: "
            "convert the array, or give image files"
        )
    chosen = choose(len(source.names), source.labels, limit, seed)
    pixels, kept, skipped = _decode(source, chosen, image_shape, preprocess or Preprocess())
    if not kept:
        raise UsageError(f"no image in {path} can be read ({skipped[0]}); give {ACCEPTED}")
    if len(skipped) > MAX_SKIPPED * len(chosen):
        raise InconclusiveError(
            f"{len(skipped)} of {len(chosen)} images in {path} cannot be read ({skipped[0]}); repair or remove them",
            "IM009",
        )
    return Samples(
        pixels=pixels,
        labels=None if source.labels is None else source.labels[kept],
        names=tuple(source.names[index] for index in kept),
        source=str(path),
        kind=source.kind,
        skipped=tuple(skipped),
    )


def _open(path: Path, class_map: ClassMap | None) -> Source:
    """Lists the images at `path` with the reader that recognises what is there."""
    reader, found = recognise(path)
    if class_map is not None and not reader.named:
        raise UsageError(f"the classes in {path} have no names, so a class map says nothing of them; leave it out")
    return reader.open(path, found, class_map)


def _check_labels(source: Source, classes: int, path: Path) -> None:
    """Refuse labels that the model does not have; the first is named."""
    if source.labels is None or not (wrong := np.flatnonzero(source.labels >= classes)).size:
        return
    name, label = source.names[wrong[0]], source.labels[wrong[0]]
    raise UsageError(
        f"{name} in {path} has label {label}, but the model has the classes 0 to {classes - 1}; correct it, "
        "or give a --class-map"
    )


def _decode(
    source: Source, chosen: NDArray[np.intp], image_shape: tuple[int, int, int], preprocess: Preprocess
) -> tuple[NDArray[np.uint8], list[int], list[str]]:
    """The chosen images, `[M, H, W, C]`; the M indices that could be read; and a `name: reason` for the others."""
    from PIL.Image import DecompressionBombWarning

    pixels = np.empty((len(chosen), *image_shape), dtype=np.uint8)
    kept: list[int] = []
    skipped: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DecompressionBombWarning)
        for index in chosen.tolist():
            try:
                pixels[len(kept)] = fit(source.read(index), source.names[index], image_shape, preprocess)
            except NinspectError:
                raise
            # Pillow's decoders raise almost anything on a broken file: OSError, SyntaxError, struct.error, ...
            except Exception as error:
                skipped.append(f"{source.names[index]}: {reason(error)}")
            else:
                kept.append(index)
    return pixels[: len(kept)], kept, skipped
