"""Bad inputs that are listed and not in the corpus: about the scan around the model, through the real command line.

Tensors and attributes with two values, names twice and the like (rows 74 to 79) are in tests/model/test_integrity.py,
images and settings (87 to 99) mostly in tests/samples.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from ninspect.audit import ready
from ninspect.audit import stages as audit
from ninspect.model import read_model
from tests.hostile.process import QUIET, Run, watched
from tests.support import (
    even_weights,
    linear_model,
    linear_scan_files,
    onnx_model,
    random_pixels,
    save,
    save_images,
    written_out,
)


def scanned(folder: Path, model: Path, *arguments: str | Path) -> Run:
    return watched(folder, "scan", model, "--format", "json", "--device", "cpu", *arguments)


def test_two_graphs_in_one_file_are_never_merged(tmp_path: Path) -> None:
    """Row 77."""
    data = linear_model(even_weights()).SerializeToString()
    second = onnx.ModelProto(graph=onnx.GraphProto(name="second")).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(data + second)
    run = scanned(tmp_path, tmp_path / "model.onnx")
    assert (run.code, run.rules) == (3, ["IN003"])


def test_a_weight_that_is_an_input_too_is_a_constant(tmp_path: Path) -> None:
    """Row 79."""
    model = linear_model(even_weights())
    model.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [144, 10]))
    run = scanned(tmp_path, save(model, tmp_path / "model.onnx"))
    assert run.rules == ["IN007"]
    assert QUIET in run.told


def test_a_branch_may_use_names_of_the_graph_around_it() -> None:
    """Row 80."""
    model = onnx_model(
        """f = Flatten(x)
           y = If (yes) <then_branch = a () => (float[N,10] p) { g = Relu(f); p = MatMul(g, w) },
                         else_branch = b () => (float[N,10] q) { g = Neg(f); q = MatMul(g, w) }>
           z = Neg(y)""",
        y="float[N,10] z",
        w=np.ones((64, 10)),
        yes=np.array(True),
    )
    operators = [node.op_type for node in written_out(model).graph]
    assert operators == ["Flatten", "Relu", "MatMul", "Neg"]


def test_a_file_that_changes_after_it_was_read_is_scanned_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 82: only what was hashed is ever looked at, in the truth test too."""
    model, images = linear_scan_files(tmp_path, even_weights())
    digest = read_model(model).sha256

    def overtaken(path: Path) -> object:
        file = read_model(path)
        path.write_bytes(b"something else")
        return file

    monkeypatch.setattr(ready, "read_model", overtaken)
    result = audit.scan(model, images, device="cpu")
    assert (result.verdict, result.model.sha256) == ("clean", digest)


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.onnx", "x" * 250 + ".onnx", "two\nlines\x1b[2J.onnx"], ids=["bytes", "long", "lines"]
)
def test_any_file_name_is_shown(name: str | bytes, tmp_path: Path) -> None:
    """Row 83."""
    path = tmp_path / os.fsdecode(name)
    save(linear_model(even_weights()), path)
    run = scanned(tmp_path, path)
    assert (run.code, QUIET in run.told) == (3, True)


def test_images_that_are_bombs_are_skipped_and_counted(tmp_path: Path) -> None:
    """Rows 87 and 88."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i, pixels in enumerate(random_pixels(50, (12, 12))):
        Image.fromarray(np.uint8(pixels * 255)).save(folder / f"{i:02}.png")
    head = struct.pack(">4sIIBBBBB", b"IHDR", 50_000, 50_000, 1, 0, 0, 0, 0)
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + head + struct.pack(">I", zlib.crc32(head)))
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not a picture", encoding="utf-8")
    (folder / "short.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    run = scanned(tmp_path, save(linear_model(even_weights()), tmp_path / "model.onnx"), "--samples", folder)
    samples = run.result.samples
    assert samples is not None
    assert samples.count == 50
    assert {text.partition(":")[0] for text in samples.skipped} == {"bomb.png", "empty.png", "text.png", "short.jpg"}


def test_images_that_are_mostly_broken_are_no_basis(tmp_path: Path) -> None:
    """Row 88."""
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(folder / "good.png")
    (folder / "empty.png").touch()
    run = scanned(tmp_path, save(linear_model(even_weights()), tmp_path / "model.onnx"), "--samples", folder)
    assert (run.code, "cannot be read" in run.told) == (3, True)


@pytest.mark.parametrize("kind", ["objects", "claim", "values", "channels", "labels", "nothing", "loop", "loader"])
def test_images_that_are_none_are_refused(kind: str, tmp_path: Path) -> None:
    """Rows 90 to 97."""
    path = tmp_path / "images.npz"
    pixels = np.zeros((4, 12, 12, 1), np.uint8)
    match kind:
        case "objects":
            np.savez(path, x=np.array([{}], dtype=object))
        case "claim":
            path = tmp_path / "images.npy"
            np.save(path, pixels)
            path.write_bytes(path.read_bytes().replace(b"(4, 12,", b"(4000000000000, 12,"))
        case "values":
            np.savez(path, x=np.full((4, 12, 12, 1), np.nan, np.float32))
        case "channels":
            np.savez(path, x=np.zeros((4, 12, 12, 3), np.uint8))
        case "labels":
            np.savez(path, x=pixels, y=np.zeros(3, np.int64))
        case "nothing" | "loop" | "loader":
            path = tmp_path / "folder"
            path.mkdir()
            (path / "loader.py").write_text("raise SystemExit('run')", encoding="utf-8")
            (path / "again").symlink_to(path)
            os.mkfifo(path / "pipe")
    run = scanned(tmp_path, save(linear_model(even_weights()), tmp_path / "model.onnx"), "--samples", path)
    assert run.code == 2


@pytest.mark.parametrize(
    "text",
    [
        "unknown = 1",
        "std = 0",
        "size = [-1, 8]",
        "scale = nan",
        "mean = []",
        "a = " + "[" * 5000,
        "\0",
        "!!python/object: x",
    ],
)
def test_settings_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    """Row 99."""
    (tmp_path / "preprocess.toml").write_text(text, encoding="utf-8")
    model, images = linear_scan_files(tmp_path, even_weights())
    assert scanned(tmp_path, model, "--samples", images).code == 2


def test_the_same_few_images_are_no_basis(tmp_path: Path) -> None:
    """Row 94."""
    images = save_images(tmp_path / "images.npz", np.repeat(random_pixels(1, (12, 12, 1)), 20, axis=0))
    run = scanned(tmp_path, save(linear_model(even_weights()), tmp_path / "model.onnx"), "--samples", images)
    assert (run.code, "for every image" in run.told) == (3, True)
