"""What the lock takes from a process, tried by a process that has locked itself."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ninspect.isolation.lock import landlock_version

PROBE = Path(__file__).with_name("probe.py")
ALLOWED = ("read what was given", "list what was given", "import")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("lock")
    (folder / "inside").mkdir()
    (folder / "inside" / "file").write_bytes(b"given")
    (folder / "outside").write_bytes(b"secret")
    (folder / "inside" / "link").symlink_to(folder / "outside")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = subprocess.run(
            [sys.executable, PROBE, folder, str(port)], capture_output=True, encoding="utf-8", timeout=60, check=False
        )
    assert run.returncode == 0, run.stderr
    assert (folder / "inside" / "file").read_bytes() == b"given"
    facts: dict[str, Any] = json.loads(run.stdout)
    return facts


def test_what_is_needed_stays_possible(found: dict[str, Any]) -> None:
    assert [found["outcomes"][name] for name in ALLOWED] == ["done"] * len(ALLOWED)


def test_everything_else_is_refused(found: dict[str, Any]) -> None:
    if "files" in found["missing"]:
        pytest.skip(found["missing"]["files"])
    outcomes = {name: outcome for name, outcome in found["outcomes"].items() if name not in ALLOWED}
    if "network" in found["missing"]:
        del outcomes["connect"], outcomes["listen"]
    if landlock_version()[0] < 6:
        del outcomes["signal the parent"]
    assert outcomes.pop("allocate") == "MemoryError"
    if os.geteuid() == 0:  # root may raise any limit; the parent looks at the memory, too
        del outcomes["raise the limit"]
    assert set(outcomes.values()) <= {"PermissionError", "ValueError"}, outcomes


@pytest.mark.skipif(sys.platform != "linux", reason="resource limits of memory are enforced on Linux")
def test_memory_is_limited_also_without_landlock(found: dict[str, Any]) -> None:
    assert found["outcomes"]["allocate"] == "MemoryError"


THREAD = """
import sys, threading
from ninspect.isolation.lock import lock
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(*lock([], memory=2**30, seconds=60))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is a part of Linux")
def test_threads_that_the_lock_would_not_reach_are_noticed() -> None:
    run = subprocess.run([sys.executable, "-c", THREAD], capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert run.stdout == "files network\n"


UNWATCHED = "from ninspect.isolation.lock import lock; print(*lock([], memory=2**30, seconds=60, gpu={}, watched={}))"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
@pytest.mark.parametrize(
    ("gpu", "watched", "missing"), [(False, False, False), (True, True, False), (True, False, True)]
)
def test_memory_is_a_layer_only_where_something_limits_it(gpu: bool, watched: bool, missing: bool) -> None:
    program = UNWATCHED.format(gpu, watched)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert ("memory" in run.stdout.split()) == missing
