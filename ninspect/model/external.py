"""Weights in other files: found by rules that let no model point at a file that is not its own, and read once.

Neither the onnx package nor ONNX Runtime ever gets a path: they get the numbers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PureWindowsPath
from stat import S_ISLNK, S_ISREG
from typing import BinaryIO

import onnx

from ninspect.errors import ModelError
from ninspect.files import open_plain
from ninspect.findings import FindingError
from ninspect.model.tensors import is_external, size_in_bytes, tensors_in

# With its weights a model is one protobuf message, as ONNX Runtime takes it.
_MAX_BYTES = 2 * 1024**3
_PIECE = 1024**2  # bytes read at a time
_KNOWN = ("location", "offset", "length", "checksum")
# Reads memory of the process in ONNX Runtime, at the address that is the offset.
_MEMORY = "_ORT_MEM_ADDR_"


@dataclass(frozen=True)
class FileHash:
    """One file of a model, as it was read.

    Attributes:
        name: relative to the model's folder, with slashes.
        sha256: of all its bytes, also of those that belong to no tensor.
        bytes: how many they are.
    """

    name: str
    sha256: str
    bytes: int


@dataclass
class _Cut:
    """The bytes of a file, from `start` to before `end`, that are one tensor's data, as far as they are read."""

    tensor: onnx.TensorProto
    start: int
    end: int
    pieces: list[bytes] = field(default_factory=list)


def load_external_data(proto: onnx.ModelProto, folder: Path) -> tuple[FileHash, ...]:
    """Put the data of all external tensors into a model.

    Args:
        proto: the model; changed in place.
        folder: the one that the model's file is in; locations are relative to it.

    Returns:
        The files that were read, in the order of their names; none where the model has all its data.

    Raises:
        FindingError: a location is not one of a file of the model's own (HX001 to HX005).
        ModelError: a file is missing, cannot be read, or is too short; or all weights together are too large.
    """
    tensors = [tensor for tensor in tensors_in(proto) if is_external(tensor)]
    total = sum(map(size_in_bytes, tensors))
    if total >= _MAX_BYTES:
        raise ModelError(f"the model's external weights take {total} bytes; ninspect reads models below 2 GiB")
    cuts: dict[str, list[_Cut]] = {}
    for tensor in tensors:
        location, offset = place(tensor)
        name = "/".join(_parts(location, tensor.name))
        cuts.setdefault(name, []).append(_Cut(tensor, offset, offset + size_in_bytes(tensor)))
    files = []
    for name, parts in sorted(cuts.items()):
        with open_external(folder, name, parts[0].tensor.name) as stream:
            files.append(_read(stream, name, parts))
    return tuple(files)


def place(tensor: onnx.TensorProto) -> tuple[str, int]:
    """Location and offset of an external tensor's data.

    Raises:
        FindingError: the fields are not those of the standard (HX005, IN003), or hold impossible numbers (HX004).
    """
    fields = dict[str, str]()
    for entry in tensor.external_data:
        if entry.key in fields:
            raise FindingError(
                "IN003", f"the external data of tensor '{tensor.name}' say '{entry.key}' twice", tensor.name
            )
        if entry.key not in _KNOWN:
            raise FindingError(
                "HX005",
                f"the external data of tensor '{tensor.name}' have the unknown field '{entry.key}'",
                tensor.name,
            )
        fields[entry.key] = entry.value
    offset, size = fields.get("offset", "0"), size_in_bytes(tensor)
    for name, value in (("offset", offset), ("length", fields.get("length", str(size)))):
        if not (value.isascii() and value.isdecimal() and len(value) < 19) or (name == "length" and int(value) != size):
            raise FindingError(
                "HX004",
                f"the external data of tensor '{tensor.name}', of {size} bytes, have the {name} {value}",
                tensor.name,
            )
    return fields.get("location", ""), int(offset)


def open_external(folder: Path, location: str, name: str) -> BinaryIO:
    """Open the file of an external tensor, if it is a plain one within the folder.

    Args:
        folder: the model's.
        location: as the model gives it, relative to the folder.
        name: of the tensor, for messages.

    Raises:
        FindingError: the location leaves the folder (HX001), goes through a link or to a special file (HX002), or the
            file has other names (HX003).
        ModelError: the file does not exist or cannot be read.
    """
    parts = _parts(location, name)
    path = folder
    try:
        for part in parts:
            path = path / part
            if S_ISLNK(path.lstat().st_mode):
                raise FindingError(
                    "HX002", f"the weights '{location}' of tensor '{name}' lie behind a symbolic link", name
                )
        status = path.lstat()
        if not S_ISREG(status.st_mode):
            raise FindingError("HX002", f"the weights '{location}' of tensor '{name}' are not a regular file", name)
        if status.st_nlink > 1:
            raise FindingError(
                "HX003", f"the weights '{location}' of tensor '{name}' are a file with {status.st_nlink} names", name
            )
        return open_plain(path, follow=False)
    except FileNotFoundError as error:
        raise ModelError(
            f"the model keeps weights in '{location}', which is missing beside it; put it there"
        ) from error
    except OSError as error:
        raise ModelError(f"the model keeps weights in '{location}', which cannot be read: {error.strerror}") from error


def _parts(location: str, name: str) -> tuple[str, ...]:
    """The components of a location, read so that no system sees more in them than another."""
    windows, here = PureWindowsPath(location), PurePath(location)
    if windows.drive or windows.root or ".." in windows.parts or _MEMORY in location or "\0" in location:
        raise FindingError("HX001", f"the weights '{location}' of tensor '{name}' lie outside the model's folder", name)
    return here.parts


def _read(stream: BinaryIO, name: str, cuts: Sequence[_Cut]) -> FileHash:
    """Fill tensors with the very bytes that are hashed, so that nobody can exchange the one for the other meanwhile."""
    size = os.fstat(stream.fileno()).st_size
    for cut in cuts:
        _check_end(cut, name, size)
        cut.tensor.ClearField("data_location")
        del cut.tensor.external_data[:]
        cut.tensor.raw_data = b""
    waiting = sorted(cuts, key=lambda cut: cut.start, reverse=True)
    begun, digest, position = list[_Cut](), hashlib.sha256(), 0
    while piece := stream.read(min(_PIECE, size - position)):
        digest.update(piece)
        end = position + len(piece)
        while waiting and waiting[-1].start < end:
            begun.append(waiting.pop())
        for cut in begun:
            cut.pieces.append(piece[max(cut.start - position, 0) : cut.end - position])
            if cut.end <= end:
                cut.tensor.raw_data = b"".join(cut.pieces)
                cut.pieces.clear()
        begun = [cut for cut in begun if cut.end > end]
        position = end
    for cut in begun + waiting:  # the file was cut short after its size was asked
        _check_end(cut, name, position)
    return FileHash(name, digest.hexdigest(), position)


def _check_end(cut: _Cut, name: str, available: int) -> None:
    if cut.end > available:
        raise ModelError(
            f"'{name}' has {available} bytes, but the weights of tensor '{cut.tensor.name}' are bytes {cut.start} to "
            f"{cut.end}; it is truncated, or a Git LFS pointer: download it again"
        )
