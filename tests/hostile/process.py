"""The command line as a process whose limits are watched."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ninspect.report import Result

SECONDS = 90
MEMORY = 1024**3
QUIET = "no class stands out from the other"  # that is all that is said of a good model without images


@dataclass(frozen=True)
class Run:
    """How a process ended: exit code, what it wrote, and the most memory that it held."""

    code: int
    out: str
    err: str
    memory: int

    @property
    def result(self) -> Result:
        return Result.model_validate_json(self.out)

    @property
    def rules(self) -> list[str]:
        """Ids of what is said of the model itself: not that images are missing, and what can then not be ruled out."""
        return [found.rule for found in self.result.findings if not found.rule.startswith(("CV", "IM"))]

    @property
    def told(self) -> str:
        """Why the model was not called clean, in words and rules."""
        if not self.out:
            return self.err
        return " ".join([self.result.reason, *(finding.rule for finding in self.result.findings)])


def _family(pid: int) -> list[int]:
    """A process and its children."""
    try:
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())]
    except OSError:
        return [pid]


def _peak(pid: int) -> int:
    """The most memory that a process has held since it was started, in bytes; 0 where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def watched(folder: Path, *arguments: str | Path) -> Run:
    """Run `ninspect` in an empty working directory below `folder`, and check what holds for any input.

    It ends in time, with a documented exit code; stdout is a result in JSON or nothing, stderr one sentence or nothing;
    it writes no file, and stays below the memory limit.
    """
    work, home = folder / "work", folder / "home"
    for path in (work, home):
        path.mkdir()
    with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:
        environment = os.environ | {"HOME": str(home), "TMPDIR": str(work), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "ninspect", *map(str, arguments)]
        process = subprocess.Popen(command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        end = time.monotonic() + SECONDS
        memory = 0
        while process.poll() is None:
            if time.monotonic() > end:
                process.kill()
                raise AssertionError(f"still running after {SECONDS} s")
            memory = max(memory, *map(_peak, _family(process.pid)))
            time.sleep(0.02)
    run = Run(
        process.returncode,
        (folder / "out").read_text(encoding="utf-8"),
        (folder / "err").read_text(encoding="utf-8"),
        memory,
    )
    assert "Traceback" not in run.out + run.err
    assert run.code in (0, 1, 2, 3), run.err
    assert "\x1b" not in run.out + run.err
    assert run.err.count("\n") <= 1
    assert len(run.err) < 8192
    assert bool(run.out) == (run.code != 2)
    if run.out:
        assert run.result.exit_code == run.code
        assert len(run.out) < 100_000
    assert [*work.iterdir(), *home.iterdir()] == []
    assert run.memory < MEMORY
    return run
