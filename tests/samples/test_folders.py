"""Folders as people have them: parts, sessions, wrappers, Hugging Face's tables, and what does not belong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from ninspect.errors import InconclusiveError, UsageError
from ninspect.samples import Samples, load_samples

SHAPE = (4, 5, 1)


def draw(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5, 4), 99).save(path)


def found(path: Path, **options: Any) -> dict[str, int | None]:
    """The label of each image by its name."""
    samples = load_samples(path, image_shape=SHAPE, **options)
    labels = [None] * len(samples) if samples.labels is None else samples.labels.tolist()
    return dict(zip(samples.names, labels, strict=True))


def notes(path: Path) -> str:
    return "; ".join(load_samples(path, image_shape=SHAPE).notes)


def test_classes_may_have_folders_within(tmp_path: Path) -> None:
    draw(tmp_path / "0" / "s1" / "a.png", tmp_path / "0" / "b.png", tmp_path / "3" / "s1" / "day" / "a.png")
    assert found(tmp_path) == {"0/b.png": 0, "0/s1/a.png": 0, "3/s1/day/a.png": 3}


@pytest.mark.parametrize(
    ("parts", "chosen"),
    [
        (("train", "test"), "test"),
        (("Train", "Val"), "Val"),
        (("training", "validation"), "validation"),
        (("train", "valid", "docs"), "valid"),
        (("train",), "train"),
        (("training_set", "test_set"), "test_set"),
        (("dev", "eval"), "eval"),
    ],
)
def test_of_the_parts_of_a_data_set_one_is_read(tmp_path: Path, parts: tuple[str, ...], chosen: str) -> None:
    draw(*(tmp_path / part / name / "a.png" for part in parts for name in ("2", "4")))
    assert found(tmp_path) == {f"{chosen}/2/a.png": 2, f"{chosen}/4/a.png": 4}
    assert notes(tmp_path).startswith(f"folder {chosen} was read")
    assert all(part in notes(tmp_path) for part in parts)


def test_a_part_whose_only_folder_is_no_class_has_no_labels(tmp_path: Path) -> None:
    draw(tmp_path / "test" / "unlabelled" / "a.png", tmp_path / "val" / "1" / "a.png", tmp_path / "val" / "2" / "a.png")
    assert found(tmp_path) == {"val/1/a.png": 1, "val/2/a.png": 2}


def test_a_lone_archive_in_a_folder_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "digits.npz", arr_0=np.zeros((3, *SHAPE), np.uint8), arr_1=np.array([4, 4, 2]))
    (tmp_path / "README.md").write_text("digits")
    assert found(tmp_path) == {"digits.npz[0]": 4, "digits.npz[1]": 4, "digits.npz[2]": 2}


@pytest.mark.parametrize("names", [("images", "labels"), ("y", "x")])
def test_two_arrays_in_a_folder_are_images_and_labels(tmp_path: Path, names: tuple[str, str]) -> None:
    pixels, labels = np.zeros((3, *SHAPE), np.uint8), np.array([4, 4, 2])
    for name, array in zip(names, (pixels, labels) if names[0] == "images" else (labels, pixels), strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    assert list(found(tmp_path).values()) == [4, 4, 2]


def test_a_table_that_is_not_understood_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.png", tmp_path / "images" / "b.png")
    (tmp_path / "train.csv").write_text("pixel0,pixel1\n1,2\n")
    assert "1 .csv (train.csv: a table of labels needs a header such as path,label)" in notes(tmp_path)


def test_a_part_with_labels_comes_before_one_without(tmp_path: Path) -> None:
    draw(tmp_path / "test" / "a.png", tmp_path / "train" / "1" / "a.png", tmp_path / "train" / "2" / "a.png")
    assert found(tmp_path) == {"train/1/a.png": 1, "train/2/a.png": 2}
    draw(tmp_path / "unlabelled" / "test" / "a.png")
    (tmp_path / "unlabelled" / "train").mkdir()
    assert found(tmp_path / "unlabelled") == {"test/a.png": None}


def test_valid_beside_invalid_is_a_class(tmp_path: Path) -> None:
    draw(tmp_path / "valid" / "a.png", tmp_path / "invalid" / "a.png")
    assert found(tmp_path) == {"invalid/a.png": 0, "valid/a.png": 1}


def test_a_folder_around_the_data_is_entered(tmp_path: Path) -> None:
    draw(*(tmp_path / "archive" / "data" / "test" / name / "a.png" for name in ("0", "1")))
    assert list(found(tmp_path).values()) == [0, 1]


def test_a_folder_of_pictures_alone_has_no_class(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.png", tmp_path / "images" / "b.png")
    assert found(tmp_path) == {"images/a.png": None, "images/b.png": None}
    assert "'images', is no class of the model" in notes(tmp_path)
    draw(tmp_path / "numbered" / "7" / "s" / "a.png")
    assert found(tmp_path / "numbered") == {"7/s/a.png": 7}


def test_folders_without_images_are_no_classes_unless_they_are_empty(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png", tmp_path / "dog" / "a.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.xml").write_text("")
    (tmp_path / "cat" / "a.heic").write_bytes(b"")
    (tmp_path / "readme.md").write_text("")
    (tmp_path / "__MACOSX").mkdir()
    assert found(tmp_path) == {"cat/a.png": 0, "dog/a.png": 1}
    assert "3 files were not understood: 1 .md, 1 .xml, 1 .heic" in notes(tmp_path)
    (tmp_path / "bird").mkdir()
    assert found(tmp_path) == {"cat/a.png": 1, "dog/a.png": 2}


# Tables


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("file_name,label", ","),
        ("image;class", ";"),
        ("image_path\tcategory", "\t"),
        ("Filename,ClassId", ","),
        ("path,class_id", ","),
        ("Image Path,Target", ","),
        ('"image","y"', ","),
        ("file-name;Class Name", ";"),
    ],
)
def test_tables_have_many_headers(tmp_path: Path, header: str, delimiter: str) -> None:
    draw(tmp_path / "a.png", tmp_path / "b.png")
    rows = [header, delimiter.join(("a.png", "3")), delimiter.join(("b.png", "1.0"))]
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    assert found(tmp_path) == {"a.png": 3, "b.png": 1}


@pytest.mark.parametrize("split", ["", "test"])
@pytest.mark.parametrize("label", [lambda number: number, str, float, "class {}".format])
def test_metadata_of_hugging_face_is_read(tmp_path: Path, label: Any, split: str) -> None:
    folder = tmp_path / split
    draw(folder / "images" / "a.png", folder / "images" / "b.png")
    rows = [
        {"file_name": f"images/{name}.png", "text": "é", "label": label(number)}
        for name, number in (("a", 1), ("b", 0))
    ]
    (folder / "metadata.jsonl").write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert list(found(tmp_path).values()) == [1, 0]
    if not split:
        assert found(tmp_path / "metadata.jsonl") == found(tmp_path)


def test_metadata_without_labels_leaves_class_folders(tmp_path: Path) -> None:
    draw(tmp_path / "0" / "a.png", tmp_path / "1" / "a.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "0/a.png", "text": "a cat"}\n', encoding="utf-8")
    assert found(tmp_path) == {"0/a.png": 0, "1/a.png": 1}
    assert "1 file was not understood: 1 .jsonl" in notes(tmp_path)


def test_a_table_names_images_in_a_folder_beside_it(tmp_path: Path) -> None:
    draw(tmp_path / "pictures" / "a.png", tmp_path / "pictures" / "b.png", tmp_path / "pictures" / "more.png")
    (tmp_path / "labels.csv").write_text("image,label\na.png,1\nb.png,0\n", encoding="utf-8")
    assert found(tmp_path) == {"pictures/a.png": 1, "pictures/b.png": 0}
    assert notes(tmp_path) == "1 file was not named in the table: 1 .png"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 2 of .*m\.jsonl is not understood"),
        ("[" * 100_000, r"line 2 of .* is not understood"),
        ("7", r"line 2 of .* is not understood"),
        ('{"label": 3}', r"line 2 of .* is not understood \(it names no file, but label\)"),
        ('{"file_name": "../b.png", "label": 3}', r"'../b.png' is not a file in the folder of the table"),
        ('{"file_name": "/etc/passwd", "label": 3}', r"is not a file in the folder of the table"),
        ('{"file_name": "a.png", "label": null}', r"line 2 of .* is not understood \(it has no label\)"),
        ('{"file_name": "a.png", "label": [1]}', r"line 2 of .* is not understood \(it has no label\)"),
    ],
)
def test_metadata_that_is_wrong_is_refused(tmp_path: Path, line: str, message: str) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "m.jsonl").write_text('{"file_name": "a.png", "label": 1}\n' + line, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_samples(tmp_path, image_shape=SHAPE)


# Files


@pytest.mark.parametrize("suffix", ["jfif", "webp", "avif"])
def test_images_with_rarer_names_are_read(tmp_path: Path, suffix: str) -> None:
    kind = {"jfif": "jpeg"}.get(suffix, suffix)
    if kind != "jpeg" and not features.check(kind):
        pytest.skip(f"this Pillow has no {kind}")
    Image.new("RGB", (5, 4), (200, 200, 200)).save(tmp_path / f"a.{suffix}", kind)
    np.testing.assert_allclose(load_samples(tmp_path, image_shape=(4, 5, 3)).pixels, 200, atol=2)


def test_what_this_pillow_cannot_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(*(tmp_path / f"{index}.png" for index in range(8)))
    Image.new("RGB", (5, 4)).save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.avif")
    monkeypatch.setattr(features, "check", lambda feature: False)
    assert load_samples(tmp_path, image_shape=SHAPE).skipped == ()  # the content counts, not the name
    (tmp_path / "a.avif").write_bytes(b"\x00\x00\x00\x1cftypavif")
    (reason,) = load_samples(tmp_path, image_shape=SHAPE).skipped
    assert reason == "a.avif: not an image in a known format; this Pillow does not read WEBP and AVIF"


# Links


def with_links(folder: Path, secret: Path) -> Samples:
    (folder / "1").mkdir()
    (folder / "1" / "link.png").symlink_to(secret)
    (folder / "2").symlink_to(secret.parent, target_is_directory=True)
    return load_samples(folder, image_shape=SHAPE)


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    secret, folder = tmp_path / "elsewhere" / "a.png", tmp_path / "data"
    draw(secret, *(folder / "0" / f"{index}.png" for index in range(8)))
    (folder / "0" / "again.png").symlink_to(folder / "0" / "1.png")
    samples = with_links(folder, secret)
    assert samples.notes == ("2 files were left out, as links lead out of the folder: 1 without an ending, 1 .png",)
    assert len(samples) == 9
    assert {name[0] for name in samples.names} == {"0"}
    (folder / "t10k-images-idx3-ubyte").symlink_to(secret)
    (folder / "labels.csv").symlink_to(secret)
    assert load_samples(folder, image_shape=SHAPE).kind == "imagefolder"


def test_no_table_leads_out_of_the_folder_through_a_link(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "inner").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "data" / "t.csv").write_text("path,label\ninner/a.png,1\n", encoding="utf-8")
    for given in (tmp_path / "data", tmp_path / "data" / "t.csv"):
        with pytest.raises((UsageError, InconclusiveError), match="a link that leads out of the folder"):
            load_samples(given, image_shape=SHAPE)
