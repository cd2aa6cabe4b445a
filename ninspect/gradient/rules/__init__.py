"""One short function per operator; importing this package fills the registry."""

from ninspect.gradient.rules import (
    convolution,
    elementwise,
    indexing,
    linear,
    normalization,
    pooling,
    reduction,
    shape,
)

__all__ = ["convolution", "elementwise", "indexing", "linear", "normalization", "pooling", "reduction", "shape"]
