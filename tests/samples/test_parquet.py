import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ninspect.errors import InconclusiveError, UsageError
from ninspect.samples import Samples, load_samples

pa = pytest.importorskip("pyarrow", reason="needs pyarrow, the extra 'parquet'")
pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow, the extra 'parquet'")

SHAPE = (6, 4, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (7, *SHAPE), dtype=np.uint8)


def png(pixels: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


FILES = [png(pixels) for pixels in PIXELS]
STRUCTS = [{"bytes": content, "path": f"../../{index}.png"} for index, content in enumerate(FILES)]


def write(path: Path, metadata: dict[str, Any] | None = None, **columns: Any) -> Path:
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3)
    return path


def labels(samples: Samples) -> list[int]:
    assert samples.labels is not None
    return list(samples.labels)


@pytest.mark.parametrize("images", [STRUCTS, FILES], ids=["struct", "binary"])
def test_images_and_labels_are_read(tmp_path: Path, images: list[Any]) -> None:
    path = write(
        tmp_path / "data" / "test-00000-of-00001.parquet", id=range(7), label=[3, 1, 0, 2, 3, 4, 5], image=images
    )
    write(tmp_path / "data" / "train-00000-of-00001.parquet", image=STRUCTS[:1], label=[0])
    (tmp_path / "loader.py").write_text("raise SystemExit('a loader script ran')")
    for given in (path, tmp_path):
        samples = load_samples(given, image_shape=SHAPE)
        np.testing.assert_array_equal(samples.pixels, PIXELS)
        assert (samples.kind, labels(samples)) == ("parquet", [3, 1, 0, 2, 3, 4, 5])
    assert samples.names[6] == f"{tmp_path.name}[6]"
    part = load_samples(tmp_path, image_shape=SHAPE, limit=4)
    chosen = [int(name[name.index("[") + 1 : -1]) for name in part.names]
    np.testing.assert_array_equal(part.pixels, PIXELS[chosen])


@pytest.mark.parametrize("given", [[3.0, 1.0], [[3], [1]], ["3", "1"]])
def test_labels_may_be_written_in_other_ways(tmp_path: Path, given: list[Any]) -> None:
    samples = load_samples(write(tmp_path / "a.parquet", label=given, image=FILES[:2]), image_shape=SHAPE)
    assert labels(samples) == [3, 1]


def test_labels_that_are_missing_or_not_known_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="column 'label' has no label in row 1"):
        load_samples(write(tmp_path / "a.parquet", label=[3, None], image=FILES[:2]), image_shape=SHAPE)
    samples = load_samples(write(tmp_path / "b.parquet", digit=[3, 1], image=FILES[:2]), image_shape=SHAPE)
    assert samples.labels is None
    assert samples.notes == ("no labels were read, as digit is no name that labels are known to have; call them label",)


def test_shards_are_read_in_order(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", img=STRUCTS[:4], fine_label=[0, 1, 2, 3])
    write(tmp_path / "train-00001-of-00002.parquet", img=STRUCTS[4:], fine_label=[4, 5, 6])
    samples = load_samples(tmp_path, image_shape=SHAPE)
    np.testing.assert_array_equal(samples.pixels, PIXELS)
    assert labels(samples) == list(range(7))


def test_names_are_mapped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=STRUCTS[:2], label=["cat", "dog"])
    assert labels(load_samples(path, image_shape=SHAPE)) == [0, 1]
    assert labels(load_samples(path, image_shape=SHAPE, class_names=["dog", "Cat"])) == [1, 0]
    assert labels(load_samples(path, image_shape=SHAPE, class_map={"cat": 5, "dog": 2})) == [5, 2]
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    path = write(tmp_path / "a.parquet", features, image=STRUCTS[:2], label=[1, 0])
    assert labels(load_samples(path, image_shape=SHAPE)) == [1, 0]
    assert labels(load_samples(path, image_shape=SHAPE, class_map={"cat": 5, "dog": 2})) == [2, 5]
    assert labels(load_samples(path, image_shape=SHAPE, class_map={"0": 5, "1": 2})) == [2, 5]
    assert labels(load_samples(path, image_shape=SHAPE, class_names=["dog", "bird", "cat"])) == [0, 2]
    assert labels(load_samples(path, image_shape=SHAPE, class_names=["cat", "bird"])) == [1, 0]


def test_images_that_are_only_named_are_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(FILES[0])
    images = [{"bytes": None, "path": str(tmp_path / "0.png")}, *STRUCTS[1:6]]
    samples = load_samples(write(tmp_path / "a.parquet", image=images), image_shape=SHAPE)
    assert samples.skipped == ("a.parquet[0]: the file holds no bytes of this image",)
    broken = [{"bytes": b"text", "path": None}] * 2 + STRUCTS[:5]
    with pytest.raises(InconclusiveError, match=r"2 of 7 images in .* cannot be read"):
        load_samples(write(tmp_path / "a.parquet", image=broken), image_shape=SHAPE)


def test_files_that_are_wrong_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["a"], label=[0])
    with pytest.raises(UsageError, match="has no column of encoded images, but text, label; give another"):
        load_samples(path, image_shape=SHAPE)
    whole = write(path, image=STRUCTS).read_bytes()
    for content in (b"", b"PAR1", whole[:-20], whole[:40] + whole[80:]):
        path.write_bytes(content)
        with pytest.raises((UsageError, InconclusiveError), match=r"cannot be read|can be read"):
            load_samples(path, image_shape=SHAPE)


def test_without_pyarrow_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", image=STRUCTS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"reading parquet needs pyarrow; install it with pip install pyarrow"):
        load_samples(path, image_shape=SHAPE)


def test_columns_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninspect.samples.parquet._MAX_GROUP", 200)
    path = write(tmp_path / "a.parquet", image=STRUCTS, label=["x" * 1000] * 7)
    with pytest.raises(UsageError, match=r"column 'label' has [0-9]+ bytes in one row group; write at most"):
        load_samples(path, image_shape=SHAPE)
    path = write(tmp_path / "a.parquet", image=STRUCTS)
    with pytest.raises(UsageError, match=r"column 'image' has [0-9]+ bytes in one row group"):
        load_samples(path, image_shape=SHAPE)
