from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ninspect.errors import InconclusiveError, UsageError
from ninspect.samples import Samples, load_samples, read_class_map

RGB = (6, 4, 3)
HEADER = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"


def draw(path: Path, value: int) -> NDArray[np.uint8]:
    """Writes an 8×10 image with a sign of 4×6 in the middle, and returns the sign."""
    pixels = np.random.default_rng(value).integers(0, 256, (10, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels[2:8, 2:6]


def gtsrb(folder: Path, name: str, labels: list[int]) -> NDArray[np.uint8]:
    """Writes images and a table as GTSRB has them; returns the signs."""
    signs = [draw(folder / f"{index:05}.ppm", index) for index in range(len(labels))]
    rows = [f"{index:05}.ppm;8;10;2;2;6;8;{label}" for index, label in enumerate(labels)]
    (folder / name).write_text("\r\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return np.array(signs)


def labels(samples: Samples) -> list[int]:
    assert samples.labels is not None
    return list(samples.labels)


def test_gtsrb_is_read_with_its_regions_of_interest(tmp_path: Path) -> None:
    signs = gtsrb(tmp_path, "GT-final_test.csv", [14, 3, 42])
    for given in (tmp_path, tmp_path / "GT-final_test.csv"):
        samples = load_samples(given, image_shape=RGB, classes=43)
        np.testing.assert_array_equal(samples.pixels, signs)
        assert (samples.kind, labels(samples)) == ("gtsrb", [14, 3, 42])
        assert samples.names == ("00000.ppm", "00001.ppm", "00002.ppm")


def test_gtsrb_class_folders_are_read_from_their_tables(tmp_path: Path) -> None:
    signs = [gtsrb(tmp_path / f"{label:05}", f"GT-{label:05}.csv", [label] * 2) for label in (7, 0)]
    samples = load_samples(tmp_path, image_shape=RGB)
    np.testing.assert_array_equal(samples.pixels, np.concatenate(signs[::-1]))
    assert (samples.kind, labels(samples)) == ("gtsrb", [0, 0, 7, 7])
    assert samples.names[2] == "00007/00000.ppm"


@pytest.mark.parametrize("header", ["path,label\n", "file_name,label\n", "label\tpath\n", ""])
def test_plain_tables_are_read_with_and_without_header(tmp_path: Path, header: str) -> None:
    for index in range(3):
        draw(tmp_path / "images" / f"{index}.png", index)
    rows = [(f"images/{index}.png", 2 - index) for index in range(3)]
    text = "\n".join(f"{label}\t{name}" if "\t" in header else f"{name},{label}" for name, label in rows)
    (tmp_path / "labels.csv").write_text("\ufeff" + header + text, encoding="utf-8")
    for given in (tmp_path, tmp_path / "labels.csv"):
        samples = load_samples(given, image_shape=RGB)
        assert (samples.kind, samples.names, labels(samples)) == ("csv", tuple(name for name, _ in rows), [2, 1, 0])


@pytest.mark.parametrize("line", ["images/{0}.png {1}\n", "{0}.png\t{1}\n", "images\\{0}.png, {1}\n"])
def test_lists_of_files_and_labels_are_read(tmp_path: Path, line: str) -> None:
    for index in range(3):
        draw(tmp_path / "images" / f"{index}.png", index)
    (tmp_path / "train.txt").write_text("images/0.png 0\n", encoding="utf-8")
    (tmp_path / "val.txt").write_text("".join(line.format(n, 2 - n) for n in range(3)), encoding="utf-8")
    (tmp_path / "classes.txt").write_text("a dog\na cat\nan owl\n", encoding="utf-8")
    for given in (tmp_path, tmp_path / "val.txt"):
        samples = load_samples(given, image_shape=RGB)
        assert (samples.kind, labels(samples)) == ("csv", [2, 1, 0])
    (tmp_path / "val.txt").write_text("images/0.png 0\nimages/1.png\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"line 2 of .*val.txt is not understood \(it is not an image and a label\)"):
        load_samples(tmp_path, image_shape=RGB)


def test_a_column_for_each_class_is_a_label(tmp_path: Path) -> None:
    for index in range(3):
        draw(tmp_path / f"{index}.png", index)
    marks = "image,MEL,NV,BCC\n0.png,0.0,0.0,1.0\n1.png,1.0,0.0,0.0\n2.png,0.0,1.0,0.0\n"
    (tmp_path / "truth.csv").write_text(marks, encoding="utf-8")
    assert labels(load_samples(tmp_path, image_shape=RGB, class_names=("MEL", "NV", "BCC"))) == [2, 0, 1]
    (tmp_path / "truth.csv").write_text(marks.replace("0.0,1.0\n", "1.0,1.0\n"), encoding="utf-8")
    samples = load_samples(tmp_path, image_shape=RGB)
    assert samples.labels is None
    assert samples.notes == (
        "no labels were read, as MEL, NV, BCC is no name that labels are known to have; call them label",
    )


def test_absolute_names_within_the_folder_of_the_table(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.png", 0)
    (tmp_path / "labels.csv").write_text(f"path,label\n{tmp_path}/images/a.png,1\n", encoding="utf-8")
    assert load_samples(tmp_path, image_shape=RGB).names == ("images/a.png",)


def test_a_table_without_labels_is_read(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 0)
    (tmp_path / "files.csv").write_text("path\na.png\n", encoding="utf-8")
    assert load_samples(tmp_path / "files.csv", image_shape=RGB).labels is None


def test_a_table_beside_images_that_does_not_name_them_is_no_table(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 0)
    (tmp_path / "notes.csv").write_text("author,year\nme,2020\n", encoding="utf-8")
    assert load_samples(tmp_path, image_shape=RGB).kind == "images"


def test_class_names_in_a_table_are_numbered_in_order_or_by_a_class_map(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("path,label\na.png,dog\nb.png,cat\n", encoding="utf-8")
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, 0)
    assert labels(load_samples(table, image_shape=RGB)) == [1, 0]
    assert labels(load_samples(table, image_shape=RGB, class_map={"Cat": 5, "dog": 3})) == [3, 5]
    with pytest.raises(UsageError, match=r"label 'cat' in .*labels.csv is not in the class map; add it"):
        load_samples(table, image_shape=RGB, class_map={"dog": 5})
    table.write_text("path,label\na.png,dog\nb.png,dog\n", encoding="utf-8")
    alone = load_samples(table, image_shape=RGB)
    assert (alone.labels, alone.notes) == (
        None,
        ("the only label, 'dog', is no class of the model, so it was not used",),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv starts with no header; give a CSV file with a header such as path,label"),
        ("\npath,label\n", r"t\.csv starts with no header"),
        ("a,b,c\n1,2,3\n", r"t\.csv has no column of file names \(a, b, c\)"),
        ("path,label\n", r"t\.csv names no images"),
        ("path,label\na.png\n", r"line 2 of .*t\.csv is not as its header says"),
        ("path,label\na.png,1\n../b.png,2\n", r"line 3 of .*'../b.png' is not a file in the folder of the table"),
        ("path,label\n/etc/a.png,1\n", r"line 2 of .*'/etc/a.png' is not a file in the folder of the table"),
        ("path,label\na.png,-1\n", r"label '-1' in .*t\.csv is not a class number"),
        ("path,label\na.png,\n", r"line 2 of .*t\.csv is not as its header says \(it has no label\)"),
        (f"{HEADER}\na.png;8;10;x;2;6;8;1\n", r"line 2 of .*t\.csv is not as its header says \(invalid literal"),
        ("path,label\n" + '"' + "x" * 200_000, r"t\.csv cannot be read as a table \(field larger than field limit"),
    ],
)
def test_tables_that_are_wrong_are_refused(tmp_path: Path, text: str, message: str) -> None:
    draw(tmp_path / "a.png", 0)
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_samples(tmp_path / "t.csv", image_shape=RGB)


def test_missing_files_and_wrong_regions_are_skipped_and_counted(tmp_path: Path) -> None:
    gtsrb(tmp_path, "GT-final_test.csv", list(range(12)))
    (tmp_path / "00003.ppm").unlink()
    table = tmp_path / "GT-final_test.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("00005.ppm;8;10;2;2;6;8", "00005.ppm;8;10;2;2;9;8"), encoding="utf-8")
    samples = load_samples(tmp_path, image_shape=RGB)
    assert (len(samples), samples.skipped[0]) == (10, "00003.ppm: not a file")
    assert samples.skipped[1] == "00005.ppm: its region (2, 2, 9, 8) does not lie in the image of 8×10"
    (tmp_path / "00007.ppm").write_bytes(b"")
    with pytest.raises(InconclusiveError, match=r"3 of 12 images in .* cannot be read"):
        load_samples(tmp_path, image_shape=RGB)


def test_tables_that_disagree_about_labels_are_refused(tmp_path: Path) -> None:
    gtsrb(tmp_path / "00000", "GT-00000.csv", [0])
    gtsrb(tmp_path / "00001", "GT-00001.csv", [1])
    table = tmp_path / "00001" / "GT-00001.csv"
    table.write_text("Filename;Width\n00000.ppm;8\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"only some of the tables in .* have labels; give tables that all have them"):
        load_samples(tmp_path, image_shape=RGB)


def test_several_tables_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 0)
    for name in ("more.csv", "some.csv"):
        (tmp_path / name).write_text("path,label\na.png,1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"holds several tables \(more.csv, some.csv\); give one of the files"):
        load_samples(tmp_path, image_shape=RGB)
    for part, label in (("train", 2), ("test", 3)):
        (tmp_path / f"{part}.csv").write_text(f"path,label\na.png,{label}\n", encoding="utf-8")
    assert labels(load_samples(tmp_path, image_shape=RGB)) == [3]


# Class maps and labels


@pytest.mark.parametrize(
    "text",
    [
        '{"no entry": 3, "stop": 14}',
        "no entry 3\nstop 14\n",
        "no entry,3\n\nstop,14",
        "no entry: 3\nstop: 14",
        "no entry\t3\nstop = 14",
    ],
)
def test_class_maps_are_json_or_lines(tmp_path: Path, text: str) -> None:
    (tmp_path / "map").write_text(text, encoding="utf-8")
    class_map = read_class_map(tmp_path / "map")
    assert class_map == {"no entry": 3, "stop": 14}
    for name in class_map:
        draw(tmp_path / "data" / name / "a.png", 0)
    assert labels(load_samples(tmp_path / "data", image_shape=RGB, class_map=class_map)) == [3, 14]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no classes; give a JSON object"),
        ("stop", "'stop' for 'stop' is not the number of a class"),
        ('{"stop": -1}', "'-1' for 'stop' is not the number of a class"),
        ('{"stop": [1]}', r"'\[1\]' for 'stop' is not the number of a class"),
        ("{", "is not valid JSON"),
    ],
)
def test_class_maps_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "map.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_class_map(tmp_path / "map.json")


def test_a_folder_that_is_not_in_the_class_map_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png", 0)
    with pytest.raises(UsageError, match=r"label 'cat' in .* is not in the class map; add it"):
        load_samples(tmp_path, image_shape=RGB, class_map={"dog": 0})


@pytest.mark.parametrize("y", [[7, 3], [7.0, 3.0], ["7", "3"], [b"7", b"3"], np.eye(8)[[7, 3]]])
def test_a_class_map_says_what_the_labels_of_arrays_stand_for(tmp_path: Path, y: Any) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 6, 4, 3), np.uint8), y=y)
    assert labels(load_samples(tmp_path / "a.npz", image_shape=RGB, class_map={"3": 0, "7": 5})) == [5, 0]
    with pytest.raises(UsageError, match=r"label '7' in .*a.npz is not in the class map; add it"):
        load_samples(tmp_path / "a.npz", image_shape=RGB, class_map={"3": 0})


def test_the_first_label_that_the_model_does_not_have_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 6, 4, 3), np.uint8), y=[0, 9, 10, 11])
    with pytest.raises(
        UsageError, match=r"a.npz\[2\] in .* has label 10, but the model has the classes 0 to 9; correct"
    ):
        load_samples(tmp_path / "a.npz", image_shape=RGB, classes=10)


def test_names_may_lack_the_ending_of_the_files_and_be_ids(tmp_path: Path) -> None:
    for index in range(3):
        draw(tmp_path / "images" / f"{index}.png", index)
    (tmp_path / "labels.csv").write_text("id,label\n0,2\n1,1\n2,0\n")
    samples = load_samples(tmp_path, image_shape=RGB)
    assert (samples.names, labels(samples)) == (("images/0.png", "images/1.png", "images/2.png"), [2, 1, 0])
