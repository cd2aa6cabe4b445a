"""The files of a request, carried to another place."""

import os
from pathlib import Path

import pytest

from ninspect.fleet.identity import files_of_samples
from ninspect.fleet.parcel import Parcel, absolute, files_of_model, unpacked
from ninspect.requests import PreprocessOptions, ScanRequest


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScanRequest:
    monkeypatch.chdir(tmp_path)
    for name in ("m/x.onnx", "m/classes.txt", "m/other.bin", "pictures/cat/1.png", "pre.toml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return ScanRequest(Path("m/x.onnx"), Path("m/../pictures"), preprocess=PreprocessOptions(file=Path("pre.toml")))


def test_what_belongs_to_a_request_is_where_the_moved_request_looks(request_: ScanRequest, tmp_path: Path) -> None:
    asked = absolute(request_)
    there = tmp_path / "there"
    assert asked.samples is not None
    for files in (files_of_model(asked), files_of_samples(asked.samples)):
        parcel = Parcel.of(files, 1000)
        assert parcel is not None
        parcel.unpack(there)
    moved = unpacked(asked, there)
    assert moved.model.read_text() == "m/x.onnx"
    assert (moved.model.parent / "classes.txt").is_file()
    assert not (moved.model.parent / "other.bin").exists()
    assert moved.samples is not None
    assert (moved.samples / "cat" / "1.png").read_text() == "pictures/cat/1.png"
    assert moved.preprocess.file is not None
    assert moved.preprocess.file.read_text() == "pre.toml"


def test_what_is_too_large_or_no_plain_file_does_not_travel(request_: ScanRequest, tmp_path: Path) -> None:
    asked = absolute(request_)
    assert Parcel.of(files_of_model(asked), 20) is None
    assert Parcel.of([tmp_path / "none"], 1000) is None
    os.mkfifo(tmp_path / "m" / "pipe.onnx")
    assert Parcel.of(files_of_model(ScanRequest(tmp_path / "m" / "pipe.onnx")), 1000) is None
