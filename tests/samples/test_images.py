import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ninspect.errors import InconclusiveError, UsageError
from ninspect.preprocess import Preprocess
from ninspect.samples import load_samples

RGB = (6, 4, 3)
GREY = (6, 4, 1)


def draw(path: Path, value: int = 0) -> NDArray[np.uint8]:
    """Writes a 6×4 RGB image that `value` identifies, and returns its pixels."""
    pixels = np.random.default_rng(value).integers(0, 256, RGB, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def test_a_folder_of_images_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    pixels = [draw(tmp_path / name, value) for value, name in enumerate(("a.png", "b.BMP", "c.ppm", "d.tif"))]
    (tmp_path / "notes.txt").write_text("not an image")
    draw(tmp_path / ".hidden.png")
    samples = load_samples(tmp_path, image_shape=RGB)
    assert samples.names == ("a.png", "b.BMP", "c.ppm", "d.tif")
    assert (samples.kind, samples.source, samples.labels, samples.skipped) == ("images", str(tmp_path), None, ())
    np.testing.assert_array_equal(samples.pixels, pixels)


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp", "gif", "pgm"])
def test_the_other_formats_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.new("L" if suffix == "pgm" else "RGB", (4, 6), 200 if suffix == "pgm" else (200, 200, 200)).save(path)
    samples = load_samples(path, image_shape=RGB)
    assert samples.names == (path.name,)
    np.testing.assert_allclose(samples.pixels, 200, atol=2)


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 6), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (load_samples(tmp_path, image_shape=GREY).pixels == 10).all()


def test_colours_are_converted_to_what_the_model_wants(tmp_path: Path) -> None:
    pixels = draw(tmp_path / "a.png")
    grey = load_samples(tmp_path, image_shape=GREY).pixels[0, ..., 0]
    np.testing.assert_allclose(grey, pixels @ np.array([0.299, 0.587, 0.114]), atol=0.51)
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_samples(tmp_path, image_shape=RGB).pixels[0], np.stack([grey] * 3, axis=-1))


def test_transparency_is_dropped_and_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 6), (200, 10, 30, 0)).save(tmp_path / "a.png")
    Image.new("CMYK", (4, 6), (255, 0, 0, 0)).save(tmp_path / "b.tif")
    Image.new("RGB", (4, 6), (1, 2, 3)).quantize().save(tmp_path / "c.png")
    samples = load_samples(tmp_path, image_shape=RGB)
    assert [tuple(image[0, 0]) for image in samples.pixels] == [(200, 10, 30), (0, 255, 255), (1, 2, 3)]


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    values = np.arange(24, dtype=np.uint16).reshape(6, 4) * 2849
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    pixels = load_samples(tmp_path, image_shape=GREY).pixels[0, ..., 0]
    np.testing.assert_array_equal(pixels, np.rint(values / 257))


@pytest.mark.parametrize(("brightest", "white"), [(4001, 4095), (900, 1023), (16383, 16383), (200, 255)])
def test_images_of_fewer_bits_in_files_of_16_do_not_become_dark(tmp_path: Path, brightest: int, white: int) -> None:
    values = np.linspace(0, brightest, 24).astype(np.uint16).reshape(6, 4)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values // 2).save(tmp_path / "b.png")
    samples = load_samples(tmp_path, image_shape=GREY)
    for image, expected in zip(samples.pixels[..., 0], (values, values // 2), strict=True):
        np.testing.assert_array_equal(image, np.rint(255 * expected.astype(float) / white))
    assert samples.notes == (f"no pixel of the 16-bit images is above {brightest}, so {white} counts as white",)


def test_images_that_are_almost_black_are_noted(tmp_path: Path) -> None:
    np.savez(tmp_path / "digits.npz", x=np.arange(48, dtype=np.float64).reshape(2, 6, 4) % 16)
    (note,) = load_samples(tmp_path / "digits.npz", image_shape=GREY).notes
    assert note == "no pixel is above 15 of 255, so all images are almost black: is that their range?"


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned: rotate by 90° clockwise to show the image.
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    samples = load_samples(tmp_path, image_shape=RGB, preprocess=Preprocess(resize="none"))
    np.testing.assert_array_equal(samples.pixels[0], np.rot90(pixels, -1))


def test_images_are_resized_with_the_named_filter(tmp_path: Path) -> None:
    image = Image.fromarray(draw(tmp_path / "a.png"))
    for name in ("bilinear", "bicubic", "nearest", "lanczos"):
        samples = load_samples(tmp_path, image_shape=(3, 5, 3), preprocess=Preprocess(resize=name))
        np.testing.assert_array_equal(samples.pixels[0], image.resize((5, 3), Image.Resampling[name.upper()]))


def test_images_of_another_size_are_refused_when_resize_is_none(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"a.png is 6×4, the model wants 3×5: choose a resize filter"):
        load_samples(tmp_path, image_shape=(3, 5, 3), preprocess=Preprocess(resize="none"))


def test_class_folders_are_labels_in_the_order_of_their_names(tmp_path: Path) -> None:
    draw(tmp_path / "dog" / "1.png", 0)
    draw(tmp_path / "cat" / "2.png", 1)
    draw(tmp_path / "cat" / "1.png", 2)
    (tmp_path / "10").mkdir()  # Empty, but still a class.
    (tmp_path / ".cache").mkdir()
    samples = load_samples(tmp_path, image_shape=RGB)
    assert samples.kind == "imagefolder"
    assert samples.names == ("cat/1.png", "cat/2.png", "dog/1.png")
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 1, 2]
    assert samples.labels.dtype == np.int64


def test_class_folders_with_numbers_keep_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "00002"):
        draw(tmp_path / name / "a.png")
    samples = load_samples(tmp_path, image_shape=RGB)
    assert samples.names == ("00002/a.png", "9/a.png", "10/a.png")
    assert samples.labels is not None
    assert samples.labels.tolist() == [2, 9, 10]


def test_a_folder_with_images_and_sub_folders_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    draw(tmp_path / "cat" / "a.png")
    with pytest.raises(UsageError, match="holds both images and sub-folders"):
        load_samples(tmp_path, image_shape=RGB)


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no images in .*; give a folder of PNG, JPEG, .* sub-folder of them per class"
    ):
        load_samples(tmp_path, image_shape=RGB)
    for name in ("a.heic", "b.HEIC", "readme"):
        (tmp_path / name).write_bytes(b"")
    understood = r"no images in .*; 3 files were not understood: 2 \.heic, 1 without an ending; give a folder"
    with pytest.raises(UsageError, match=understood):
        load_samples(tmp_path, image_shape=RGB)


def test_unreadable_images_are_skipped_and_listed(tmp_path: Path) -> None:
    for value in range(8):
        draw(tmp_path / "0" / f"{value}.png", value)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "text.png").write_text("not an image")
    truncated = tmp_path / "1" / "truncated.png"
    draw(truncated)
    truncated.write_bytes(truncated.read_bytes()[:60])
    samples = load_samples(tmp_path, image_shape=RGB)
    assert len(samples) == len(samples.names) == 8
    assert samples.labels is not None
    assert samples.labels.tolist() == [0] * 8
    assert samples.skipped[0] == "1/text.png: not an image in a known format"
    assert samples.skipped[1].startswith("1/truncated.png: ")


def test_many_unreadable_images_are_inconclusive(tmp_path: Path) -> None:
    for value in range(7):
        draw(tmp_path / f"{value}.png")
    for name in ("x.png", "y.png"):
        (tmp_path / name).write_text("not an image")
    with pytest.raises(InconclusiveError, match=r"2 of 9 images in .* cannot be read \(x.png: not an image"):
        load_samples(tmp_path, image_shape=RGB)


def test_a_single_broken_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"no image in .*a.png can be read \(a.png: not an image in a known format\)"):
        load_samples(tmp_path / "a.png", image_shape=RGB)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UsageError, match=r"no image in .* can be read \(pipe.png: not a file\)"):
        load_samples(tmp_path, image_shape=RGB)


def test_what_could_run_programs_or_fill_the_memory_is_skipped(tmp_path: Path) -> None:
    for value in range(8):
        draw(tmp_path / f"{value}.png")
    (tmp_path / "eps.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 6\n")
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 20_000))
    samples = load_samples(tmp_path, image_shape=RGB)
    assert len(samples) == 8
    assert samples.skipped[0].startswith("bomb.png: Image size (400000000 pixels) exceeds limit")
    assert samples.skipped[1] == "eps.png: not an image in a known format"


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_float_images_have_no_known_range(tmp_path: Path) -> None:
    Image.fromarray(np.ones((6, 4), dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UsageError, match="float pixels have no known range"):
        load_samples(tmp_path, image_shape=GREY)
    Image.fromarray(np.full((6, 4), 70_000, dtype=np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(UsageError, match="32-bit pixels have no known range"):
        load_samples(tmp_path, image_shape=GREY)


def test_a_folder_of_links_that_go_round_ends(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "cat" / "self.png").symlink_to("self.png")
    (tmp_path / "dog").symlink_to("dog")
    for index in range(9):
        draw(tmp_path / "cat" / f"{index}.png")
    if Path("/dev/zero").exists():
        (tmp_path / "cat" / "zero.png").symlink_to("/dev/zero")
    samples = load_samples(tmp_path, image_shape=RGB)
    assert len(samples) == 10
    assert all(reason.endswith(("not a file", "Too many levels of symbolic links")) for reason in samples.skipped)


def test_more_files_than_anyone_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninspect.samples.limits.MAX_IMAGES", 3)
    for index in range(4):
        draw(tmp_path / "cat" / f"{index}.png")
    with pytest.raises(UsageError, match="cat holds more than 3 files; give a part of them"):
        load_samples(tmp_path, image_shape=RGB)
