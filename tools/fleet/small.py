"""Small models that differ in one byte, and calls of ninspect that scan them in a moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from tests.fleet.fast import FAST
from tests.support import even_weights, linear_model, random_pixels, save_images

NINSPECT = [sys.executable, "-m", "ninspect"]
SCAN = [*NINSPECT, "scan", "models", "--samples", "images.npz", *FAST, "--results", "results"]


def make_folder(folder: Path, copies: int) -> None:
    """`models/0000.onnx` and so on, of which no two have the same bytes, and `images.npz`."""
    (folder / "models").mkdir()
    model = linear_model(even_weights())
    content, weights = bytearray(model.SerializeToString()), np.frombuffer(model.graph.initializer[0].raw_data, "<u4")
    start = content.index(weights.tobytes())
    for number in range(copies):
        changed = bytearray(content)
        changed[start + 4 * (number % len(weights))] ^= 1 + number // len(weights)  # the last bits of one weight
        (folder / "models" / f"{number:04}.onnx").write_bytes(changed)
    save_images(folder / "images.npz", random_pixels(200, (12, 12, 1)))


def verdicts(folder: Path) -> Counter[str]:
    """What the results in a folder say, of every model as often as there are results of it."""
    results = [json.loads(path.read_bytes()) for path in (folder / "results").glob("*.json")]
    return Counter(f"{Path(result['model']['path']).name} {result['verdict']}" for result in results)


def call(folder: Path, *more: str) -> subprocess.Popen[str]:
    """A scan of the models of a folder, begun."""
    return subprocess.Popen(
        [*SCAN, *more], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
