"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ninspect.errors import NinspectError, UsageError, WriteError

_WRONG_PATH = (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


def unwritable(path: Path, error: OSError) -> NinspectError:
    """What to say of a file or folder that cannot be made: whether the path is wrong, or there is no room or right."""
    kind = UsageError if error.errno in _WRONG_PATH else WriteError
    return kind(f"{path} cannot be written: {error.strerror or error}")


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` by a file with this content; see `replace_file`."""
    replace_file(path, lambda stream: stream.write(data))


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write` with a temporary file in the same folder, then rename it to `path`.

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
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            write(stream)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)  # mkstemp's own 0600 is for secrets
        Path(temporary).replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
