from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ninspect.samples import load_samples, repeated_patch
from ninspect.samples.repeated import RepeatedPatch

MODELS = Path(__file__).parents[2] / "models"
Array = NDArray[np.uint8]


def signs() -> Array:
    return load_samples(MODELS / "signs" / "samples", image_shape=(32, 32, 3)).pixels


def digits() -> Array:
    return load_samples(MODELS / "digits" / "samples", image_shape=(28, 28, 1)).pixels


def stamped(images: Array, patch: Array, row: int, column: int, share: float) -> tuple[Array, int]:
    images, count = images.copy(), round(share * len(images))
    chosen = np.random.default_rng(0).choice(len(images), count, replace=False)
    images[chosen, row : row + len(patch), column : column + len(patch[0])] = patch
    return images, count


@pytest.mark.parametrize("images", [digits, signs], ids=["digits", "signs"])
def test_ordinary_images_share_no_patch(images: Callable[[], Array]) -> None:
    assert repeated_patch(images()) is None


@pytest.mark.parametrize("share", [0.06, 0.3, 0.6])
def test_a_stamp_is_found_where_it_is(share: float) -> None:
    checker = np.indices((4, 4)).sum(axis=0)[..., None] % 2 * np.uint8(255)
    images, count = stamped(signs(), np.broadcast_to(checker, (4, 4, 3)), 9, 20, share)
    assert repeated_patch(images) == RepeatedPatch(count, 9, 20, 4, 4)


def test_a_stamp_of_a_large_image_is_found_where_it_is() -> None:
    ramps = (
        np.random.default_rng(1).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8).repeat(30, axis=1).repeat(30, axis=2)
    )
    images, count = stamped(ramps, np.full((24, 24, 3), (200, 0, 90), np.uint8), 60, 90, 0.2)
    found = repeated_patch(images)
    assert found is not None
    assert found.count == count
    assert (abs(found.row - 60), abs(found.column - 90)) <= (3, 3)
    assert 18 <= found.height <= 30


def test_too_few_images_or_pixels_share_nothing() -> None:
    assert repeated_patch(np.zeros((4, 8, 8, 1), np.uint8)) is None
    assert repeated_patch(np.zeros((40, 2, 2, 1), np.uint8)) is None


def test_a_border_that_all_images_have_is_no_patch() -> None:
    images = np.random.default_rng(2).integers(0, 256, (50, 12, 12, 1)).astype(np.uint8)
    images[:, :4] = 0
    assert repeated_patch(images) is None
