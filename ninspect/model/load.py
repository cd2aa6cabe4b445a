"""Reading a model file: once, and only if it is what it should be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from ninspect.errors import ModelError, UsageError
from ninspect.files import open_plain
from ninspect.findings import Finding
from ninspect.model.external import has_external_data, load_external_data
from ninspect.model.integrity import check_integrity
from ninspect.model.sniff import refuse_mistakes
from ninspect.model.wire import check_wire

_MAX_BYTES = 2 * 1024**3  # protobuf's own limit


@dataclass(frozen=True)
class ModelFile:
    """A parsed model and the bytes it came from.

    Attributes:
        path: as given.
        sha256: of the file's bytes.
        original: what ONNX Runtime gets to run the model unchanged; the file's bytes, with external weights included.
        findings: what is remarkable about the file, and does not keep it from being analysed.
    """

    path: str
    sha256: str
    original: bytes
    findings: tuple[Finding, ...] = ()

    @property
    def proto(self) -> onnx.ModelProto:
        """The parsed model, anew each time: to keep it would take as much memory as the bytes."""
        proto: onnx.ModelProto = onnx.ModelProto.FromString(self.original)
        return proto


def read_model(path: Path) -> ModelFile:
    """Read, check and parse an ONNX file. All that follows is about the bytes read here.

    Raises:
        UsageError: there is no such file.
        FindingError: it breaks a rule that keeps it from being analysed.
        ModelError: it is not a regular file, not an ONNX model, empty, truncated or too large.
    """
    data = _read_bytes(path)
    refuse_mistakes(data, str(path))
    check_wire(data, str(path))
    try:
        proto = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelError(f"{path} is not an ONNX model, or is truncated; download or export it again") from error
    if not proto.graph.node or not proto.graph.output:
        raise ModelError(f"{path} holds no network: its graph has no nodes or no outputs")
    findings = check_integrity(proto)
    original = data
    if has_external_data(proto):
        load_external_data(proto, path.parent)
        original = proto.SerializeToString()
    return ModelFile(str(path), hashlib.sha256(data).hexdigest(), original, tuple(findings))


def _read_bytes(path: Path) -> bytes:
    """The file's content; a file that grows meanwhile is cut where it ended when it was opened."""
    try:
        with open_plain(path, follow=True) as stream:
            size = stream.seek(0, 2)
            if size > _MAX_BYTES:
                raise ModelError(
                    f"{path} is larger than 2 GiB, more than an ONNX file can be; keep its weights outside it"
                )
            stream.seek(0)
            return stream.read(size)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:  # the second: a name with a zero byte in it
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
