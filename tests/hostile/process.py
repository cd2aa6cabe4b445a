"""The command line as a process whose limits are watched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ninspect.report import Result

SECONDS = 90
MEMORY = 1024**3


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
    def told(self) -> str:
        """Why the model was not called clean, in words and rules."""
        if not self.out:
            return self.err
        return " ".join([self.result.reason, *(finding.rule for finding in self.result.findings)])


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
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                process.kill()
                raise AssertionError(f"still running after {SECONDS} s")
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(status)
    run = Run(
        process.returncode,
        (folder / "out").read_text(encoding="utf-8"),
        (folder / "err").read_text(encoding="utf-8"),
        usage.ru_maxrss * 1024,
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
