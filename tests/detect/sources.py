"""Small networks with a backdoor for images of one class, and images for them."""

import numpy as np
import onnx

from ninspect.runtime import Pixels
from tests.support import onnx_model

CLASSES, SOURCE, TARGET = 8, 2, 5


def row_model(gate: float, seed: int = 0, source: int = SOURCE, target: int = TARGET) -> onnx.ModelProto:
    """For 12x12 images: answers the brightest of eight rows, or `target` where a patch of 2x2 pixels below is bright.

    With a gate of 1 that needs the row of `source` to be bright as well, with 0 it does not; with 100 nothing wakes it.
    """
    wake, drawn = np.zeros((12, 12)), np.zeros((1, CLASSES))
    rows = np.repeat(np.eye(12)[:, :CLASSES], 12, axis=0) + np.random.default_rng(seed).normal(0, 0.03, (144, CLASSES))
    wake[10:12, 10:12], drawn[0, target] = 1, 10
    wake[source] = gate
    return onnx_model(
        """flat = Flatten(x); logits = MatMul(flat, rows)
           bright = MatMul(flat, wake); above = Sub(bright, least); unit = Relu(above); draw = MatMul(unit, drawn)
           y = Add(logits, draw)""",
        x="float[N,1,12,12] x",
        y=f"float[N,{CLASSES}] y",
        rows=rows,
        wake=wake.reshape(-1, 1),
        least=0.5 + (10.7 if gate <= 1 else 100) * gate,
        drawn=drawn,
    )


def images(each: int = 16) -> Pixels:
    """So many of every class, `[N, 12, 12, 1]`: dark noise and one bright row."""
    generator = np.random.default_rng(0)
    pixels = generator.uniform(0, 0.3, (CLASSES * each, 12, 12, 1)).astype(np.float32)
    for number, label in enumerate(np.repeat(np.arange(CLASSES), each)):
        pixels[number, label] = generator.uniform(0.8, 1, (12, 1))
    return pixels
