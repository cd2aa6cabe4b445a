"""What a file's bytes would become as protobuf, found before any of it does: a small file can ask for gigabytes.

The walk is a loop over bytes with a stack of its own. Which fields there are comes from the onnx package.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import onnx

from ninspect.errors import ModelError
from ninspect.findings import FindingError

_MODEL = "onnx.ModelProto"
# Messages within messages: eight branches within one another, and what lies in the innermost.
MOST_DEEP = 32
MOST_ENTRIES = 4_000_000
# The largest models of the coverage tests have 2300 nodes, 1700 initializers and 500 functions.
MOST = {
    "onnx.NodeProto": (30_000, "nodes"),
    "onnx.TensorProto": (100_000, "tensors"),
    "onnx.FunctionProto": (2_000, "functions"),
    "onnx.GraphProto": (2_000, "subgraphs"),
    "text": (300_000, "strings"),
}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# How the types of protobuf's descriptors are written; all others as varints.
_TEXT, _MESSAGE, _DATA = 9, 11, 12
_WRITTEN = {
    **dict.fromkeys((1, 6, 16), _FIXED64),
    **dict.fromkeys((2, 7, 15), _FIXED32),
    **dict.fromkeys((_TEXT, _MESSAGE, _DATA), _BYTES),
}


class _MalformedError(Exception):
    """The bytes are not those of the message that they should be."""


class _Field(NamedTuple):
    """A field of a message.

    Attributes:
        name: of the field.
        written: how.
        repeated: whether there may be several.
        bit: by which it is remembered, if there may be only one; else 0.
        holds: name of the message that it holds; `text` for repeated strings, which are counted.
        text: whether it must be UTF-8.
    """

    name: str
    written: int
    repeated: bool
    bit: int
    holds: str | None
    text: bool


@cache
def _fields() -> dict[str, dict[int, _Field]]:
    """The fields of every message that a model can hold, by number."""
    tables: dict[str, dict[int, _Field]] = {}
    waiting = [onnx.ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if message.full_name in tables:
            continue
        table = tables[message.full_name] = {}
        for field in message.fields:
            group = field.containing_oneof  # of these, only one may be there
            bit = 0 if field.is_repeated else 1 << (field.number if group is None else group.fields[0].number)
            written = _WRITTEN.get(field.type, _VARINT)
            holds = "text" if field.type in (_TEXT, _DATA) and field.is_repeated else None
            if field.type == _MESSAGE:
                holds = field.message_type.full_name
                waiting.append(field.message_type)
            table[field.number] = _Field(field.name, written, field.is_repeated, bit, holds, field.type == _TEXT)
    return tables


def check_wire(data: bytes, name: str) -> None:
    """Refuse bytes that are no model, or one that is built to exhaust or to mislead its reader.

    Args:
        data: the file's content.
        name: of the file, for messages.

    Raises:
        ModelError: the bytes are not those of an ONNX model.
        FindingError: they are nested too deeply (GR003), hold too many parts (HX008), or a field twice (IN003).
    """
    try:
        _walk(data, name)
    except (_MalformedError, IndexError, UnicodeDecodeError) as error:
        raise ModelError(f"{name} is not an ONNX model, or is truncated; download or export it again") from error


def _walk(data: bytes, name: str) -> None:
    tables = _fields()
    counts = dict.fromkeys(MOST, 0)
    stack: list[tuple[int, dict[int, _Field], int]] = []
    position, end, table, seen, entries = 0, len(data), tables[_MODEL], 0, 0
    while True:
        if position == end:
            if not stack:
                return
            end, table, seen = stack.pop()
            continue
        entries += 1
        key, position = _varint(data, position)
        number, written = key >> 3, key & 7
        size = {_FIXED32: 4, _FIXED64: 8}.get(written, 0)
        if written == _VARINT:
            position = _varint(data, position)[1]
        elif written == _BYTES:
            size, position = _varint(data, position)
        elif not size:
            raise _MalformedError
        start, position = position, position + size
        if position > end or number == 0:
            raise _MalformedError
        field = table.get(number)
        if field is None:  # of a later version of ONNX; protobuf keeps it aside
            continue
        label, expected, repeated, bit, holds, is_text = field
        if written != expected and not (repeated and written == _BYTES):
            raise _MalformedError
        if seen & bit:
            raise FindingError("IN003", f"{name} holds the field '{label}' twice, where one is allowed", label)
        seen |= bit
        if is_text:
            data[start:position].decode()
        if holds in counts:
            counts[holds] += 1
            most, what = MOST[holds]
            if counts[holds] > most:
                raise FindingError("HX008", f"{name} holds more than {most} {what}, more than any network has")
        if entries > MOST_ENTRIES:
            raise FindingError("HX008", f"{name} holds more than {MOST_ENTRIES} entries, more than any network has")
        if holds in tables:
            stack.append((end, table, seen))
            if len(stack) > MOST_DEEP:
                raise FindingError("GR003", f"{name} nests messages more than {MOST_DEEP} deep")
            position, end, table, seen = start, position, tables[holds], 0


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in groups of 7 bits, the lowest first, and where it ends."""
    value = data[position]
    position += 1
    if value < 128:
        return value, position
    value &= 127
    for shift in range(7, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise _MalformedError
