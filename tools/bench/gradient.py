"""How fast the gradient of every class is, against PyTorch on the same network.

    python tools/bench/gradient.py [NETWORK ...] --repeats 5

For each network: the full class Jacobian of 8 images, computed by (a) ninspect's graph in ONNX Runtime, (b) PyTorch,
one backward pass per class, (c) PyTorch, all classes at once with `is_grads_batched`. All in one process on 2 threads,
the methods interleaved; printed are medians of ratios measured side by side, since single times on a shared machine
mean little. "Forward passes a class" is the time of (a) per class, in forward passes of the same images.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import nn

from ninspect import Preprocess, ScanOptions, open_network
from ninspect.runtime import Network

IMAGES = 8
THREADS = 2


def conv(inputs: int, outputs: int) -> list[nn.Module]:
    """A 3×3 convolution and its ReLU."""
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]


def lenet() -> nn.Module:
    """LeNet on 28×28 grey images, 10 classes."""
    return nn.Sequential(
        *conv(1, 16), nn.MaxPool2d(2), *conv(16, 32), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def signs() -> nn.Module:
    """Six convolutions on 32×32 images, 43 classes: the usual traffic sign network."""
    return nn.Sequential(
        *conv(3, 32), *conv(32, 32), nn.MaxPool2d(2), *conv(32, 64), *conv(64, 64), nn.MaxPool2d(2),
        *conv(64, 128), *conv(128, 128), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128 * 16, 512), nn.ReLU(),
        nn.Linear(512, 43),
    )  # fmt: skip


class Residual(nn.Module):
    """ResNet's basic block."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        change = inputs != outputs or stride != 1
        self.skip = nn.Conv2d(inputs, outputs, 1, stride) if change else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x plus its residual."""
        return torch.relu(self.main(x) + self.skip(x))


def resnet18() -> nn.Module:
    """ResNet-18 on 224×224 images, 100 classes."""
    widths = [64, 64, 128, 256, 512]
    blocks = [
        Residual(before if i == 0 else width, width, 2 if i == 0 and width > 64 else 1)
        for before, width in itertools.pairwise(widths)
        for i in range(2)
    ]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 100),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int], int]] = {
    "lenet": (lenet, (1, 28, 28), 10),
    "signs": (signs, (3, 32, 32), 43),
    "resnet18": (resnet18, (3, 224, 224), 100),
}


def by_class(network: nn.Module, x: torch.Tensor, classes: int) -> torch.Tensor:
    """One backward pass per class over one shared forward pass."""
    logits = network(x)
    rows = [torch.autograd.grad(logits[:, c].sum(), x, retain_graph=True)[0] for c in range(classes)]
    return torch.stack(rows)


def batched(network: nn.Module, x: torch.Tensor, classes: int) -> torch.Tensor:
    """All classes in one vectorised backward pass."""
    logits = network(x)
    seeds = torch.eye(classes)[:, None, :].expand(classes, len(x), classes)
    return torch.autograd.grad(logits, x, seeds, is_grads_batched=True)[0]


def jacobian(network: Network, pixels: np.ndarray, classes: int) -> np.ndarray:
    """ninspect's own way, as a scan does it."""
    result = np.empty((classes, *pixels.shape), np.float32)
    for part in network.gradients(pixels, np.arange(classes)):
        result[part.classes, part.images] = part.pixels
    return result


def exported(network: nn.Module, shape: tuple[int, int, int], folder: Path) -> Network:
    """The same network through ONNX."""
    file = folder / "network.onnx"
    torch.onnx.export(
        network, (torch.zeros(1, *shape),), file, dynamo=False, input_names=["image"],
        dynamic_axes={"image": {0: "N"}}, opset_version=18,
    )  # fmt: skip
    return open_network(file, ScanOptions(preprocess=Preprocess(), device="cpu"))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, repeats: int) -> list[str]:
    """One row of the table."""
    make, shape, classes = NETWORKS[name]
    torch.manual_seed(0)
    torch_network = make().eval()
    with tempfile.TemporaryDirectory() as folder:
        network = exported(torch_network, shape, Path(folder))
    pixels = np.random.default_rng(0).random((IMAGES, *shape[1:], shape[0]), dtype=np.float32)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().requires_grad_()
    methods: dict[str, Callable[[], object]] = {
        "a": lambda: jacobian(network, pixels, classes),
        "b": lambda: by_class(torch_network, x, classes),
        "c": lambda: batched(torch_network, x, classes),
        "forward": lambda: network.logits(pixels),
    }
    mine = jacobian(network, pixels, classes)
    theirs = by_class(torch_network, x, classes).permute(0, 1, 3, 4, 2).numpy()
    error = float(np.linalg.norm(mine - theirs) / np.linalg.norm(theirs))
    times: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(repeats + 1):
        for method, work in methods.items():
            times[method].append(seconds(work))
    # The first round warms up; ratios are of neighbours in time.
    ratios = {
        other: statistics.median(t / a for t, a in zip(times[other][1:], times["a"][1:], strict=True)) for other in "bc"
    }
    per_class = statistics.median(
        a / (classes * forward) for a, forward in zip(times["a"][1:], times["forward"][1:], strict=True)
    )
    return [
        name, str(classes), f"{statistics.median(times['a'][1:]):.3f} s", f"{ratios['b']:.1f}", f"{ratios['c']:.1f}",
        f"{per_class:.2f}", f"{error:.0e}",
    ]  # fmt: skip


def main(
    networks: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(NETWORKS)}.")] = None,
    repeats: Annotated[int, typer.Option(help="Measured rounds, after one to warm up.")] = 5,
) -> None:
    """Print the table."""
    torch.set_num_threads(THREADS)
    head = ["network", "classes", "(a) ninspect", "(b) / (a)", "(c) / (a)", "forward passes a class", "error"]
    for row in (head, ["---"] * len(head)):
        print("| " + " | ".join(row) + " |")
    for name in networks or list(NETWORKS):
        print("| " + " | ".join(measure(name, repeats)) + " |", flush=True)
    print(f"\nPyTorch {torch.__version__}, {THREADS} threads, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    typer.run(main)
