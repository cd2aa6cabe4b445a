"""Samples of every kind, read by the worker process of a real scan."""

import gzip
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support import Array, even_weights, linear_answers, linear_model, ninspect, random_pixels, save

WEIGHTS = even_weights(channels=3, side=32)
PIXELS = random_pixels(60, (32, 32, 3))
LABELS = linear_answers(WEIGHTS, PIXELS)
BYTES = np.rint(PIXELS * 255).astype(np.uint8)


def encoded(pixels: Array, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def gtsrb(folder: Path) -> list[str | Path]:
    """Each image lies within a frame that the region of interest leaves out."""
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for index, (pixels, label) in enumerate(zip(BYTES, LABELS, strict=True)):
        (folder / f"{index:05}.ppm").write_bytes(encoded(np.pad(pixels, ((5, 6), (7, 8), (0, 0))), "ppm"))
        rows.append(f"{index:05}.ppm;47;43;7;5;39;37;{label}")
    (folder / "GT-final_test.csv").write_text("\n".join(rows), encoding="utf-8")
    return [folder / "GT-final_test.csv"]


def named_table(folder: Path) -> list[str | Path]:
    rows = ["path,label"]
    for index, (pixels, label) in enumerate(zip(BYTES, LABELS, strict=True)):
        (folder / f"{index}.png").write_bytes(encoded(pixels, "png"))
        rows.append(f"{index}.png,class {label}")
    (folder / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "map.json").write_text(json.dumps({f"class {label}": label for label in range(10)}), encoding="utf-8")
    return [folder, "--class-map", folder / "map.json"]


def cifar(folder: Path) -> list[str | Path]:
    records = np.concatenate([LABELS.astype(np.uint8)[:, None], BYTES.transpose(0, 3, 1, 2).reshape(60, -1)], axis=1)
    (folder / "test_batch.bin").write_bytes(records.tobytes())
    return [folder]


def idx(folder: Path) -> list[str | Path]:
    for name, array in (("images-idx4-ubyte", BYTES), ("labels-idx1-ubyte", LABELS.astype(np.uint8))):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / f"t10k-{name}.gz").write_bytes(gzip.compress(header + array.tobytes()))
    return [folder / "t10k-images-idx4-ubyte.gz"]


def parquet(folder: Path) -> list[str | Path]:
    pa: Any = pytest.importorskip("pyarrow", reason="needs pyarrow, the extra 'parquet'")
    pq: Any = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow, the extra 'parquet'")
    images = [{"bytes": encoded(pixels, "png"), "path": None} for pixels in BYTES]
    pq.write_table(pa.table({"image": images, "label": LABELS}), folder / "test.parquet")
    return [folder]


@pytest.mark.parametrize(
    ("write", "kind"),
    [(gtsrb, "gtsrb"), (named_table, "csv"), (cifar, "cifar10"), (idx, "idx"), (parquet, "parquet")],
)
def test_a_scan_reads_the_images_and_their_labels(tmp_path: Path, write: Any, kind: str) -> None:
    model, data = save(linear_model(WEIGHTS), tmp_path / "model.onnx"), tmp_path / "data"
    data.mkdir()
    run = ninspect("scan", model, "--preset", "unit", "--method", "weights", "--format", "json", "-s", *write(data))
    assert run.stderr == ""
    samples = json.loads(run.stdout)["samples"]
    assert (samples["kind"], samples["count"], samples["clean_accuracy"], samples["skipped"]) == (kind, 60, 1, [])


def test_a_model_and_images_as_hugging_face_has_them(tmp_path: Path) -> None:
    """The sandbox lets the worker read what lies above the folder `onnx`, and names there number the class folders."""
    (tmp_path / "repository" / "onnx").mkdir(parents=True)
    model = save(linear_model(WEIGHTS), tmp_path / "repository" / "onnx" / "model.onnx")
    names = ["zebra", "Apple pie", "mug", "n02012849 crane", "é", "b", "a", "y", "x", "w"]
    config, processor = {"id2label": dict(enumerate(names))}, {"do_rescale": True, "do_normalize": False}
    for name, content in (("config.json", config), ("preprocessor_config.json", processor | {"do_resize": False})):
        (tmp_path / "repository" / name).write_text(json.dumps(content), encoding="utf-8")
    for index, (pixels, label) in enumerate(zip(BYTES, LABELS, strict=True)):
        folder = tmp_path / "data" / "test" / names[label].replace(" ", "_").upper() / "session"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index}.png").write_bytes(encoded(pixels, "png"))
    (tmp_path / "data" / "train").mkdir()
    run = ninspect("scan", model, "--method", "weights", "--no-evidence", "--format", "json", "-s", tmp_path / "data")
    result = json.loads(run.stdout)
    assert (result["samples"]["count"], result["samples"]["clean_accuracy"]) == (60, 1)
    assert result["class_names"] == names
    assert "preprocessor_config.json" in result["preprocess"]["source"]
    notes = [finding["message"] for finding in result["findings"] if finding["rule"] == "IM011"]
    assert notes == ["folder test was read, and not train", "labels were matched with the model's class names"]
