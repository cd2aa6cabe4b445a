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

BUNDLED = [Path("models/digits/clean_torch.onnx"), Path("models/digits/badnet_torch.onnx")]
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


def size(model: Path, results: Path) -> float:
    """MB of the result of a model that is scanned by default."""
    command = [*NINSPECT, "scan", model, "--samples", model.parent / "samples", "--results", results]
    subprocess.run([*command, "--exit-zero", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    (result,) = results.glob("*.json")
    return result.stat().st_size / 1e6


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
        figures = {
            f"models with a result, of {copies}": str(len([*(folder / "results").glob("*.json")])),
            f"memory after {copies // 10} models": f"{held[copies // 10]:.1f} MB",
            f"memory after {copies} models": f"{held[-1]:.1f} MB",
            "growth for each model": f"{slope:.1f} kB",
            "seconds over known results": f"{seconds(folder):.2f}",
            "the same, to HTML": f"{seconds(folder, '--output', 'all.html'):.2f}",
        }
        figures |= {f"a result of {model}, as JSON": f"{size(model, folder / model.stem):.2f} MB" for model in BUNDLED}
    print(markdown([{"what": what, "figure": figure} for what, figure in figures.items()]))


if __name__ == "__main__":
    typer.run(main)
