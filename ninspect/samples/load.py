"""The one way in: a path becomes `Samples` of the size that the model wants."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import InconclusiveError, NinspectError, UsageError
from ninspect.model.layout import count_channels
from ninspect.samples.arrays import npy_source, npz_source
from ninspect.samples.dataset import Samples, Source, reason
from ninspect.samples.idx import idx_source, idx_test_images, is_idx_images
from ninspect.samples.images import SUFFIXES, file_source, fit, folder_source, is_image
from ninspect.samples.preprocess import Resize

MAX_SKIPPED = 0.2
ACCEPTED = "a folder of images or of class folders, an image, an .npz or .npy file, or MNIST IDX files"


def load_samples(
    path: Path,
    *,
    image_shape: tuple[int, int, int],
    resize: str = "bilinear",
    limit: int | None = None,
    seed: int = 0,
) -> Samples:
    """Reads clean images and brings them to the size that the model wants.

    Image files are converted to the wanted number of channels as Pillow does it: grey is 0.299 R + 0.587 G + 0.114 B,
    and transparency is dropped. Arrays are never converted: their channels must be the model's.

    Args:
        path: a folder of images or of class folders, an image, an `.npz` or `.npy` file, or MNIST IDX files.
        image_shape: H, W, C that the model wants; C is 1 or 3.
        resize: Pillow's filter for images of another size, or `none` to refuse them.
        limit: read at most this many, chosen at random and as evenly over the classes as they allow.
        seed: of that choice; the same seed always chooses the same images, in the order of the source.

    Raises:
        UsageError: there are no readable images at `path`, or they do not fit `image_shape`.
        InconclusiveError: more than 20 % of the images cannot be read.
    """
    if resize not in get_args(Resize):
        raise UsageError(f"resize = '{resize}' is unknown; use {', '.join(get_args(Resize))}")
    if limit is not None and limit < 1:
        raise UsageError(f"cannot read {limit} images from {path}; use a limit of at least 1")
    source = _open(path)
    if source.channels is not None and source.channels != image_shape[2]:
        raise UsageError(
            f"the images in {path} have {count_channels(source.channels)}, the model wants {image_shape[2]}: "
            "convert the array, or give image files"
        )
    chosen = _choose(len(source.names), source.labels, limit, seed)
    pixels, kept, skipped = _decode(source, chosen, image_shape, resize)
    if not kept:
        raise UsageError(f"no image in {path} can be read ({skipped[0]}); give {ACCEPTED}")
    if len(skipped) > MAX_SKIPPED * len(chosen):
        raise InconclusiveError(
            f"{len(skipped)} of {len(chosen)} images in {path} cannot be read ({skipped[0]}); repair or remove them"
        )
    return Samples(
        pixels=pixels,
        labels=None if source.labels is None else source.labels[kept],
        names=tuple(source.names[index] for index in kept),
        source=str(path),
        kind=source.kind,
        skipped=tuple(skipped),
    )


def _open(path: Path) -> Source:
    """Lists the images at `path` with the reader that its kind asks for."""
    if not path.exists():
        raise UsageError(f"{path} does not exist; give {ACCEPTED}")
    if path.is_dir():
        images = idx_test_images(path)
        return idx_source(images) if images else folder_source(path)
    if path.is_file() and is_idx_images(path.name):
        return idx_source(path)
    if path.is_file() and is_image(path.name):
        return file_source(path)
    if path.is_file() and path.suffix.lower() == ".npz":
        return npz_source(path)
    if path.is_file() and path.suffix.lower() == ".npy":
        return npy_source(path)
    raise UsageError(f"{path} holds no images that ninspect reads ({', '.join(sorted(SUFFIXES))}); give {ACCEPTED}")


def _choose(count: int, labels: NDArray[np.int64] | None, limit: int | None, seed: int) -> NDArray[np.intp]:
    """At most `limit` of `count` indices, ascending; every class gets equally many, up to one, while it lasts."""
    if limit is None or limit >= count:
        return np.arange(count)
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(count)
    if labels is not None:
        # One image of every class, then a second of every class, ...: within a round the classes come at random.
        by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
        class_sizes = np.unique(labels, return_counts=True)[1]
        rounds = np.concatenate([np.arange(size) for size in class_sizes])
        shuffled = by_class[np.lexsort((generator.random(count), rounds))]
    return np.sort(shuffled[:limit])


def _decode(
    source: Source, chosen: NDArray[np.intp], image_shape: tuple[int, int, int], resize: str
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
                pixels[len(kept)] = fit(source.read(index), source.names[index], image_shape, resize)
            except NinspectError:
                raise
            # Pillow's decoders raise almost anything on a broken file: OSError, SyntaxError, struct.error, ...
            except Exception as error:
                skipped.append(f"{source.names[index]}: {reason(error)}")
            else:
                kept.append(index)
    return pixels[: len(kept)], kept, skipped
