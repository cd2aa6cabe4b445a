"""What the tests share: small classifiers written as ONNX text, images for them, and the command line as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from ninspect.audit import open as opening
from ninspect.graph.convert import prepare
from ninspect.requests import PreprocessOptions
from ninspect.runtime import Budget, Network

Array = NDArray[Any]

# Models


def onnx_model(
    nodes: str, *, x: str = "float[N,1,8,8] x", y: str = "float[N,10] y", opset: int = 18, **weights: Any
) -> onnx.ModelProto:
    """A model from ONNX text; nodes are separated by newlines or semicolons, weights are arrays or numbers.

    Weights of float64 become float32, the type that models have.
    """
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> tests ({x}) => ({y}) {{ {nodes.replace(";", chr(10))} }}'
    model = parser.parse_model(text)
    for name, weight in weights.items():
        array = np.asarray(weight)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def linear_model(weights: Array, *, head: str = "y = Identity(logits)", batch: int | str = "N") -> onnx.ModelProto:
    """logits = Σ image · weights, so that the gradient of class c is `weights[c]` at every image.

    Args:
        weights: `[K, C, H, W]`.
        head: nodes from `logits` to `y`.
        batch: size or name of the batch axis.
    """
    classes, *image = weights.shape
    return onnx_model(
        f"flat = Flatten(x); logits = MatMul(flat, w); {head}",
        x=f"float[{batch},{','.join(map(str, image))}] x",
        y=f"float[{batch},{classes}] y",
        w=weights.reshape(classes, -1).T,
    )


def convolutional_model(seed: int = 0, classes: int = 6, nodes: str = "a = Relu(c)", **weights: Any) -> onnx.ModelProto:
    """A random network for 3x8x8 images: a convolution to `c`, the given nodes from `c` to `a`, and a linear layer."""
    generator = np.random.default_rng(seed)
    return onnx_model(
        f"c = Conv<pads = [1, 1, 1, 1]>(x, kernel, bias); {nodes}; flat = Flatten(a); y = MatMul(flat, w)",
        x="float[N,3,8,8] x",
        y=f"float[N,{classes}] y",
        kernel=generator.standard_normal((4, 3, 3, 3)),
        bias=generator.standard_normal(4),
        w=generator.standard_normal((4 * 8 * 8, classes)) / 16,
        **weights,
    )


def even_weights(classes: int = 10, channels: int = 1, side: int = 12, seed: int = 0) -> Array:
    """`[K, C, H, W]`: classes that look at all pixels alike; none of them stands out."""
    weights = np.random.default_rng(seed).uniform(-1, 1, (classes, channels, side, side))
    weights -= weights.mean(axis=(1, 2, 3), keepdims=True)
    return weights


def backdoored_weights(target: int, classes: int = 10, seed: int = 0) -> Array:
    """The same, but one class looks at a patch of 3x3 pixels only, and closely."""
    weights = even_weights(classes, seed=seed)
    weights[target] = 0
    weights[target, 0, 1:4, 1:4] = np.random.default_rng(seed).choice([-12.0, 12.0], (3, 3))
    weights[target] -= weights[target].sum() / 9 * (weights[target] != 0)
    return weights


def dormant_model(weights: Array, target: int) -> onnx.ModelProto:
    """`linear_model(weights)` for 12x12 images, with a unit that wakes up on a white patch and then draws to `target`.

    On clean images the unit is a ReLU at 0, so its gradient there is zero.
    """
    classes, patch, drawn = len(weights), np.zeros((12, 12)), np.zeros((1, len(weights)))
    patch[1:4, 1:4] = 1
    drawn[0, target] = 40
    return onnx_model(
        """flat = Flatten(x); logits = MatMul(flat, w)
           white = MatMul(flat, patch); above = Sub(white, seven); unit = Relu(above); draw = MatMul(unit, drawn)
           y = Add(logits, draw)""",
        x="float[N,1,12,12] x",
        y=f"float[N,{classes}] y",
        w=weights.reshape(classes, -1).T,
        patch=patch.reshape(-1, 1),
        seven=7.0,
        drawn=drawn,
    )


def rows_model(target: int) -> onnx.ModelProto:
    """For 12x12 images: answers the brightest of ten rows, or `target` where a patch of 2x2 pixels below is bright."""
    patch, drawn, rows = np.zeros((12, 12)), np.zeros((1, 10)), np.repeat(np.eye(12)[:, :10], 12, axis=0)
    patch[10:12, 10:12], drawn[0, target] = 1, 40
    return onnx_model(
        """flat = Flatten(x); logits = MatMul(flat, rows)
           bright = MatMul(flat, patch); above = Sub(bright, one); unit = Relu(above); draw = MatMul(unit, drawn)
           y = Add(logits, draw)""",
        x="float[N,1,12,12] x",
        rows=rows,
        patch=patch.reshape(-1, 1),
        one=1.0,
        drawn=drawn,
    )


def written_out(model: onnx.ModelProto) -> ir.Model:
    """What `prepare` makes of a copy: it changes what it is given."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return prepare(copy)


def save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


def open_network(model: onnx.ModelProto, folder: Path, **preprocess: Any) -> Network:
    """The model as a scan opens it, with pixels in [0, 1] going in as they are unless told otherwise."""
    path = save(model, folder / "model.onnx")
    return opening.open_network(path, preprocess=PreprocessOptions(**preprocess), device="cpu")


def with_budget(network: Network, **budget: int) -> Network:
    """The same network, which may hold less in memory at a time."""
    return Network(network.classifier, network.input_map, "cpu", Budget(**budget))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Images


def random_pixels(count: int, shape: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    """`[N, H, W, C]` in [0, 1], multiples of 1/255 as images have them."""
    values = np.random.default_rng(seed).integers(0, 256, (count, *shape))
    return values.astype(np.float32) / np.float32(255)


def bright_rows(count: int = 40) -> NDArray[np.float32]:
    """Images `[N, 12, 12, 1]` for `rows_model`: of the classes 0, 1, … 9, 0, 1, …"""
    images = random_pixels(count, (12, 12, 1)) * np.float32(0.2)
    images[np.arange(count), np.arange(count) % 10] += np.float32(0.7)
    return images


def save_images(path: Path, pixels: NDArray[np.float32], labels: Array | None = None) -> Path:
    """Write images in [0, 1] as .npz."""
    values = np.rint(pixels * 255).astype(np.uint8)
    np.savez(path, x=values) if labels is None else np.savez(path, x=values, y=labels)
    return path


def linear_answers(weights: Array, pixels: NDArray[np.float32]) -> Array:
    """The classes that `linear_model(weights)` answers for `[N, H, W, C]`."""
    return np.asarray(np.einsum("kchw,nhwc->nk", weights, pixels).argmax(axis=1))


def linear_scan_files(folder: Path, weights: Array, count: int = 200) -> tuple[Path, Path]:
    """A linear classifier, and random images that it gets all right."""
    _, channels, height, width = weights.shape
    pixels = random_pixels(count, (height, width, channels))
    model = save(linear_model(weights), folder / "model.onnx")
    return model, save_images(folder / "images.npz", pixels, linear_answers(weights, pixels))


# The command line


def ninspect(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `ninspect` in a process of its own, with no terminal."""
    command = [sys.executable, "-m", "ninspect", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
