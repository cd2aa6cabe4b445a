"""What a run over many models takes of memory, disk and time, beside the scans themselves."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer

from ninspect.fleet.identity import identity
from ninspect.report import load_result
from ninspect.requests import PreprocessOptions, ScanRequest
from tools.fleet.small import NINSPECT, SCAN, call, make_folder
from tools.measure.tables import markdown

BUNDLED = [Path("models/digits/clean_torch.onnx"), Path("models/digits/badnet_torch.onnx")]


def asked(model: Path, samples: Path) -> ScanRequest:
    """What `SCAN` asks of a model."""
    return ScanRequest(
        model,
        samples,
        preprocess=PreprocessOptions(preset="unit"),
        methods=("neuroninspect",),
        evidence=False,
        skip=("every-class", "one-source"),
    )


def memory(folder: Path) -> tuple[str, str]:
    """Run over the models; memory of the process that hands out the work, and how it grows, without its first tenth."""
    run = call(folder)
    assert run.stderr is not None
    assert run.stdout is not None
    process = psutil.Process(run.pid)
    held = np.array([process.memory_info().rss / 1e6 for line in run.stderr if " of " in line])
    run.stdout.read()
    if run.wait() not in (0, 1):
        raise SystemExit(f"the scan ended with code {run.returncode}")
    first = len(held) // 10
    slope = 1000 * np.polyfit(np.arange(first, len(held)), held[first:], 1)[0]
    return f"{held[first]:.0f} to {held[-1]:.0f} MB", f"{slope:.1f} kB"


def seconds(folder: Path, *more: str) -> str:
    """Of a run that finds all results, and of a processor in it, which other work on the machine changes less."""
    start, used = time.perf_counter(), _used()
    subprocess.run([*SCAN, "--quiet", "--exit-zero", *more], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return f"{time.perf_counter() - start:.2f} s, {_used() - used:.2f} s of a processor"


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def bundled_results(folder: Path) -> list[Path]:
    """The results of bundled models, as they are scanned by default."""
    samples = BUNDLED[0].parent / "samples"
    command = [*NINSPECT, "scan", *map(str, BUNDLED), "--samples", str(samples), "--results", str(folder)]
    subprocess.run([*command, "--exit-zero", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.json"))


def make_known(folder: Path, result: Path) -> None:
    """Give each model of a folder a result, as if it had been scanned."""
    (folder / "results").mkdir()
    known, samples = load_result(result), folder / "images.npz"
    for path in sorted((folder / "models").iterdir()):
        key = identity(asked(path, samples))
        named = known.model_copy(update={"model": known.model.model_copy(update={"path": path.name})})
        (folder / "results" / f"{key}.json").write_text(named.to_json())


def main(
    scanned: Annotated[int, typer.Option(help="Models that differ in one byte; 0: none.", min=0)] = 500,
    known: Annotated[int, typer.Option(help="Known results.", min=20)] = 500,
) -> None:
    """Print memory of the process that hands out the work, size of results, and time over known ones.

    Example: python -m tools.fleet.copies --scanned 500 --known 100
    """
    figures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        fresh, old = root / "fresh", root / "old"
        fresh.mkdir()
        old.mkdir()
        if scanned:
            make_folder(fresh, scanned)
            held, growth = memory(fresh)
            results = len([*(fresh / "results").glob("*.json")])
            figures |= {f"{scanned} scanned models: results": str(results), "memory": held, "growth a model": growth}
        bundled = bundled_results(root / "bundled")
        make_folder(old, known)
        make_known(old, bundled[0])
        held, growth = memory(old)
        figures |= {f"{known} known results: memory": held, "growth a result": growth, "text": seconds(old)}
        figures |= {"HTML": seconds(old, "--output", "all.html")}
        figures |= {"a result as JSON": ", ".join(f"{path.stat().st_size / 1e6:.2f} MB" for path in bundled)}
    print(markdown([{"what": what, "figure": figure} for what, figure in figures.items()]))


if __name__ == "__main__":
    typer.run(main)
