"""Reading a model file: what is not an ONNX model is refused with a sentence that says what it is."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from ninspect.errors import ModelError, UsageError

_MAX_BYTES = 2 * 1024**3  # protobuf's own limit

_PICKLE = "a Python pickle, which can run code when it is loaded; export the model to ONNX"
# What people pass by mistake: (offset, leading bytes, what it is and what to do).
_MISTAKES = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the model; run `git lfs pull`"),
    (0, b"\x1f\x8b", "gzip-compressed; decompress it first"),
    (0, b"PK\x03\x04", "a zip archive (PyTorch .pt and Keras .keras files are); export the model to ONNX"),
    *((0, bytes([0x80, protocol]), _PICKLE) for protocol in range(2, 6)),
    (0, b"\x89HDF", "an HDF5 file, as Keras writes; export the model to ONNX"),
    (0, b"<", "a web page or XML, not a model; download the file itself"),
    (4, b"ORTM", "in ONNX Runtime's own .ort format; give the .onnx file that it was made from"),
    (4, b"TFL3", "a TensorFlow Lite model; export the model to ONNX"),
)


@dataclass(frozen=True)
class ModelFile:
    """A parsed model and the bytes it came from.

    Attributes:
        path: as given.
        sha256: of the file's bytes.
        original: what ONNX Runtime gets to run the model unchanged; the file's bytes, with external weights included.
    """

    path: str
    sha256: str
    original: bytes

    @property
    def proto(self) -> onnx.ModelProto:
        """The parsed model, anew each time: to keep it would take as much memory as the bytes."""
        proto: onnx.ModelProto = onnx.ModelProto.FromString(self.original)
        return proto


def read_model(path: Path) -> ModelFile:
    """Read and parse an ONNX file.

    Raises:
        UsageError: there is no such file.
        ModelError: it is not a regular file, not an ONNX model, empty, truncated or too large.
    """
    data = _read_bytes(path)
    for offset, magic, what in _MISTAKES:
        if data[offset : offset + len(magic)] == magic:
            raise ModelError(f"{path} is {what}")
    try:
        proto = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelError(f"{path} is not an ONNX model, or is truncated; download or export it again") from error
    if not proto.graph.node or not proto.graph.output:
        raise ModelError(f"{path} holds no network: its graph has no nodes or no outputs")
    original = data
    if any(uses_external_data(tensor) for tensor in proto.graph.initializer):
        _load_external_data(path, proto)
        original = proto.SerializeToString()
    return ModelFile(str(path), hashlib.sha256(data).hexdigest(), original)


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path} is not a regular file; give the path of an .onnx file")
        if status.st_size > _MAX_BYTES:
            raise ModelError(f"{path} is larger than 2 GiB, more than an ONNX file can be; keep its weights outside it")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if not data:
        raise ModelError(f"{path} is empty; download or export it again")
    return data


def _load_external_data(path: Path, proto: onnx.ModelProto) -> None:
    try:
        load_external_data_for_model(proto, str(path.parent))
    except Exception as error:  # a missing file, a path outside the folder, sizes that do not fit: many types
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path} keeps weights in another file that cannot be used: {reason}") from error
