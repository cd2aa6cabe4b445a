"""How long a folder of models takes: in one call, on a Ray cluster of this machine, in a shell loop, and under xargs.

The ways take turns, each on models without results. What counts is the ratio of their times in one round.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from tools.measure.tables import markdown

NINSPECT = [sys.executable, "-m", "ninspect"]
Way = Callable[[list[Path], list[str], int], None]


def loop(models: list[Path], options: list[str], jobs: int) -> None:
    """One call after the other."""
    for model in models:
        _run([*NINSPECT, "scan", str(model), *options])


def xargs(models: list[Path], options: list[str], jobs: int) -> None:
    """So many calls at a time."""
    command = ["xargs", "-0", "-n", "1", "-P", str(jobs), *NINSPECT, "scan", *options]
    _run(command, input_=b"\0".join(str(model).encode() for model in models))


def one_call(models: list[Path], options: list[str], jobs: int) -> None:
    """One call that is given all models."""
    _run([*NINSPECT, "scan", *map(str, models), *options, "--jobs", str(jobs)])


def ray(models: list[Path], options: list[str], jobs: int) -> None:
    """The same, by tasks of a cluster that is started for it."""
    one_call(models, [*options, "--engine", "ray"], jobs)


WAYS: dict[str, Way] = {"shell loop": loop, "xargs": xargs, "one call": one_call, "one call, Ray": ray}


def _run(command: list[str], input_: bytes | None = None) -> None:
    done = subprocess.run(command, input=input_, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1, 3, 123):  # 123: of xargs, where a call had another code than 0
        raise RuntimeError(done.stderr.decode())


def _seconds(way: Way, models: list[Path], options: list[str], jobs: int) -> float:
    start = time.perf_counter()
    way(models, options, jobs)
    return time.perf_counter() - start


def main(
    folder: Annotated[Path, typer.Argument(help="Of models.")],
    samples: Annotated[Path, typer.Argument(help="Clean images of all of them.")],
    jobs: Annotated[int, typer.Option(help="Scans at a time.")] = 2,
    rounds: Annotated[int, typer.Option(help="How often each way is measured.")] = 3,
) -> None:
    """Print seconds of each way, and how many times faster than the loop it is; medians over the rounds.

    Example: python -m tools.bench.fleet models/digits models/digits/samples
    """
    models = sorted(folder.glob("*.onnx"))
    options = ["--samples", str(samples), "--quiet"]
    times = np.array([[_seconds(way, models, options, jobs) for way in WAYS.values()] for _ in range(rounds)])
    with tempfile.TemporaryDirectory() as results:
        kept = [*options, "--results", results]
        one_call(models, kept, jobs)
        again = _seconds(one_call, models, kept, jobs)
    medians, ratios = np.median(times, axis=0), np.median(times[:, :1] / times, axis=0)
    lines = [
        {"way": name, "seconds": f"{median:.1f}", "times as fast as the loop": f"{ratio:.2f}"}
        for name, median, ratio in zip(WAYS, medians, ratios, strict=True)
    ]
    lines.append({"way": "one call, all results known", "seconds": f"{again:.2f}", "times as fast as the loop": "–"})
    print(f"{len(models)} models, {jobs} at a time\n\n{markdown(lines)}")


if __name__ == "__main__":
    typer.run(main)
