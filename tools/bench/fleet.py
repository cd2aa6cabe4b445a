"""How long a folder of models takes: in one call, on a Ray cluster of this machine, in a shell loop, and under xargs.

The ways take turns, each on models without results. What counts is the ratio of their times in one round.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
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


def one_call(models: list[Path], options: list[str], jobs: int, results: Path | None = None) -> None:
    """One call that is given all models; it keeps its results, where it is told to."""
    kept = ["--results", str(results)] if results else []
    _run([*NINSPECT, "scan", *map(str, models), *options, *kept, "--jobs", str(jobs)])


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
    without_ray: Annotated[bool, typer.Option("--no-ray", help="Leave Ray out.")] = False,
) -> None:
    """Print seconds of each way, and how many times faster than the loop it is; medians over the rounds.

    Example: python -m tools.bench.fleet models/digits models/digits/samples
    """
    models, times = sorted(folder.glob("*.onnx")), []
    options = ["--samples", str(samples), "--quiet"]
    with tempfile.TemporaryDirectory() as kept:
        for number in range(rounds):
            ways: dict[str, Way] = WAYS | {"one call": partial(one_call, results=Path(kept) / str(number))}
            if without_ray:
                del ways["one call, Ray"]
            times.append([_seconds(way, models, options, jobs) for way in ways.values()])
        again = _seconds(ways["one call"], models, options, jobs)
    table = np.array(times)
    medians, ratios = np.median(table, axis=0), np.median(table[:, :1] / table, axis=0)
    lines = [
        {"way": name, "seconds": f"{median:.1f}", "times as fast as the loop": f"{ratio:.2f}"}
        for name, median, ratio in zip(ways, medians, ratios, strict=True)
    ]
    lines.append({"way": "one call, all results known", "seconds": f"{again:.2f}", "times as fast as the loop": "–"})
    print(f"{len(models)} models, {jobs} at a time\n\n{markdown(lines)}")


if __name__ == "__main__":
    typer.run(main)
