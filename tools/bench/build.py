"""What it takes to build the gradient graph of a large network: seconds, and memory in multiples of the file's size.

ResNet-152 for 1000 classes, random weights. Every step runs in a process of its own, which reads the file, does the
step and ends: `load` reads the classifier, `augment` goes on to write the gradient model, `scan` instead runs one
gradient, for which it opens two sessions of ONNX Runtime.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import typer

from tools.bench.worker import peak_memory

_STEPS = ("load", "augment", "scan")


def step(name: str, path: Path) -> dict[str, float]:
    """Seconds and bytes beyond those of the imports."""
    from ninspect.model import load_classifier
    from ninspect.preprocess import InputMap, Preprocess
    from ninspect.runtime import Network, gradient_model, save_model

    before, start = peak_memory(), time.perf_counter()
    classifier = load_classifier(path)
    if name == "augment":
        with Path(os.devnull).open("wb") as stream:
            save_model(gradient_model(classifier), classifier, stream.write)
    if name == "scan":
        network = Network(classifier, InputMap.of(Preprocess(), classifier.layout), "cpu")
        network.gradients_at(np.zeros((1, *network.input_map.image_shape), np.float32), np.zeros(1, np.int64))
    return {"seconds": time.perf_counter() - start, "bytes": peak_memory() - before}


def main() -> None:
    """Print the table.

    Example: python -m tools.bench.build
    """
    import torch

    from tools.bench.networks import resnet152

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        torch.onnx.export(
            resnet152().eval(), (torch.zeros(1, 3, 224, 224),), path, dynamo=False, input_names=["image"],
            dynamic_axes={"image": {0: "N"}}, opset_version=18,
        )  # fmt: skip
        size = path.stat().st_size
        print(f"ResNet-152, {size / 1e6:.0f} MB\n\n| step | seconds | memory / file |\n|---|---|---|")
        for name in _STEPS:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # a fork would begin with this one's memory
                answer = pool.submit(step, name, path).result()
            print(f"| {name} | {answer['seconds']:.1f} | {answer['bytes'] / size:.2f} |")


if __name__ == "__main__":
    typer.run(main)
