import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.samples import load_samples

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
LABELS = np.array([3, 1, 0, 2, 3], dtype=np.uint8)
SHAPE = (6, 4, 1)


def idx(path: Path, array: NDArray[np.uint8]) -> Path:
    """Writes an IDX file, compressed when its name ends in .gz."""
    data = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("labels_suffix", ["", ".gz"])
@pytest.mark.parametrize("separator", ["-", "."])
def test_images_are_read_with_their_labels(tmp_path: Path, suffix: str, labels_suffix: str, separator: str) -> None:
    path = idx(tmp_path / f"t10k-images{separator}idx3-ubyte{suffix}", IMAGES)
    idx(tmp_path / f"t10k-labels{separator}idx1-ubyte{labels_suffix}", LABELS)
    for given in (path, tmp_path):
        samples = load_samples(given, image_shape=SHAPE)
        np.testing.assert_array_equal(samples.pixels[..., 0], IMAGES)
        assert samples.labels is not None
        assert samples.labels.tolist() == LABELS.tolist()
        assert (samples.kind, samples.source, samples.names[1]) == ("idx", str(given), f"{path.name}[1]")


def test_images_without_a_label_file_have_no_labels(tmp_path: Path) -> None:
    assert load_samples(idx(tmp_path / "images-idx3-ubyte", IMAGES), image_shape=SHAPE).labels is None


def test_colour_images_are_read(tmp_path: Path) -> None:
    colour = np.stack([IMAGES] * 3, axis=-1)
    samples = load_samples(idx(tmp_path / "images-idx4-ubyte", colour), image_shape=(6, 4, 3))
    np.testing.assert_array_equal(samples.pixels, colour)


def test_a_folder_gives_its_test_set_first(tmp_path: Path) -> None:
    idx(tmp_path / "train-images-idx3-ubyte", IMAGES)
    assert len(load_samples(tmp_path, image_shape=SHAPE)) == 5
    idx(tmp_path / "t10k-images-idx3-ubyte.gz", IMAGES[:2])
    assert len(load_samples(tmp_path, image_shape=SHAPE)) == 2
    idx(tmp_path / "t10k-images-idx3-ubyte", IMAGES[:2])
    assert load_samples(tmp_path, image_shape=SHAPE).names[0] == "t10k-images-idx3-ubyte[0]"


def test_a_folder_with_several_sets_is_refused(tmp_path: Path) -> None:
    for name in ("letters-test", "digits-test"):
        idx(tmp_path / f"{name}-images-idx3-ubyte", IMAGES)
    with pytest.raises(UsageError, match=r"holds several sets of images \(.*digits-test-.*\); give one of the files"):
        load_samples(tmp_path, image_shape=SHAPE)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\x08", r"cannot be read as an IDX file \(unpack requires a buffer of 4 bytes"),
        (b"\0\0\x08\x01" + bytes(4), "starts with 0x00000801, an IDX file of this name with 0x00000803 or 0x00000804"),
        (b"\0\0\x0d\x03" + bytes(12), "starts with 0x00000d03"),
        (b"\0\0\x08\x03" + bytes(11), "cannot be read as an IDX file"),
        (struct.pack(">4I", 0x803, 2, 6, 4) + bytes(47), r"announces 48 bytes for shape \(2, 6, 4\)"),
        (struct.pack(">4I", 0x803, 2, 6, 4) + bytes(49), "does not hold just these; give a complete file"),
        (struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1), "announces 7922816\\d+ bytes for shape"),
        (struct.pack(">4I", 0x803, 0, 6, 4), r"the image array in .* is empty, \(0, 6, 4\)"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, suffix: str, content: bytes, message: str) -> None:
    path = tmp_path / f"t10k-images-idx3-ubyte{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(UsageError, match=message):
        load_samples(path, image_shape=SHAPE)


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    path = idx(tmp_path / "t10k-images-idx3-ubyte.gz", IMAGES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UsageError, match=r"cannot be read as an IDX file \(.*end-of-stream.*\); give a complete one"):
        load_samples(path, image_shape=SHAPE)


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    path = idx(tmp_path / "t10k-images-idx3-ubyte", IMAGES)
    idx(tmp_path / "t10k-labels-idx1-ubyte", LABELS[:4])
    with pytest.raises(UsageError, match=r"the labels in .* have shape \(4,\) for 5 images"):
        load_samples(path, image_shape=SHAPE)
