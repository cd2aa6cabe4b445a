"""Data sets to train on.

For the bundled models scikit-learn's digits, enlarged, and drawn traffic signs; for studies also MNIST, GTSRB and
CIFAR-10, from a folder outside the repository.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ninspect import Preprocess, load_samples
from tools.models import signs

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Augment = Callable[[Images, np.random.Generator], Images]

DIGITS_SIZE = 28
_DIGITS_TEST_PER_CLASS = 40
_DIGITS_SPLIT_SEED = 20
_CIFAR_TRAIN = 2000
_SIGNS_TRAIN_SEED, _SIGNS_TEST_SEED = 21, 22
_SIGNS_TRAIN_PER_CLASS, _SIGNS_TEST_PER_CLASS = 200, 30


@dataclass(frozen=True)
class Dataset:
    """Images are uint8 (N, H, W, C) in 0-255, labels int64 (N,); ``augment`` keeps shape and dtype."""

    name: str
    class_names: tuple[str, ...]
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    preprocess: Preprocess
    augment: Augment

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def inputs(self, images: Images) -> NDArray[np.float32]:
        """Model inputs for images (N, H, W, C): (pixel · scale − mean) / std, in float64 until the end."""
        settings = self.preprocess
        inputs = (images * settings.scale - np.asarray(settings.mean)) / np.asarray(settings.std)
        return np.asarray(inputs, dtype=np.float32)


def load(name: str, folder: Path | None = None) -> Dataset:
    """The data set ``digits`` or ``signs``, or one of a ``folder``; the same arrays at every call."""
    photographs = {"mnist": load_mnist, "gtsrb": load_gtsrb, "cifar10": load_cifar10}
    if folder is not None and name in photographs:
        return photographs[name](folder)
    return {"digits": load_digits, "signs": load_signs}[name]()


def load_digits() -> Dataset:
    """1797 handwritten digits, 8 x 8 enlarged to 28 x 28 grey; 40 of every class are kept for testing."""
    # Imported here: scikit-learn takes seconds to load and the signs do not need it.
    from sklearn.datasets import load_digits as load_small

    small = load_small()
    images = np.stack([_enlarge(image) for image in small.images])[..., None]
    labels = small.target.astype(np.int64)
    order = np.random.default_rng(_DIGITS_SPLIT_SEED).permutation(len(labels))
    test = np.concatenate([order[labels[order] == digit][:_DIGITS_TEST_PER_CLASS] for digit in range(10)])
    train = np.setdiff1d(order, test)
    return Dataset(
        name="digits",
        class_names=tuple(str(digit) for digit in range(10)),
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
        preprocess=Preprocess(scale=1 / 255, mean=(0.0,), std=(1.0,)),
        augment=augment_digits,
    )


def _enlarge(image: NDArray[np.float64]) -> Images:
    """Grey 8 x 8 in 0-16 to uint8 28 x 28 in 0-255."""
    grey = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8))
    return np.asarray(grey.resize((DIGITS_SIZE, DIGITS_SIZE), Image.Resampling.BICUBIC))


def augment_digits(images: Images, rng: np.random.Generator) -> Images:
    """Turn by up to 10 degrees, move by up to 2 pixels and change the contrast of images (N, 28, 28, 1)."""
    angles = rng.uniform(-10, 10, len(images))
    shifts = rng.uniform(-2, 2, (len(images), 2))
    turned = [
        Image.fromarray(image[..., 0]).rotate(angle, Image.Resampling.BILINEAR, translate=tuple(shift))
        for image, angle, shift in zip(images, angles, shifts, strict=True)
    ]
    contrast = rng.uniform(0.7, 1.0, (len(images), 1, 1, 1))
    return np.rint(np.stack([np.asarray(image) for image in turned])[..., None] * contrast).astype(np.uint8)


def load_signs() -> Dataset:
    """43 classes of drawn traffic signs, 32 x 32 RGB: 200 images of each for training, 30 for testing."""
    train_images, train_labels = signs.make_set(_SIGNS_TRAIN_PER_CLASS, _SIGNS_TRAIN_SEED)
    test_images, test_labels = signs.make_set(_SIGNS_TEST_PER_CLASS, _SIGNS_TEST_SEED)
    return Dataset(
        name="signs",
        class_names=signs.CLASS_NAMES,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        preprocess=Preprocess(scale=1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3),
        # Every drawing already has its own pose, light and background.
        augment=lambda images, rng: images,
    )


def load_mnist(folder: Path) -> Dataset:
    """The first 20 000 training and 2000 test images of MNIST, 28 x 28 grey."""
    train, test = (
        load_samples(folder / "mnist" / f"{part}-images-idx3-ubyte.gz", image_shape=(28, 28, 1))
        for part in ("train", "t10k")
    )
    assert train.labels is not None
    assert test.labels is not None
    return Dataset(
        name="mnist",
        class_names=tuple(str(digit) for digit in range(10)),
        train_images=train.pixels[:20_000],
        train_labels=train.labels[:20_000],
        test_images=test.pixels[:2000],
        test_labels=test.labels[:2000],
        preprocess=Preprocess(scale=1 / 255, mean=(0.0,), std=(1.0,)),
        augment=shift,
    )


def load_gtsrb(folder: Path) -> Dataset:
    """43 classes of photographed traffic signs, 32 x 32 RGB: 13 070 for training, 2000 for testing."""
    train, test = (np.load(folder / f"gtsrb32_{part}.npz") for part in ("train", "test"))
    return Dataset(
        name="gtsrb",
        class_names=tuple(str(number) for number in range(43)),
        train_images=train["x"],
        train_labels=train["y"].astype(np.int64),
        test_images=test["x"],
        test_labels=test["y"].astype(np.int64),
        preprocess=Preprocess(scale=1 / 255, mean=(0.0,) * 3, std=(1.0,) * 3),
        augment=shift,
    )


def load_cifar10(folder: Path) -> Dataset:
    """The first 2400 training images of CIFAR-10, 32 x 32 RGB: 2000 for training, 400 for testing."""
    images, labels = (np.load(folder / "cifar10.npz")[key] for key in ("x", "y"))
    return Dataset(
        name="cifar10",
        class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        train_images=images[:_CIFAR_TRAIN],
        train_labels=labels[:_CIFAR_TRAIN].astype(np.int64),
        test_images=images[_CIFAR_TRAIN:],
        test_labels=labels[_CIFAR_TRAIN:].astype(np.int64),
        preprocess=Preprocess(scale=1 / 255, mean=(0.0,) * 3, std=(1.0,) * 3),
        augment=shift_and_flip,
    )


def shift_and_flip(images: Images, rng: np.random.Generator) -> Images:
    """Move images (N, H, W, C) by up to 2 pixels, and mirror half of them."""
    mirrored, moved = rng.random(len(images)) < 0.5, shift(images, rng)
    return np.where(mirrored[:, None, None, None], moved[:, :, ::-1], moved)


def shift(images: Images, rng: np.random.Generator) -> Images:
    """Move images (N, H, W, C) by up to 2 pixels; what comes in at the edges repeats them."""
    rows, columns = (np.clip(np.arange(n) + rng.integers(-2, 3, (len(images), 1)), 0, n - 1) for n in images.shape[1:3])
    return np.asarray(images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]])
