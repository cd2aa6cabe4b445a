"""How fast the gradient of every class at eight images is, in ninspect's graph and by other ways.

Every method runs in a process of its own, on two threads, and computes the whole class Jacobian of the same images;
those that batch classes take ten at a time, which fits in memory.
The processes take turns, since single times on a shared machine mean little: printed are medians over the rounds, of
times for ninspect and of ratios to the time beside them for the others. The first round also checks that all Jacobians
agree; where there are several, it only warms up. What to install is the group `bench` of pyproject.toml.
"""

from __future__ import annotations

import contextlib
import json
import math
import platform
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
import torch
import typer

from ninspect.model import load_classifier
from tools.bench.methods import METHODS, THREADS
from tools.bench.networks import SUBJECTS, Subject

IMAGES = 8
_TOLERANCE = 1e-2
_PATIENCE = 300  # seconds for one Jacobian
_PAUSE = 0.3  # seconds; thread pools go on spinning for a while after their last work
_COMPARED = ("torch", "jax", "onnx2torch", "onnx-ad")


@dataclass
class Runner:
    """A method in its own process, and what it answered."""

    method: str
    process: subprocess.Popen[str]
    seconds: list[float] = field(default_factory=list)
    memory: float = 0
    projection: list[float] = field(default_factory=list)
    failure: str = ""

    @classmethod
    def start(cls, method: str, subject: Subject, free: Path, fixed: Path) -> Runner:
        """Start the process; it reads the files only once it is asked."""
        shape = json.dumps([IMAGES, *subject.shape])
        arguments = [method, str(free), str(fixed), shape, str(subject.classes)]
        command, pipe = [sys.executable, "-m", "tools.bench.worker", *arguments], subprocess.PIPE
        return cls(method, subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True))

    def ask(self, request: str) -> None:
        """One run; `check` also fetches a projection of the Jacobian."""
        if self.failure:
            return
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # one that has ended said why
                print(request, file=self.process.stdin, flush=True)
            if not select.select([self.process.stdout], [], [], _PATIENCE)[0]:
                self.process.kill()
                self.failure = f"> {_PATIENCE} s"
                return
            answer = json.loads(self.process.stdout.readline())
        except json.JSONDecodeError:
            self.failure = "out of memory" if self.process.wait() == -9 else "crashed"
            return
        if "failure" in answer:
            self.failure = answer["failure"]
            return
        self.memory = answer["memory"]
        self.seconds.append(answer["seconds"])
        self.projection = answer.get("projection", self.projection)
        print(f"{self.method}: {answer['seconds']:.3g} s, {answer['memory'] / 1e9:.2f} GB", file=sys.stderr)

    def compare(self, expected: list[float]) -> None:
        """A method whose Jacobian is another one, at half of the images, has failed.

        Rounding puts single units on the other side of their kink, which moves a gradient by up to 5e-3.
        """
        if self.projection:
            own, other = (np.reshape(p, (-1, IMAGES)) for p in (self.projection, expected))
            errors = np.linalg.norm(own - other, axis=0) / np.linalg.norm(other, axis=0)
            if np.median(errors) > _TOLERANCE:
                self.failure = "another result"

    def stop(self) -> None:
        """End the process by ending its input."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def measure(name: str, rounds: int) -> dict[str, Runner]:
    """All methods on one network, in turns."""
    subject = SUBJECTS[name]
    with tempfile.TemporaryDirectory() as folder:
        free, fixed = Path(folder, f"{name}.onnx"), Path(folder, "fixed.onnx")
        subject.export(free)
        subject.export(fixed, IMAGES)
        prepare(fixed)
        runners = {method: Runner.start(method, subject, free, fixed) for method in METHODS}
        for turn in range(rounds):
            for runner in runners.values():
                time.sleep(_PAUSE)
                runner.ask("run" if turn else "check")
            for runner in runners.values():
                runner.compare(runners["ninspect"].projection)
        for runner in runners.values():
            runner.stop()
            if rounds > 1:
                del runner.seconds[:1]
    return runners


def prepare(path: Path) -> None:
    """Fold constants and infer shapes, which the other tools need: none of them takes every file as exported."""
    import onnx_ir as ir

    ir.save(load_classifier(path).model, path)


def multiplications(subject: Subject) -> int:
    """Multiply-adds of a Jacobian: one forward pass, and a backward pass a class that costs what its operators do."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.onnx")
        subject.export(path, 1)
        graph = load_classifier(path).model.graph
    forward = backward = 0
    for node in graph:
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            weight, y = node.inputs[1], node.outputs[0]
            assert weight is not None
            assert weight.shape is not None
            assert y.shape is not None
            inner = weight.shape.numpy()[1:] if node.op_type == "Conv" else (node.inputs[0].shape.numpy()[-1],)  # type: ignore[union-attr]
            count = math.prod(y.shape.numpy()) * math.prod(inner)
            forward += count
            backward += count if weight.const_value is not None else 2 * count
    return IMAGES * (forward + subject.classes * backward)


def sgemm_rate(size: int = 2048) -> float:
    """Multiply-adds a second of a large float32 matrix product."""
    torch.set_num_threads(THREADS)
    a, b = torch.rand(size, size), torch.rand(size, size)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    return float(size**3 / min(times))


def times_row(subject: Subject, runners: dict[str, Runner]) -> list[str]:
    """Time of ninspect, and the others in multiples of it."""
    base = runners["ninspect"]
    cells = [subject.title, str(subject.classes), f"{statistics.median(base.seconds):.3g} s"]
    for method, runner in runners.items():
        if method not in ("ninspect", "forward"):
            pairs = zip(runner.seconds, base.seconds, strict=False)
            cells.append(runner.failure or f"{statistics.median(t / a for t, a in pairs):.2f} ×")
    return cells


def memory_row(subject: Subject, runners: dict[str, Runner]) -> list[str]:
    """Peak memory of every process."""
    cells = (f"{r.memory / 1e9:.2f} GB" if r.memory else "—" for m, r in runners.items() if m != "forward")
    return [subject.title, *cells]


def limits_row(subject: Subject, runners: dict[str, Runner], rate: float) -> list[str]:
    """How far ninspect is from what the machine can do."""
    pairs = list(zip(runners["ninspect"].seconds, runners["forward"].seconds, strict=True))
    forwards = statistics.median(a / (subject.classes * f) for a, f in pairs)
    needed = multiplications(subject) / rate
    share = needed / statistics.median(runners["ninspect"].seconds)
    return [subject.title, f"{forwards:.2f}", f"{100 * share:.0f} %"]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def machine() -> str:
    """What it was measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    # Two packages, one for the CPU and one for CUDA, install ONNX Runtime; it says itself what it is.
    versions = {"onnxruntime": onnxruntime.__version__}
    for name in _COMPARED:
        with contextlib.suppress(PackageNotFoundError):  # then the table says that it failed
            versions[name] = version(name)
    facts = (f"{THREADS} threads", f"Python {platform.python_version()}", *map(" ".join, versions.items()))
    return ", ".join((cpu[1] if cpu else "unknown CPU", *facts))


def main(
    networks: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(SUBJECTS)}.")] = None,
    rounds: Annotated[int, typer.Option(help="How often every method runs; of several, the first warms up.")] = 4,
) -> None:
    """Print the tables.

    Example: python -m tools.bench.gradient lenet --rounds 4
    """
    rate = sgemm_rate()
    others = [method for method in METHODS if method not in ("ninspect", "forward")]
    tables: list[tuple[list[str], list[list[Any]]]] = [
        (["network", "classes", "ninspect", *others], []),
        (["network", "ninspect", *others], []),
        (["network", "forward passes a class", f"of {2 * rate / 1e9:.0f} GFLOP/s"], []),
    ]
    for name in networks or list(SUBJECTS):
        runners, subject = measure(name, rounds), SUBJECTS[name]
        rows = (times_row(subject, runners), memory_row(subject, runners), limits_row(subject, runners, rate))
        for (_, collected), row in zip(tables, rows, strict=True):
            collected.append(row)
    print("\n\n".join(table(head, rows) for head, rows in tables))
    print(f"\n{machine()}")


if __name__ == "__main__":
    typer.run(main)
