"""A trigger on images, and as bytes that may have come from anywhere."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ninspect.errors import UsageError
from ninspect.search import Patch
from ninspect.search.inversion import Triggers
from ninspect.search.patch import stamp
from tests.support import random_pixels

MASK, PATTERN = random_pixels(1, (5, 4))[0], random_pixels(1, (5, 4, 3), seed=1)[0]
PATCH = Patch(MASK, PATTERN)


def test_a_stamp_replaces_what_the_mask_covers() -> None:
    images, mask, pattern = random_pixels(2, (3, 3, 2)), np.zeros((3, 3), np.float32), np.ones((3, 3, 2), np.float32)
    mask[0, 1], mask[2, 2] = 1, 0.25
    stamped = stamp(images, mask, pattern)
    assert (stamped[:, 0, 1] == 1).all()
    assert stamped[:, 2, 2] == pytest.approx(0.75 * images[:, 2, 2] + 0.25)
    assert (stamped[:, 1] == images[:, 1]).all()
    several = stamp(images, np.stack([mask, 0 * mask]), np.stack([pattern, pattern]))
    assert (several == np.stack([stamped, images])).all()
    assert (Patch(mask, pattern).stamp(images) == stamped).all()


def test_a_patch_is_not_put_on_images_that_it_is_not_for() -> None:
    pixels = random_pixels(2, (5, 4, 3))
    wrong: list[Any] = [pixels[:, :4], pixels[..., :1], np.rint(pixels * 255).astype(np.uint8)]
    for images in wrong:
        with pytest.raises(UsageError, match=r"the patch is for images of 5×4×3 in \[0, 1\]"):
            PATCH.stamp(images)


def test_a_patch_knows_its_size_and_shows_itself() -> None:
    assert PATCH.size == pytest.approx(MASK.sum())
    assert PATCH.on_grey == pytest.approx(0.5 + MASK[..., None] * (PATTERN - 0.5))
    assert repr(PATCH) == f"Patch({MASK.sum():.1f} pixels of 5×4×3)"


def test_triggers_give_the_patch_of_each_goal() -> None:
    found = Triggers(np.stack([0 * MASK, MASK]), np.stack([PATTERN, PATTERN]))
    assert np.array_equal(found[1].mask, MASK)
    assert found[1].size == pytest.approx(found.norms[1])
    assert found[0].size == 0


def test_bytes_keep_a_patch_exactly() -> None:
    data = PATCH.to_npz()
    read = Patch.from_npz(data)
    for before, after in ((MASK, read.mask), (PATTERN, read.pattern)):
        assert after.dtype == np.float32
        assert np.array_equal(before, after)
    assert read.to_npz() == data


def test_numpy_reads_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "patch.npz").write_bytes(PATCH.to_npz())
    with np.load(tmp_path / "patch.npz") as archive:
        assert np.array_equal(archive["mask"], MASK)
        assert np.array_equal(archive["pattern"], PATTERN)


def archived(save: Callable[..., None] = np.savez, **arrays: Any) -> bytes:
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def single(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


WHOLE = PATCH.to_npz()
BLANK = np.zeros((2000, 2000), np.float32)
BROKEN = {
    "nothing": (b"", "cannot be read"),
    "no archive": (b"mask", "cannot be read"),
    "one array": (single(MASK), "cannot be read"),
    "a pickle": (pickle.dumps((MASK, PATTERN)), "cannot be read"),
    "cut short": (WHOLE[: len(WHOLE) // 2], "cannot be read"),
    "a changed byte": (WHOLE.replace(MASK[1].tobytes(), MASK[0].tobytes()), "CRC"),
    "no pattern": (archived(mask=MASK), "pattern"),
    "objects": (archived(mask=np.array([[None]]), pattern=PATTERN), "Object arrays cannot be loaded"),
    "another type": (archived(mask=MASK.astype(np.float64), pattern=PATTERN), "mask is float64, not float32"),
    "another size": (archived(mask=MASK[:4], pattern=PATTERN), r"\(4, 4\) .* \(5, 4, 3\) do not fit"),
    "too few axes": (archived(mask=MASK[0], pattern=PATTERN[0]), "do not fit"),
    "no pixels": (archived(mask=MASK[:0], pattern=PATTERN[:0]), "do not fit"),
    "values above 1": (archived(mask=MASK, pattern=255 * PATTERN), "pattern has values outside 0 to 1"),
    "not a number": (archived(mask=MASK * np.float32("nan"), pattern=PATTERN), "mask has values outside 0 to 1"),
    "a bomb": (archived(np.savez_compressed, mask=BLANK, pattern=BLANK[..., None]), "mask is compressed"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_patch_is_refused_with_the_reason(kind: str) -> None:
    data, reason = BROKEN[kind]
    with pytest.raises(UsageError, match=reason) as error:
        Patch.from_npz(data)
    assert "\n" not in str(error.value)
