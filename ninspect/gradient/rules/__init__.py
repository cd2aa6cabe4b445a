"""One short function per operator; importing this package fills the registry."""

from ninspect.gradient.rules import (
    activations,
    convolution,
    elementwise,
    indexing,
    linear,
    normalization,
    pooling,
    quantization,
    reduction,
    resize,
    scatter,
    shape,
    steps,
)

__all__ = [
    "activations",
    "convolution",
    "elementwise",
    "indexing",
    "linear",
    "normalization",
    "pooling",
    "quantization",
    "reduction",
    "resize",
    "scatter",
    "shape",
    "steps",
]
