"""What a run over many models takes of memory, disk and time, beside the scans themselves."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer

from tools.fleet.small import NINSPECT, SCAN, call, make_folder
from tools.measure.tables import markdown

BUNDLED = Path("models/digits")
_AGAIN = 3  # runs over known results, of which the median counts


def memory(folder: Path) -> list[float]:
    """Scan the models; MB of the process that hands out the work, after each of them."""
    run = call(folder)
    assert run.stderr is not None
    assert run.stdout is not None
    process = psutil.Process(run.pid)
    found = [process.memory_info().rss / 1e6 for line in run.stderr if " of " in line]
    run.stdout.read()
    if run.wait() != 0:
        raise SystemExit(f"the scan ended with code {run.returncode}")
    return found


def seconds(folder: Path, *more: str) -> float:
    """Of a run that finds all results."""
    times = []
    for _ in range(_AGAIN):
        start = time.perf_counter()
        subprocess.run([*SCAN, "--quiet", *more], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def sizes(models: Path, results: Path) -> list[float]:
    """MB of the results of models as they are scanned by default."""
    command = [*NINSPECT, "scan", models, "--samples", models / "samples", "--results", results, "--exit-zero", "-q"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [path.stat().st_size / 1e6 for path in results.glob("*.json")]


def main(
    copies: Annotated[int, typer.Option(help="Models that differ in one byte.", min=20)] = 500,
) -> None:
    """Print memory of the process that hands out the work, size of results, and time over known ones.

    Example: python -m tools.fleet.copies --copies 500
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folder(folder, copies)
        held = memory(folder)
        settled = np.arange(copies // 10, copies)  # what is imported for the first results is there by then
        slope = 1000 * np.polyfit(settled, np.array(held)[settled], 1)[0]
        size = sizes(BUNDLED, folder / "bundled")
        figures = {
            f"models with a result, of {copies}": str(len([*(folder / "results").glob("*.json")])),
            f"memory after {copies // 10} models": f"{held[copies // 10]:.1f} MB",
            f"memory after {copies} models": f"{held[-1]:.1f} MB",
            "growth for each model": f"{slope:.1f} kB",
            "seconds over known results": f"{seconds(folder):.2f}",
            "the same, to HTML": f"{seconds(folder, '--output', 'all.html'):.2f}",
            f"a result of {BUNDLED}, as JSON": f"{min(size):.2f} to {max(size):.2f} MB, mean {np.mean(size):.2f} MB",
        }
    print(markdown([{"what": what, "figure": figure} for what, figure in figures.items()]))


if __name__ == "__main__":
    typer.run(main)
