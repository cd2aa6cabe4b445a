"""The one way in: a path becomes `Samples` of the size that the model wants."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import InconclusiveError, NinspectError, UsageError
from ninspect.files import reason
from ninspect.model.layout import count_channels
from ninspect.preprocess.settings import Preprocess
from ninspect.samples.choose import choose
from ninspect.samples.dataset import Samples
from ninspect.samples.depth import FULL, brightest, eight_bit, white_of
from ninspect.samples.fit import fit
from ninspect.samples.interface import Source
from ninspect.samples.labels import ClassMap, number_classes
from ninspect.samples.readers import ACCEPTED, recognise

MAX_SKIPPED = 0.2
_DARK = 16


def load_samples(
    path: Path | str,
    *,
    image_shape: tuple[int, int, int],
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int = 0,
    class_map: ClassMap | None = None,
    class_names: Sequence[str] = (),
    classes: int | None = None,
) -> Samples:
    """Reads clean images and brings them to the size that the model wants.

    Image files are converted to the wanted number of channels as Pillow does it: grey is 0.299 R + 0.587 G + 0.114 B,
    and transparency is dropped. Arrays are never converted: their channels must be the model's.

    Args:
        path: a folder of images or of class folders; a table of image files (CSV with a header such as `path,label`,
            JSON lines with such keys, or GTSRB's CSV, whose regions of interest are cut out), or a folder with one;
            `.npz`, `.npy`; MNIST's IDX files; CIFAR's binary batches; parquet files as Hugging Face has them; a single
            image. Of a folder with parts such as `train` and `test` one is read.
        image_shape: H, W, C that the model wants; C is 1 or 3.
        preprocess: how images are resized (`resize` and `resize_to`; the rest is for the model's input).
        limit: read at most this many, chosen at random and as evenly over the classes as they allow, see `choose`.
        seed: of that choice; the same seed always chooses the same images, in the order of the source.
        class_map: numbers of classes by their names in the source: of folders, or labels as they are written.
        class_names: of the model; classes of the source with these names get their numbers, see `number_classes`.
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
    source = listed(path, image_shape)
    notes, numbers, labels = [*source.notes], {}, None
    if source.labels is not None:
        numbering = number_classes(source.labels, path, class_map, class_names, classes)
        notes += filter(None, [numbering.note])
        if numbering.numbers is not None:
            numbers = dict(zip(source.labels.names, numbering.numbers, strict=True))
            labels = np.array(numbering.numbers, np.int64)[source.labels.index]
            _check_labels(source, labels, classes, path)
    chosen = choose(len(source.names), labels, limit, seed)
    settings = preprocess or Preprocess()
    pixels, kept, skipped, peak = decode(source, chosen.tolist(), image_shape, settings, FULL)
    if (white := white_of(peak)) < FULL:
        pixels, kept, skipped, _ = decode(source, chosen.tolist(), image_shape, settings, white)
        notes.append(f"no pixel of the 16-bit images is above {peak}, so {white} counts as white")
    if not kept:
        why = skipped[0] if skipped else "there is none"
        raise UsageError(f"no image in {path} can be read ({why}); give {ACCEPTED}")
    if pixels.max() <= _DARK:
        notes.append(f"no pixel is above {pixels.max()} of 255, so all images are almost black: is that their range?")
    if len(skipped) > MAX_SKIPPED * len(chosen):
        raise InconclusiveError(
            f"{len(skipped)} of {len(chosen)} images in {path} cannot be read ({skipped[0]}); repair or remove them",
            "IM009",
        )
    return Samples(
        pixels=pixels,
        labels=None if labels is None else labels[kept],
        names=tuple(source.names[index] for index in kept),
        source=str(path),
        kind=source.kind,
        skipped=tuple(skipped),
        numbers=numbers,
        notes=tuple(notes),
    )


def listed(path: Path, image_shape: tuple[int, int, int]) -> Source:
    """The images at a path, not decoded yet; its notes say which part of a data set they are, too.

    Raises:
        UsageError: there are none, or arrays that do not have the channels of `image_shape`.
    """
    found = recognise(path)
    source = found.reader.open(path, found.paths)
    if source.channels is not None and source.channels != image_shape[2]:
        raise UsageError(
            f"the images in {path} have {count_channels(source.channels)}, the model wants {image_shape[2]}: "
            "convert the array, or give image files"
        )
    return replace(source, notes=(*found.notes, *source.notes))


def _check_labels(source: Source, labels: NDArray[np.int64], classes: int | None, path: Path) -> None:
    """Refuse labels that the model does not have; the first is named."""
    if classes is None or not (wrong := np.flatnonzero(labels >= classes)).size:
        return
    raise UsageError(
        f"{source.names[wrong[0]]} in {path} has label {labels[wrong[0]]}, but the model has the classes 0 to "
        f"{classes - 1}; correct it, or give a --class-map"
    )


def decode(
    source: Source, chosen: Sequence[int], image_shape: tuple[int, int, int], preprocess: Preprocess, white: int
) -> tuple[NDArray[np.uint8], list[int], list[str], int]:
    """The chosen images, with `white` as white where they have 16 bits.

    Returns:
        The images, `[M, H, W, C]`; the M indices that could be read; a `name: reason` for the others; and the brightest
        pixel of those with 16 bits, 0 where there are none.
    """
    from PIL.Image import DecompressionBombWarning

    pixels = np.empty((len(chosen), *image_shape), dtype=np.uint8)
    kept: list[int] = []
    skipped: list[str] = []
    peak = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DecompressionBombWarning)
        for index in chosen:
            try:
                image = source.read(index)
                peak = max(peak, brightest(image))
                pixels[len(kept)] = fit(eight_bit(image, white), source.names[index], image_shape, preprocess)
            except NinspectError:
                raise
            # Pillow's decoders raise almost anything on a broken file: OSError, SyntaxError, struct.error, ...
            except Exception as error:
                skipped.append(f"{source.names[index]}: {reason(error)}")
            else:
                kept.append(index)
    return pixels[: len(kept)], kept, skipped, peak
