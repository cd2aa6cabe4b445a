"""Screening as its caller sees it: a worker looks at the pictures, and what it has seen is kept if it is stopped."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninspect.dispatch import perform
from ninspect.errors import InconclusiveError, UsageError
from ninspect.files import unwritable, write_file
from ninspect.isolation import NONSENSE, Limits, Listener
from ninspect.progress import Silent
from ninspect.requests import ScreenRequest

if TYPE_CHECKING:
    from ninspect.report.screening import ChunkInfo, Screening

_STATE = "ninspect/screening-state/1"
_PLACES = ("result", "device", "memory")  # what is in the result counts


def model_of(result: Path, model: Path | None = None) -> Path:
    """The model that a result is about: where it was scanned, unless it lies elsewhere now.

    Raises:
        UsageError: the result cannot be read, or there is no such model.
    """
    from ninspect.report import load_result

    path = model or Path(load_result(result).model.path)
    if not path.is_file():
        where = "" if model else f", where {result} has it"
        raise UsageError(f"there is no model {path}{where}; say with --model where it is")
    return path


class State:
    """What is known of the pictures so far, in a file beside the output: a line for what it is about, then one a chunk.

    A line is appended when a chunk is done. A run that is killed leaves at worst half a line, which is cut off.
    """

    def __init__(self, path: Path | None, request: ScreenRequest) -> None:
        """Go on with what the file has, if it is about the same request.

        Args:
            path: of the file; None: nothing is kept.
            request: what is asked.

        Raises:
            WriteError: the file cannot be written.
        """
        self._path, self._about = path, _about(request)
        self.chunks: list[ChunkInfo] = []
        if path is not None:
            self._read(path)

    @property
    def next(self) -> int:
        """The first picture that has not been looked at; 0 where nothing is known."""
        return self.chunks[-1].next if self.chunks else 0

    def add(self, chunk: ChunkInfo) -> None:
        """Keep one more chunk.

        Raises:
            OtherPicturesError: those known so far are of other pictures.
            WriteError: it cannot be written.
        """
        if self.chunks and (chunk.listing, chunk.total) != (self.chunks[0].listing, self.chunks[0].total):
            raise OtherPicturesError
        self.chunks.append(chunk)
        if self._path is not None:
            self._append(self._path, chunk.model_dump_json())

    def forget(self) -> None:
        """Begin again."""
        self.chunks.clear()
        if self._path is not None:
            write_file(self._path, self._head)

    def remove(self) -> None:
        """Nothing is left to be done."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @property
    def _head(self) -> bytes:
        return json.dumps({"schema": _STATE, "about": self._about}).encode() + b"\n"

    def _read(self, path: Path) -> None:
        from pydantic import ValidationError

        from ninspect.report.screening import ChunkInfo

        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        if not lines or lines[0] != self._head:
            self.forget()
            return
        with suppress(ValidationError):  # the line that a killed run was writing
            self.chunks += (ChunkInfo.model_validate_json(line) for line in lines[1:] if line.endswith(b"\n"))
        whole = sum(map(len, lines[: 1 + len(self.chunks)]))
        with path.open("r+b") as stream:
            stream.truncate(whole)

    @staticmethod
    def _append(path: Path, line: str) -> None:
        try:
            with path.open("ab") as stream:
                stream.write(line.encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise unwritable(path, error) from error


class OtherPicturesError(Exception):
    """What is known is of other pictures than those that are there now."""


def perform_screen(request: ScreenRequest, limits: Limits | None, progress: Silent, state: State) -> Screening:
    """Look at all pictures that the state does not know yet.

    Args:
        request: what is asked.
        limits: of the worker process; None: look in this process.
        progress: is told how far it is.
        state: has what is known already, and keeps the rest.

    Raises:
        NinspectError: there is no answer; what was seen is in the state.
    """
    from pydantic import ValidationError

    from ninspect.report.screening import ChunkInfo, HeadInfo, Screening

    start = time.perf_counter()

    def tell(kind: str, value: Any) -> None:
        if not progress.hear(kind, value) and kind == "partial":
            state.add(ChunkInfo.model_validate(value))

    def look() -> dict[str, Any]:
        left = replace(request, first=max(request.first, state.next))
        return perform(left, limits, Listener(tell))

    try:
        try:
            answer = look()
        except OtherPicturesError:
            state.forget()
            answer = look()
        return Screening.of(HeadInfo.model_validate(answer), state.chunks, time.perf_counter() - start)
    except ValidationError as error:
        raise InconclusiveError(NONSENSE) from error


def _about(request: ScreenRequest) -> str:
    """SHA-256 of what was asked, and of the result that it is about."""
    facts = {name: value for name, value in request.facts().items() if name not in _PLACES}
    try:
        content = request.result.read_bytes()
    except OSError as error:
        raise UsageError(f"{request.result} cannot be read: {error.strerror or error}") from error
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode() + content).hexdigest()
