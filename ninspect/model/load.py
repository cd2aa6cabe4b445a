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
from ninspect.model.external import FileHash, load_external_data
from ninspect.model.integrity import check_integrity
from ninspect.model.sniff import refuse_mistakes
from ninspect.model.unsigned import drop_signs
from ninspect.model.wire import check_wire
from ninspect.text import byte_count

_MAX_BYTES = 2 * 1024**3  # protobuf's own limit


@dataclass(frozen=True)
class ModelFile:
    """A model as it was read.

    Attributes:
        path: as given.
        files: the graph's own file, then those with external weights in the order of their names.
        original: what ONNX Runtime gets to run the model unchanged: the file's bytes, with external weights included,
            with axes open that have no size, and with integers that no processor adds wrongly, see `unsigned`.
        findings: what is remarkable about the file, and does not keep it from being analysed.
    """

    path: str
    files: tuple[FileHash, ...]
    original: bytes
    findings: tuple[Finding, ...] = ()

    @property
    def sha256(self) -> str:
        """What the model is known by, as hexadecimal digits.

        Of a model in one file, the hash of that file, whatever its name. Of a model with weights in other files, the
        hash of a list of hashes, which these commands give in the model's folder:

            { sha256sum < model.onnx; sha256sum a.data sub/b.data; } | sha256sum

        The data files are in the order of the bytes of their names, each with the path that the model has for it. Each
        line of the list is the hash, two spaces, and the name, which is `-` for the graph.
        """
        graph, *data = self.files
        if not data:
            return graph.sha256
        lines = [f"{graph.sha256}  -\n", *(f"{file.sha256}  {file.name}\n" for file in data)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parse(self) -> onnx.ModelProto:
        """The model as protobuf, anew each time: to keep it would take as much memory as the bytes."""
        proto: onnx.ModelProto = onnx.ModelProto.FromString(self.original)
        return proto

    def __repr__(self) -> str:
        size = byte_count(sum(file.bytes for file in self.files))
        return f"<ModelFile {self.path!r}: {size}, sha256 {self.sha256}>"


def read_model(path: Path | str) -> ModelFile:
    """Read, check and parse an ONNX file. All that follows is about the bytes read here.

    Raises:
        FindingError: it breaks a rule that keeps it from being analysed.
        UsageError: there is no such file, or it plainly is something else: a folder, a text, a zip archive, empty.
        ModelError: it is not a regular file, not an ONNX model, truncated or too large.
    """
    path = Path(path)
    if str(path).startswith(("http:", "https:")):
        address = str(path).replace(":/", "://", 1)  # a path has lost one of the two
        raise UsageError(f"{address} is an address; download the file and give its path")
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
    graph = FileHash(path.name, hashlib.sha256(data).hexdigest(), len(data))
    external = load_external_data(proto, path.parent)
    changed = [_free_empty_axes(proto), drop_signs(proto)]
    original = proto.SerializeToString() if any(changed) or external else data
    return ModelFile(str(path), (graph, *external), original, tuple(findings))


def _free_empty_axes(proto: onnx.ModelProto) -> bool:
    """Leave every axis open that the file gives the size −1 or 0, as Paddle, Caffe2 and MXNet do; was there any?

    ONNX Runtime takes 0 for the size.
    """
    graph = proto.graph
    dims = [d for v in (*graph.input, *graph.output, *graph.value_info) for d in v.type.tensor_type.shape.dim]
    empty = [dim for dim in dims if dim.HasField("dim_value") and dim.dim_value <= 0]
    for dim in empty:
        dim.Clear()
    return bool(empty)


def _read_bytes(path: Path) -> bytes:
    """The file's content; a file that grows meanwhile is cut where it ended when it was opened."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; give the path of an .onnx file in it")
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
