"""Weights in other files: found by rules that let no model point at a file that is not its own, and read once.

Neither the onnx package nor ONNX Runtime ever gets a path: they get the numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
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
_KNOWN = ("location", "offset", "length", "checksum")
# Reads memory of the process in ONNX Runtime, at the address that is the offset.
_MEMORY = "_ORT_MEM_ADDR_"


def has_external_data(proto: onnx.ModelProto) -> bool:
    """Whether any tensor of a model lies in another file."""
    return any(map(is_external, tensors_in(proto)))


def load_external_data(proto: onnx.ModelProto, folder: Path) -> None:
    """Put the data of all external tensors into a model.

    Args:
        proto: the model; changed in place.
        folder: the one that the model's file is in; locations are relative to it.

    Raises:
        FindingError: a location is not one of a file of the model's own (HX001 to HX005).
        ModelError: a file is missing, cannot be read, or is too short; or all weights together are too large.
    """
    tensors = [tensor for tensor in tensors_in(proto) if is_external(tensor)]
    total = sum(map(size_in_bytes, tensors))
    if total >= _MAX_BYTES:
        raise ModelError(f"the model's external weights take {total} bytes; ninspect reads models below 2 GiB")
    with ExitStack() as opened:
        files: dict[str, BinaryIO] = {}
        for tensor in tensors:
            location, offset = place(tensor)
            if location not in files:
                files[location] = opened.enter_context(open_external(folder, location, tensor.name))
            tensor.raw_data = _read(files[location], location, offset, tensor)
            tensor.ClearField("data_location")
            del tensor.external_data[:]


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


def _parts(location: str, name: str) -> Iterable[str]:
    """The components of a location, read so that no system sees more in them than another."""
    windows, here = PureWindowsPath(location), PurePath(location)
    if windows.drive or windows.root or ".." in windows.parts or _MEMORY in location or "\0" in location:
        raise FindingError("HX001", f"the weights '{location}' of tensor '{name}' lie outside the model's folder", name)
    return here.parts


def _read(stream: BinaryIO, location: str, offset: int, tensor: onnx.TensorProto) -> bytes:
    size = size_in_bytes(tensor)
    available = os.fstat(stream.fileno()).st_size
    data = b""
    if offset + size <= available:
        stream.seek(offset)
        data = stream.read(size)
    if len(data) != size:
        raise ModelError(
            f"'{location}' has {available} bytes, but the weights of tensor '{tensor.name}' are bytes {offset} to "
            f"{offset + size}; it is truncated, or a Git LFS pointer: download it again"
        )
    return data
