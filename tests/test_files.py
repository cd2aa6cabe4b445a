import io
import os
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from ninspect.errors import UsageError, WriteError
from ninspect.files import create_file, replace_file
from tests.support import names_in


def write(content: bytes, stream: IO[bytes]) -> None:
    stream.write(content)


def write_half(stream: IO[bytes]) -> None:
    stream.write(b"half of the new")
    raise OSError(28, "No space left on device")


def break_down(stream: IO[bytes]) -> None:
    stream.write(b"half of the new")
    raise ZeroDivisionError


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    for content in (b"first", b"second, longer", b"3"):
        replace_file(path, partial(write, content))
        assert path.read_bytes() == content
    assert names_in(tmp_path) == ["result.json"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    replace_file(tmp_path / "replaced", lambda stream: stream.write(b"x"))
    assert (tmp_path / "replaced").stat().st_mode == plain.stat().st_mode


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"old")
    with pytest.raises(WriteError, match=r"result\.json cannot be written: No space left on device"):
        replace_file(path, write_half)
    with pytest.raises(ZeroDivisionError):
        replace_file(path, break_down)
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["result.json"]


def test_a_failed_write_of_a_new_file_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(WriteError):
        replace_file(tmp_path / "new", write_half)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "reason"), [("missing/file", "No such file"), ("file/below", "Not a directory"), (".", "Is a directory")]
)
def test_what_cannot_be_written_is_a_usage_error(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"cannot be written: {reason}"):
        replace_file(tmp_path / path, lambda stream: stream.write(b"x"))


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_file(pipe, lambda stream: stream.write(b"through"))
    assert io.FileIO(reader).read() == b"through"
    assert pipe.is_fifo()


def test_a_new_file_never_replaces_one(tmp_path: Path) -> None:
    create_file(tmp_path / "a", b"new")
    for path in (tmp_path / "a", tmp_path):
        with pytest.raises(UsageError, match="cannot be written: File exists"):
            create_file(path, b"other")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match="cannot be written: File exists"):
        create_file(tmp_path / "link", b"other")
    with pytest.raises(UsageError, match="No such file or directory"):
        create_file(tmp_path / "missing" / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names_in(tmp_path) == ["a", "link"]
