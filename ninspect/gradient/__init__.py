"""The gradient graph builder: an ONNX graph in, an augmented ONNX graph out."""

from ninspect.gradient.builder import CLASSES, GRADIENT, LOGITS, OBJECTIVE, differentiate
from ninspect.gradient.objectives import OBJECTIVES, Objective
from ninspect.gradient.path import GradientKind, gradient_kind

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
