"""The gradient graph builder: an ONNX graph in, an augmented ONNX graph out."""

from ninspect.gradient.builder import CLASSES, GRADIENT, LOGITS, OBJECTIVE, differentiate
from ninspect.gradient.path import GradientKind, gradient_kind
from ninspect.names import OBJECTIVES, Objective

__all__ = [
    "CLASSES",
    "GRADIENT",
    "LOGITS",
    "OBJECTIVE",
    "OBJECTIVES",
    "GradientKind",
    "Objective",
    "differentiate",
    "gradient_kind",
]
