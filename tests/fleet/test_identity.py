import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from ninspect.fleet.identity import _samples, identity, key_of, named_in
from ninspect.requests import PreprocessOptions, ScanRequest
from tests.support import even_weights, linear_model, linear_scan_files

Change = Callable[[Path], ScanRequest]


def request(folder: Path) -> ScanRequest:
    return ScanRequest(folder / "model.onnx", folder / "images.npz", class_names=folder / "names.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with weights in a file of its own, and what lies beside it."""
    root = tmp_path / "first"
    root.mkdir()
    linear_scan_files(root, even_weights(), 20)
    model = linear_model(even_weights())
    onnx.save(model, root / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (root / "names.txt").write_text("\n".join("abcdefghij"))
    (root / "notes.md").write_text("of no consequence")
    return root


def test_the_same_content_elsewhere_is_the_same(folder: Path) -> None:
    other = folder.parent / "second"
    shutil.copytree(folder, other)
    (other / "notes.md").write_text("other")
    on_gpu = replace(request(other), device="cuda", memory=10**9)
    assert identity(request(folder)) == identity(request(other)) == identity(on_gpu)
    assert [path.name for path in named_in(folder / "model.onnx")] == ["w.bin"]


def _write(name: str, content: bytes) -> Change:
    def change(folder: Path) -> ScanRequest:
        path = folder / name
        path.write_bytes((path.read_bytes() if path.exists() else b"") + content)
        return request(folder)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _write("model.onnx", b"\x0a"),
        _write("w.bin", b"\x00"),
        _write("names.txt", b"\n"),
        _write("classes.txt", b"a"),
        _write("preprocess.toml", b"mean = 0.5"),
        lambda folder: replace(request(folder), samples=None),
        lambda folder: replace(request(folder), seed=1),
        lambda folder: replace(request(folder), ignore=("GR",)),
        lambda folder: replace(request(folder), preprocess=PreprocessOptions(mean=0.5)),
    ],
    ids=["bytes", "weights", "names", "classes.txt", "preprocess.toml", "no samples", "seed", "ignore", "mean"],
)
def test_all_that_a_verdict_depends_on_counts(folder: Path, change: Change) -> None:
    before = identity(request(folder))
    assert identity(change(folder)) != before


def test_one_image_more_counts(folder: Path) -> None:
    samples = folder / "samples"
    samples.mkdir()
    (samples / "1.png").write_bytes(b"1")
    asked = replace(request(folder), samples=samples)
    one = identity(asked)
    moved = folder / "more"
    shutil.copytree(samples, moved)
    (moved / "2.png").write_bytes(b"2")
    assert identity(replace(asked, samples=moved)) != one


def test_images_beside_a_table_count(folder: Path) -> None:
    samples = folder / "samples"
    samples.mkdir()
    (samples / "labels.csv").write_text("path,label\n1.png,0\n")
    (samples / "1.png").write_bytes(b"1")
    one = identity(replace(request(folder), samples=samples / "labels.csv"))
    other = folder / "other"
    shutil.copytree(samples, other)
    assert identity(replace(request(folder), samples=other / "labels.csv")) == one
    (other / "1.png").write_bytes(b"2")
    _samples.cache_clear()
    assert identity(replace(request(folder), samples=other / "labels.csv")) != one


def test_what_cannot_be_read_has_a_key_of_its_path(tmp_path: Path) -> None:
    nothing, folder = ScanRequest(tmp_path / "nothing.onnx"), ScanRequest(tmp_path)
    assert len({key_of(nothing), key_of(folder)}) == 2
    assert key_of(nothing) == key_of(nothing)
