"""What a hijacked worker would try, one thing a call, behind the lock that the worker takes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ninspect.isolation.lock import lock

PORT = int(sys.argv[2])
FOLDER = Path(sys.argv[1])


def connect() -> None:
    with socket.create_connection(("127.0.0.1", PORT), timeout=5):
        pass


def listen() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))


def allocate() -> None:
    bytearray(2 * 1024**3)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "read what was given": lambda: (FOLDER / "inside" / "file").read_bytes(),
    "list what was given": lambda: list((FOLDER / "inside").iterdir()),
    "import": lambda: __import__("wave"),
    "read beside it": lambda: (FOLDER / "outside").read_bytes(),
    "read through a link": lambda: (FOLDER / "inside" / "link").read_bytes(),
    "read the user's files": lambda: Path("/etc/passwd").read_bytes(),
    "list the root": lambda: list(Path("/").iterdir()),
    "write what was given": lambda: (FOLDER / "inside" / "file").write_bytes(b"x"),
    "write beside it": lambda: (FOLDER / "inside" / "new").write_bytes(b"x"),
    "write to a temporary folder": lambda: (FOLDER / "new").write_bytes(b"x"),
    "make a folder": lambda: (FOLDER / "inside" / "folder").mkdir(),
    "make a link": lambda: (FOLDER / "inside" / "new").hardlink_to(FOLDER / "outside"),
    "remove": lambda: (FOLDER / "inside" / "file").unlink(),
    "execute": lambda: subprocess.run(["/bin/true"], check=True),
    "connect": connect,
    "listen": listen,
    "signal the parent": lambda: os.kill(os.getppid(), signal.SIGCONT),
    "allocate": allocate,
    "raise the limit": lambda: __import__("resource").setrlimit(__import__("resource").RLIMIT_AS, (-1, -1)),
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (OSError, MemoryError, ValueError) as error:
        return type(error).__name__
    return "done"


missing = lock([FOLDER / "inside"], memory=1024**3, seconds=60)
print(json.dumps({"missing": missing, "outcomes": {name: outcome(attempt) for name, attempt in ATTEMPTS.items()}}))
