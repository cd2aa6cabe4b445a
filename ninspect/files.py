"""Files: read once and only if they are plain files, parsed with a bound, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from ninspect.errors import ModelError, NinspectError, UsageError, WriteError

# Not to wait for the writer of a pipe; Windows has no such pipes.
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# From this size on, a file that takes up less than a part of it on the disk is refused.
_SPARSE_BYTES, _SPARSE_PART = 64 * 1024**2, 16
MAX_TEXT = 16 * 2**20  # bytes of a small text file
_WRONG_PATH = (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


def open_plain(path: Path, *, follow: bool) -> BufferedReader:
    """Open a regular file for reading; anything else is refused before it is opened, and again when it is open.

    Args:
        path: the file.
        follow: whether the path may be a symbolic link itself.

    Raises:
        ModelError: it is not a regular file, or a sparse one, which is made to fill memory with nothing.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(path.stat(follow_symlinks=follow).st_mode):
        raise ModelError(f"{path} is not a regular file; give the path of an .onnx file")
    stream = os.fdopen(os.open(path, _OPEN | (0 if follow else _NO_LINK)), "rb")
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        stream.close()
        raise ModelError(f"{path} is not a regular file; give the path of an .onnx file")
    stored = getattr(status, "st_blocks", status.st_size) * 512
    if status.st_size > _SPARSE_BYTES and stored * _SPARSE_PART < status.st_size:
        stream.close()
        raise ModelError(f"{path} is a sparse file, {status.st_size} bytes of almost nothing; download it again")
    return stream


def unwritable(path: Path, error: OSError) -> NinspectError:
    """What to say of a file or folder that cannot be made: whether the path is wrong, or there is no room or right."""
    kind = UsageError if error.errno in _WRONG_PATH else WriteError
    return kind(f"{path} cannot be written: {error.strerror or error}")


def check_writable(path: Path) -> None:
    """Find out whether `replace_file` can make this file, before the work whose result it shall hold.

    Raises:
        UsageError: there cannot be such a file: no such folder, or a folder itself.
        WriteError: its folder is read-only.
    """
    try:
        if path.is_dir():
            raise unwritable(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
        target = path.resolve()
        target.parent.stat()
    except OSError as error:
        raise unwritable(path, error) from error
    if not os.access(target if target.exists() and not target.is_file() else target.parent, os.W_OK):
        raise WriteError(f"{path} cannot be written: its folder is read-only; choose another place")


def check_folder(path: Path) -> None:
    """The same for a folder, which is made if it is not there."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; give a folder, which is made if it is not there")
    check_writable(path / "file" if path.is_dir() else path)


def make_folder(path: Path) -> None:
    """Make a folder, if it is not there.

    Raises:
        UsageError: it is a file, or the one above is missing.
        WriteError: it cannot be made, or be written.
    """
    check_folder(path)
    try:
        path.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=path):  # rights are not all that can be missing
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` by a file with this content; see `replace_file`."""
    replace_file(path, lambda stream: stream.write(data))


def create_file(path: Path, data: bytes) -> None:
    """Make a file that does not exist yet, as a whole.

    Raises:
        UsageError: it exists, or there is no such folder.
        WriteError: the disk is full, the folder is read-only; nothing is left behind.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        _open_to_others(Path(temporary))
        os.link(temporary, path)  # unlike a rename, it fails where there is one
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write` with a temporary file in the same folder, then rename it to `path`, or to what that links to.

    Raises:
        UsageError: there cannot be such a file: no such folder, or a folder itself.
        WriteError: the disk is full, the folder is read-only; nothing is left behind, and an old file stays.
    """
    temporary = None
    try:
        if path.exists() and not path.is_file():  # a device or pipe, such as /dev/null, is written to, not replaced
            with path.open("wb") as stream:
                write(stream)
            return
        target = path.resolve()
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as stream:
            write(stream)
        _open_to_others(Path(temporary))
        Path(temporary).replace(target)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _open_to_others(temporary: Path) -> None:
    """The rights of any new file; mkstemp's own 0600 is for secrets."""
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)


# What people leave beside a model.
COMPANIONS = ("classes.txt", "config.json", "preprocess.toml", "preprocessor_config.json")


def beside(model: Path, name: str) -> Path | None:
    """A file that belongs to a model: in its folder or, where that is Hugging Face's `onnx`, in the one above.

    >>> beside(Path("models/digits/clean_torch.onnx"), "classes.txt")
    PosixPath('models/digits/classes.txt')
    """
    own, above = model.parent / name, model.parent.parent / name
    if own.is_file():
        return own
    return above if above in companions_above(model) else None


def companions(model: Path) -> list[Path]:
    """The files that belong to a model, wherever they lie."""
    return [path for name in COMPANIONS if (path := beside(model, name)) is not None]


def companions_above(model: Path) -> list[Path]:
    """The files that belong to a model and lie in the folder above its own; links do not count."""
    if model.parent.name != "onnx":
        return []
    paths = (model.parent.parent / name for name in COMPANIONS)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def reason(error: Exception) -> str:
    """Why a file could not be read, on one line and without repeating its path."""
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turns whatever a parser raises inside the block into one `UsageError` about `path`."""
    try:
        yield
    except NinspectError:
        raise
    # Broken files make zipfile, gzip and NumPy raise ValueError, EOFError, zlib.error, RuntimeError, MemoryError, ...
    except Exception as error:
        raise UsageError(f"{path} cannot be read as {what} ({reason(error)}); give a complete one") from error


def read_text(path: Path, what: str, limit: int = MAX_TEXT) -> str:
    """The text of a file.

    Args:
        path: the file.
        what: it should be, with an article, for the message.
        limit: most bytes that it may have.

    Raises:
        UsageError: it is not a regular file, too large, or not UTF-8.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give {what}")
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{path} cannot be read ({why}); give {what}") from error
    if len(content) > limit:
        raise UsageError(f"{path} is larger than {limit >> 20} MiB; give {what}")
    return text


def parse_json(text: str, path: Path) -> Any:
    """What a JSON text says.

    Raises:
        UsageError: it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON ({reason(error)}); correct it") from error
