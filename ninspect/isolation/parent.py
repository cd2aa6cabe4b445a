"""The side that is not at risk: starts the worker, reads its messages with suspicion, and ends it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from ninspect.errors import ExitCode, InconclusiveError, NinspectError, UsageError
from ninspect.isolation.lock import gpu_devices
from ninspect.isolation.pipe import PIECE, Listener
from ninspect.names import THREADS
from ninspect.text import byte_count

NONSENSE = "the process that read the model sent nonsense"
_LONGEST = 64 * 1024**2  # bytes of one message; a result has pictures, and exact triggers of several images' size
_MOST_OUTPUT = 4 * 1024**3  # bytes of a file; ONNX files end at half of that
_MOST_STEPS = 10**15
_LONGEST_ERROR = 4000  # characters
_LAST_BREATH = 2  # seconds from the end of the messages to that of the process
_SAMPLING = 0.1  # seconds between two looks at the worker's memory
_ERRORS: dict[object, type[NinspectError]] = {
    ExitCode.SUSPECTED: InconclusiveError,
    ExitCode.USAGE: UsageError,
    ExitCode.INCONCLUSIVE: InconclusiveError,
}
# What Python, its libraries and CUDA look at; the rest may be secrets, of which environments of CI jobs are full.
_KEPT = ("HOME", "LANG", "PATH", "TZ", "TMPDIR", "VIRTUAL_ENV", "APPDATA", "SYSTEMROOT", "TEMP", "USERPROFILE")
_KEPT_PREFIXES = ("CUDA_", "DYLD_", "LC_", "LD_", "NINSPECT_", "NVIDIA_", "PYTHON")
# One thread at the time of the lock, few reserves of address space, and nothing for its maker.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "4", "ORT_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True)
class Limits:
    """What a worker may take.

    Attributes:
        required: work only behind all layers of the lock.
        seconds: wall time.
        memory: bytes.
        threads: how many cores it may use at a time; None: all.
    """

    required: bool
    seconds: float
    memory: int
    threads: int | None = None


def run(
    module: str, work: dict[str, Any], readable: Sequence[Path], gpu: bool, limits: Limits, listener: Listener
) -> dict[str, Any]:
    """Have work done in a worker process.

    Args:
        module: what the process runs: a module that takes a request and answers as `ninspect.worker` does.
        work: what it shall do, as JSON has it.
        readable: files and folders that the worker may read.
        gpu: the worker may use a GPU, if there is one.
        limits: what the worker may take.
        listener: gets what the worker tells and writes; first of all, which layers of the lock are missing.

    Returns:
        The answer: JSON from a process that a hostile file may have taken over.

    Raises:
        NinspectError: as the worker raised it.
        InconclusiveError: the worker died, took too much time or memory, sent nonsense, or is no longer wanted.
    """
    worker = _start(module, limits.threads)
    try:
        request = {
            "work": work,
            "readable": [str(path) for path in readable],
            "gpu": gpu and bool(gpu_devices()),
            "parent": os.getpid(),
            "watched": _resident(worker.pid) is not None,
            **vars(limits),
        }
        _send(request, worker)
        for kind, value in _messages(worker, limits, listener.wanted):
            if kind == "answer":
                return dict(value)
            if kind == "error":
                raise _error(*value)
            if kind == "output":
                listener.write(value)
            else:
                listener.tell(kind, value)
        raise InconclusiveError(_end(worker))
    finally:
        _kill(worker)


def _start(module: str, threads: int | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # -P: import nothing from the folder that the user is in.
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("NINSPECT_TRACEBACK") else subprocess.DEVNULL,
        env=_environment() | ({} if threads is None else {THREADS: str(threads)}),
        start_new_session=True,  # Ctrl-C is for the parent, and the whole group can be killed
    )


def _send(request: dict[str, Any], worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdin is not None
    with suppress(BrokenPipeError), worker.stdin as stdin:  # a worker that died at once is noticed soon enough
        stdin.write(json.dumps(request).encode())


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    return kept | _ENVIRONMENT


def _messages(worker: subprocess.Popen[bytes], limits: Limits, wanted: Callable[[], bool]) -> Iterator[tuple[str, Any]]:
    """What the worker sends, until it ends or breaks a rule."""
    assert worker.stdout is not None
    received: queue.Queue[tuple[str, Any] | None] = queue.Queue(maxsize=4)
    threading.Thread(target=_receive, args=(worker.stdout, received), daemon=True).start()
    deadline = time.monotonic() + limits.seconds
    while True:
        if not wanted():
            raise InconclusiveError("it was stopped")
        if time.monotonic() > deadline:
            raise InconclusiveError(
                f"it took more than {limits.seconds:g} s and was stopped; allow more with --timeout"
            )
        if (_resident(worker.pid) or 0) > limits.memory:
            raise InconclusiveError(
                f"it took more than {byte_count(limits.memory)} of memory and was stopped; allow more with --max-memory"
            )
        try:
            message = received.get(timeout=_SAMPLING)
        except queue.Empty:
            continue
        if message is None:
            return
        yield message


def _receive(stream: IO[bytes], received: queue.Queue[tuple[str, Any] | None]) -> None:
    """Read messages until the stream ends; what is no message ends it too."""
    output = 0
    try:
        while line := stream.readline(_LONGEST):
            kind, value = _message(line)
            if kind == "output":
                output += value
                value = stream.read(value)
                if output > _MOST_OUTPUT:
                    raise ValueError("too long a file")
            received.put((kind, value))
    except (ValueError, RecursionError):
        received.put(("error", [ExitCode.INCONCLUSIVE, NONSENSE]))
    received.put(None)


def _message(line: bytes) -> tuple[str, Any]:
    """One message, checked as far as its kind tells what it must be.

    Raises:
        ValueError: it is none.
        RecursionError: neither is this.
    """
    match json.loads(line, parse_constant=_refuse):
        case {"missing": dict(value)}:
            return "missing", value
        case {"progress": [int(done), int(total)] as value} if 0 <= done <= _MOST_STEPS and 0 <= total <= _MOST_STEPS:
            return "progress", value
        case {"step": [int(number), [*names]] as value} if _names_a_step(number, names):
            return "step", value
        case {"log": str(value)}:
            return "log", value
        case {"foreseen": str(value)}:
            return "foreseen", value
        case {"partial": dict(value)}:
            return "partial", value
        case {"output": int(value)} if 0 < value <= PIECE:
            return "output", value
        case {"answer": dict(value)}:
            return "answer", value
        case {"error": [int(), str()] as value}:
            return "error", value
    raise ValueError("not a message")


def _names_a_step(number: int, names: list[Any]) -> bool:
    return 1 <= number <= len(names) and all(isinstance(name, str) for name in names)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _error(code: int, message: str) -> NinspectError:
    error = _ERRORS.get(code, NinspectError)(message[:_LONGEST_ERROR])
    if code == ExitCode.SUSPECTED:  # the file itself looks like an attack
        error.exit_code = ExitCode.SUSPECTED
    return error


def _resident(process: int) -> int | None:
    """Bytes of memory that a process holds; None where the system does not tell, or the process is gone."""
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return None


def _end(worker: subprocess.Popen[bytes]) -> str:
    """How a worker ended that has sent no answer."""
    with suppress(subprocess.TimeoutExpired):
        worker.wait(_LAST_BREATH)
    code = worker.returncode
    if code is None:
        how = "fell silent"
    elif code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    else:
        how = f"ended with exit code {code}"
    return f"the process that read the model {how} before it had a result"


def _kill(worker: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        worker.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
