"""The gradient graph builder: an ONNX graph in, an augmented ONNX graph out."""

from ninspect.gradient.builder import CLASSES, GRADIENT, LOGITS, OBJECTIVE, differentiate
from ninspect.gradient.objectives import OBJECTIVES, Objective

__all__ = [
    "CLASSES",
    "GRADIENT",
    "LOGITS",
    "OBJECTIVE",
    "OBJECTIVES",
    "Objective",
    "differentiate",
]
