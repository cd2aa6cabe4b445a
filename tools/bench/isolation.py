"""What the worker process and its lock cost: seconds of a command with and without them, medians of interleaved runs.

The scan is of a linear model for ten classes that takes no time itself, with a method that reads its weights alone;
`info` reads the model and does nothing with it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import typer
from onnx import numpy_helper, parser

_RUNS = 15
_COMMANDS = {
    "scan": ["scan", "model.onnx", "--samples", "images.npz", "--method", "weights"],
    "info": ["info", "model.onnx"],
}


def write_files(folder: Path) -> None:
    """A classifier and images."""
    random = np.random.default_rng(0)
    text = """<ir_version: 8, opset_import: ["" : 18]> linear (float[N,1,12,12] x) => (float[N,10] y)
              { f = Flatten(x) y = MatMul(f, w) }"""
    model = parser.parse_model(text)
    weights = random.standard_normal((144, 10)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "images.npz", x=random.integers(0, 256, (50, 12, 12, 1)).astype(np.uint8))


def seconds(folder: Path, command: list[str], sandbox: str) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    arguments = [sys.executable, "-m", "ninspect", *command, "--sandbox", sandbox]
    run = subprocess.run(arguments, cwd=folder, capture_output=True, check=False)
    if run.returncode not in (0, 1):
        raise SystemExit(run.stdout.decode() + run.stderr.decode())
    return time.perf_counter() - start


def main() -> None:
    """Print the table.

    Example: python -m tools.bench.isolation
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        print(f"medians of {_RUNS} runs\n\n| command | off | auto | more |\n|---|---|---|---|")
        for title, command in _COMMANDS.items():
            runs = [[seconds(folder, command, sandbox) for sandbox in ("off", "auto")] for _ in range(_RUNS)]
            off, auto = (statistics.median(column) for column in zip(*runs, strict=True))
            print(f"| {title} | {off:.2f} s | {auto:.2f} s | {auto - off:.2f} s |")


if __name__ == "__main__":
    typer.run(main)
