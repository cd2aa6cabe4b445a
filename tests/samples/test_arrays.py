import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ninspect.errors import UsageError
from ninspect.preprocess import Preprocess
from ninspect.samples import load_samples

RGB = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez_compressed(folder / "images.npz", **arrays)
    return folder / "images.npz"


def npy(folder: Path, images: NDArray[Any]) -> Path:
    np.save(folder / "images.npy", images)
    return folder / "images.npy"


@pytest.mark.parametrize("name", ["x", "x_test", "images", "data", "anything"])
def test_the_image_array_of_an_npz_file_is_found(tmp_path: Path, name: str) -> None:
    path = npz(tmp_path, **{name: RGB, "names": np.array(list("abcde"))})
    samples = load_samples(path, image_shape=(6, 4, 3))
    np.testing.assert_array_equal(samples.pixels, RGB)
    assert (samples.kind, samples.source, samples.labels) == ("npz", str(path), None)
    assert samples.names == tuple(f"images.npz[{index}]" for index in range(5))


@pytest.mark.parametrize("name", ["y", "y_test", "labels", "targets"])
@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 1, 0, 2, 3], dtype=np.uint8),
        np.array([[3], [1], [0], [2], [3]]),
        np.array([3.0, 1.0, 0.0, 2.0, 3.0]),
        np.eye(4, dtype=np.float32)[[3, 1, 0, 2, 3]],
        np.eye(4, dtype=bool)[[3, 1, 0, 2, 3]],
    ],
    ids=["integers", "column", "floats", "one-hot", "boolean one-hot"],
)
def test_the_labels_of_an_npz_file_are_found(tmp_path: Path, name: str, labels: NDArray[Any]) -> None:
    samples = load_samples(npz(tmp_path, x=RGB, **{name: labels}), image_shape=(6, 4, 3))
    assert samples.labels is not None
    assert samples.labels.dtype == np.int64
    assert samples.labels.tolist() == [3, 1, 0, 2, 3]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(4), r"the labels in .*images.npz have shape \(4,\) for 5 images; give one class number per image"),
        (np.full((5, 4), 0.25), r"have shape \(5, 4\) for 5 images"),
        (np.zeros(5, "datetime64[s]"), "neither class numbers nor names; give whole numbers from 0"),
        (np.arange(5) - 1, "label -1 of image 0 in .* is not a class number; give whole numbers from 0"),
        (np.arange(5) + 0.5, "label 0.5 of image 0 in .* is not a class number; give whole numbers from 0"),
        (np.array([0, 1, 2, 3, np.nan]), "label nan of image 4 in .* is not a class number"),
        (np.array([0, 1, 2, 3, 2**63], dtype=np.uint64), "label 9223372036854775808 of image 4 in"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path: Path, labels: NDArray[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_samples(npz(tmp_path, x=RGB, y=labels), image_shape=(6, 4, 3))


@pytest.mark.parametrize(
    "images",
    [
        RGB,
        RGB.astype(">i8"),
        RGB.transpose(0, 3, 1, 2),
        np.asfortranarray(RGB),
        RGB.astype(np.float64),
        (RGB / 255).astype(np.float32),
        (RGB / 255).astype(np.float16),
        (RGB / 255).astype(np.float32) * (1 + 1e-6),
    ],
    ids=["uint8", "big-endian", "NCHW", "Fortran", "0-255", "0-1", "half", "overshoot"],
)
def test_layouts_and_ranges_of_arrays_are_detected(tmp_path: Path, images: NDArray[Any]) -> None:
    samples = load_samples(npy(tmp_path, images), image_shape=(6, 4, 3))
    np.testing.assert_array_equal(samples.pixels, RGB)
    assert samples.kind == "npy"


@pytest.mark.parametrize("images", [GREY, GREY[..., np.newaxis], GREY[:, np.newaxis]], ids=["NHW", "NHWC", "NCHW"])
def test_grey_arrays_are_read(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    samples = load_samples(npy(tmp_path, images), image_shape=(6, 4, 1))
    np.testing.assert_array_equal(samples.pixels[..., 0], GREY)


def test_an_ambiguous_array_has_its_channels_last(tmp_path: Path) -> None:
    images = np.zeros((2, 3, 8, 3), dtype=np.uint8)
    assert load_samples(npy(tmp_path, images), image_shape=(3, 8, 3)).pixels.shape == (2, 3, 8, 3)


def test_arrays_are_resized_like_images(tmp_path: Path) -> None:
    path = npy(tmp_path, RGB)
    expected = [Image.fromarray(image).resize((8, 9), Image.Resampling.BILINEAR) for image in RGB]
    np.testing.assert_array_equal(load_samples(path, image_shape=(9, 8, 3)).pixels, [np.asarray(i) for i in expected])
    with pytest.raises(UsageError, match=r"images.npy\[0\] is 6×4, the model wants 9×8"):
        load_samples(path, image_shape=(9, 8, 3), preprocess=Preprocess(resize="none"))


def test_channels_of_arrays_are_not_converted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the images in .* have 3 channels, the model wants 1: convert the array"):
        load_samples(npy(tmp_path, RGB), image_shape=(6, 4, 1))
    with pytest.raises(UsageError, match=r"the images in .* have 1 channel, the model wants 3: convert the array"):
        load_samples(npy(tmp_path, GREY), image_shape=(6, 4, 3))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (RGB[0], r"has shape \(6, 4, 3\); reshape it to \(N, H, W, C\)"),
        (RGB.reshape(5, 72), r"has shape \(5, 72\); reshape it"),
        (np.zeros((5, 6, 4, 4)), r"has shape \(5, 6, 4, 4\); reshape it .* with 1 or 3 channels"),
        (RGB[:0], r"is empty, \(0, 6, 4, 3\)"),
        (RGB / 127.5 - 1, "ranges from -1 to 1; give pixels in 0–255 or in"),
        (RGB.astype(np.int32) * 257, "ranges from 0 to 65535"),
        (
            np.where(np.arange(5).reshape(5, 1, 1, 1) * RGB > 255, np.nan, 0.5),
            "image 2 in .* has pixels that are NaN or inf",
        ),
        (np.where(RGB > 127, np.inf, 0.5), "image 0 in .* has pixels that are NaN or infinite; remove it or correct"),
        (RGB / 255 * 1.5, "ranges from 0 to 1.5; give pixels in 0–255 or in"),
        (RGB > 127, "holds bool; save it as uint8"),
        (RGB.astype(np.complex64), "holds complex64; save it as uint8"),
    ],
)
def test_arrays_that_are_not_images_are_refused(tmp_path: Path, images: NDArray[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_samples(npy(tmp_path, images), image_shape=(6, 4, 3))


def test_an_archive_without_a_clear_image_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no array named x, .*, but a \(5, 6, 4, 3\), b \(5, 6, 4\); name the image"):
        load_samples(npz(tmp_path, a=RGB, b=GREY), image_shape=(6, 4, 3))
    with pytest.raises(UsageError, match="but nothing; name the image array x"):
        load_samples(npz(tmp_path), image_shape=(6, 4, 3))


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    objects = np.full((5, 6, 4, 3), None)
    with pytest.raises(UsageError, match=r"x.npy in .*images.npz holds Python objects, which can run code"):
        load_samples(npz(tmp_path, x=objects), image_shape=(6, 4, 3))
    with pytest.raises(UsageError, match=r"y.npy in .*images.npz holds Python objects"):
        load_samples(npz(tmp_path, x=RGB, y=objects[:, 0, 0, 0]), image_shape=(6, 4, 3))
    with pytest.raises(UsageError, match=r"images.npy cannot be read as an .npy array \(.*Python objects"):
        load_samples(npy(tmp_path, objects), image_shape=(6, 4, 3))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_broken_array_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = npy(tmp_path, RGB) if suffix == "npy" else npz(tmp_path, x=RGB)
    whole = path.read_bytes()
    for broken in (b"", b"text", whole[:100], whole[:-100], whole[:100] + b"!" * 50 + whole[150:-100]):
        path.write_bytes(broken)
        with pytest.raises(
            UsageError, match=rf"images.{suffix} cannot be read as an .{suffix} a.*; give a complete one"
        ):
            load_samples(path, image_shape=(6, 4, 3))


def test_an_archive_that_lies_about_its_sizes_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 6, 4, 3)}
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, header)
        member.write(b"\0" * 72)
    with pytest.raises(UsageError, match=r"x.npy in .* has 200 bytes for an array of shape \(1099511627776, 6, 4, 3\)"):
        load_samples(path, image_shape=(6, 4, 3))


def test_an_archive_that_unpacks_to_far_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninspect.samples.limits._HARMLESS", 1000)
    assert len(load_samples(npz(tmp_path, x=RGB), image_shape=(6, 4, 3))) == 5
    path = npz(tmp_path, x=np.zeros((1000, 6, 4, 3), np.uint8))
    with pytest.raises(
        UsageError, match=r"x.npy in .* is [0-9]+ bytes that become 72128, as in a zip bomb; save it with"
    ):
        load_samples(path, image_shape=(6, 4, 3))


def test_a_file_that_is_larger_than_anyone_needs_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (2**30, 6, 4, 3)})
        file.truncate(file.tell() + 2**30 * 72)  # sparse: no bytes are written
    with pytest.raises(UsageError, match="has 77309411328 bytes; give an array of at most 8 GiB"):
        load_samples(path, image_shape=(6, 4, 3))


def test_zeros_and_ones_are_black_and_white(tmp_path: Path) -> None:
    drawing = (GREY > 127).astype(np.uint8)
    samples = load_samples(npy(tmp_path, drawing), image_shape=(6, 4, 1))
    np.testing.assert_array_equal(samples.pixels[..., 0], drawing * 255)
