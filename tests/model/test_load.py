import gzip
import hashlib
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from ninspect.errors import ModelError, UsageError
from ninspect.model import read_model
from tests.support import even_weights, linear_model, onnx_model

MODEL = linear_model(even_weights()).SerializeToString()


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.onnx", MODEL)


def test_a_model_is_read_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(MODEL)
    file = read_model(path)
    assert file.path == str(path)
    assert file.original == MODEL
    assert file.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert [node.op_type for node in file.proto.graph.node] == ["Flatten", "MatMul", "Identity"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; download or export it again"),
        (b"hello world\n" * 50, "is not an ONNX model, or is truncated|holds no network"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "is a Git LFS pointer.*git lfs pull"),
        (gzip.compress(MODEL), "is gzip-compressed; decompress it first"),
        *((pickle.dumps({"a": 1}, protocol), "is a Python pickle, which can run code") for protocol in (2, 3, 4, 5)),
        (b"<!DOCTYPE html><html></html>", "is a web page or XML"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
        (b"\x20\x00\x00\x00ORTM" + bytes(100), "is in ONNX Runtime's own .ort format"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "is a TensorFlow Lite model"),
        (MODEL[: len(MODEL) // 2], "is not an ONNX model, or is truncated"),
        (MODEL[:-1], "is not an ONNX model, or is truncated"),
        (MODEL + b"\xff" * 100, "is not an ONNX model, or is truncated"),
        (np.random.default_rng(0).bytes(4096), "is not an ONNX model, or is truncated"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "holds no network"),
        (onnx_model("").SerializeToString(), "holds no network: its graph has no nodes or no outputs"),
    ],
)
def test_what_is_not_a_model_is_refused_with_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=f"model.onnx ({message})"):
        read_model(path)


def test_a_zip_archive_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"is a zip archive \(PyTorch \.pt and Keras \.keras files are\)"):
        read_model(tmp_path / "model.onnx")


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*model\.onnx"):
        read_model(tmp_path / "model.onnx")


def test_what_cannot_be_opened_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for path, reason in (("loop", "symbolic links"), ("file/below", "Not a directory"), ("x" * 300, "name too long")):
        with pytest.raises(UsageError, match=f"cannot be read: .*{reason}"):
            read_model(tmp_path / path)


def test_what_is_not_a_regular_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")  # reading it would wait for ever
    for path in (tmp_path, tmp_path / "pipe.onnx", Path("/dev/zero")):
        with pytest.raises(ModelError, match="is not a regular file; give the path of an"):
            read_model(path)


def test_a_file_beyond_the_limit_of_protobuf_is_refused_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / "model.onnx").open("wb") as stream:
        stream.truncate(3 << 30)
    with pytest.raises(ModelError, match=r"is larger than 2 GiB.*; keep its weights outside it"):
        read_model(tmp_path / "model.onnx")


# Weights in another file


def save_with_external_weights(folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(linear_model(even_weights()), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_weights_in_another_file_become_part_of_the_model(tmp_path: Path) -> None:
    path = save_with_external_weights(tmp_path)
    file = read_model(path)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (weights,) = onnx.ModelProto.FromString(file.original).graph.initializer
    expected = even_weights().reshape(10, 144).T.astype(np.float32)
    assert np.array_equal(onnx.numpy_helper.to_array(weights), expected)


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_missing_or_short_weight_file_is_named(tmp_path: Path, damage: str) -> None:
    path = save_with_external_weights(tmp_path)
    weights = tmp_path / "weights.bin"
    weights.unlink() if damage == "missing" else weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match="keeps weights in another file that cannot be used") as error:
        read_model(path)
    assert "\n" not in str(error.value)
    if damage == "missing":
        assert "weights.bin" in str(error.value)


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "link.bin", "pipe.bin"])
def test_weights_outside_the_folder_are_never_read(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    path = save_with_external_weights(folder)
    secret = (folder / "weights.bin").rename(tmp_path / "secret.bin")
    (folder / "link.bin").symlink_to(secret)
    os.mkfifo(folder / "pipe.bin")
    model = onnx.load(path, load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="keeps weights in another file that cannot be used"):
        read_model(path)
