"""What people give by mistake instead of an ONNX model, and what they should do."""

from __future__ import annotations

from ninspect.errors import UsageError
from ninspect.findings import FindingError

_ZIP = "a zip archive (PyTorch .pt and Keras .keras files are); export the model to ONNX"
# (offset, leading bytes, what it is and what to do)
_MISTAKES = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the model; run `git lfs pull`"),
    (0, b"\x1f\x8b", "gzip-compressed; decompress it first"),
    (0, b"BZh", "bzip2-compressed; decompress it first"),
    (0, b"\xfd7zXZ", "xz-compressed; decompress it first"),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed; decompress it first"),
    (0, b"PK\x03\x04", _ZIP),
    (257, b"ustar", "a tar archive; unpack it first"),
    (0, b"\x89HDF", "an HDF5 file, as Keras and TensorFlow write (.h5); export the model to ONNX"),
    (0, b"GGUF", "a GGUF model, whose weights are for a language model's runtime; export the model to ONNX"),
    (0, b"\x93NUMPY", "a NumPy array, not a model; give the .onnx file"),
    (4, b"ORTM", "in ONNX Runtime's own .ort format; give the .onnx file that it was made from"),
    (4, b"TFL3", "a TensorFlow Lite model; export the model to ONNX"),
    (8, b'{"', "in safetensors format, which holds weights without a network; export the model to ONNX"),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")
_TEXT = 1024


def refuse_mistakes(data: bytes, name: str) -> None:
    """Refuse a file that is something else than ONNX by its first bytes.

    Raises:
        FindingError: it is a pickle (HX009).
        UsageError: it is one of the other things that people give.
    """
    if not data:
        raise UsageError(f"{name} is empty; download or export it again")
    if data[0] == 0x80 and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        what = "a Python pickle, which can run code when it is loaded; export the model to ONNX"
        raise FindingError("HX009", f"{name} is {what}")
    for offset, magic, what in _MISTAKES:
        if data[offset : offset + len(magic)] == magic:
            raise UsageError(f"{name} is {what}")
    if data.lstrip()[:9].lower().startswith(_PAGES):
        raise UsageError(f"{name} is a web page or XML, not a model; download the file itself")
    if _is_text(data[:_TEXT]):
        raise UsageError(f"{name} is a text file, not a model; give the .onnx file")


def _is_text(start: bytes) -> bool:
    """Whether there is nothing but text: protobuf's lengths and numbers are control characters almost at once."""
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = start[: error.start].decode() if error.start > len(start) - 4 else "\0"  # a character cut in half
    return all(c.isprintable() or c in "\t\r\n\f" for c in text)
