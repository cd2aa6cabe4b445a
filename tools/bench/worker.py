"""One method of the benchmark in a process of its own: a line in asks for a Jacobian, a line of JSON out answers."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tools.bench.methods import METHODS, Array, images


def peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def projection(jacobian: Array) -> list[float]:
    """Every gradient along one random direction: enough to see whether two Jacobians agree."""
    direction = np.random.default_rng(1).standard_normal(jacobian.shape[2:], dtype=np.float32)
    return [float(np.vdot(direction, gradient)) for row in jacobian for gradient in row]


def first_line(error: Exception) -> str:
    """What went wrong, in one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def answer(request: str, work: Any) -> dict[str, Any]:
    """Run once; with the request `check`, also say what came out."""
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    checked = {"projection": projection(result)} if request == "check" and result.ndim == 5 else {}
    return {"seconds": seconds, "memory": peak_memory(), **checked}


def main(method: str, free: str, fixed: str, shape: str, classes: str) -> None:
    """Answer until the input ends."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        try:
            work = METHODS[method](Path(free), Path(fixed), images(tuple(json.loads(shape))), int(classes))
            for line in sys.stdin:
                print(json.dumps(answer(line.strip(), work)), file=answers, flush=True)
        except Exception as error:  # any library may raise anything; the table says what
            print(json.dumps({"failure": first_line(error)}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
