"""The worker process: `python -m ninspect.worker`. A request comes in on stdin, messages go out on stdout.

Each message is a line of JSON with one key, its kind: what a `Listener` is told, `output` (how many bytes of a file
follow the line), and at last `answer` or `error` (exit code and sentence).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import IO, Any

from ninspect.errors import ExitCode, UsageError, describe
from ninspect.isolation.lock import end_with, lock
from ninspect.isolation.pipe import PIECE, Listener
from ninspect.machine import check_runtime


class Pipe:
    """The way back to the parent; `write` is for what goes into a file there."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def tell(self, kind: str, value: Any) -> None:
        """Send one message."""
        self._stream.write(json.dumps({kind: value}, allow_nan=False).encode() + b"\n")
        self._stream.flush()

    def write(self, content: bytes) -> None:
        """Send a part of a file."""
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            self.tell("output", len(piece))
            self._stream.write(piece)
        self._stream.flush()


def main() -> None:
    """Read the request, import, lock, work, answer."""
    request = json.load(sys.stdin)
    pipe = Pipe(os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no message
    end_with(request["parent"])
    try:
        pipe.tell("answer", _work(request, pipe))
    except Exception as error:
        code, message = describe(error)
        if code == ExitCode.INTERNAL:
            traceback.print_exc()  # seen only where the parent was asked to show it
        pipe.tell("error", [code, message])


def _work(request: dict[str, Any], pipe: Pipe) -> Any:
    check_runtime()  # ONNX Runtime is loaded, and its modules compiled, while that is still allowed
    from ninspect import jobs
    from ninspect.requests import Request

    missing = lock(
        [Path(path) for path in request["readable"]],
        memory=request["memory"],
        seconds=request["seconds"],
        gpu=request["gpu"],
        watched=request["watched"],
    )
    if missing and request["required"]:
        reasons = "; ".join(f"{layer}: {reason}" for layer, reason in missing.items())
        raise UsageError(f"--sandbox require: this system cannot provide all layers ({reasons}); use --sandbox auto")
    pipe.tell("missing", missing)
    return jobs.run(Request.from_json(request["work"]["request"]), Listener(pipe.tell, pipe.write))


if __name__ == "__main__":
    main()
