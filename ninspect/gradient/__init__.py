"""The gradient graph builder: an ONNX graph in, an augmented ONNX graph out."""

from ninspect.gradient.allowed import refuse_operators
from ninspect.gradient.builder import CLASSES, GRADIENT, LOGITS, OBJECTIVE, differentiate
from ninspect.gradient.cut import cut
from ninspect.gradient.decisions import hidden_decisions
from ninspect.gradient.kind import GradientKind, gradient_kind
from ninspect.gradient.objectives import OBJECTIVES, Objective

__all__ = [
    "CLASSES",
    "GRADIENT",
    "LOGITS",
    "OBJECTIVE",
    "OBJECTIVES",
    "GradientKind",
    "Objective",
    "cut",
    "differentiate",
    "gradient_kind",
    "hidden_decisions",
    "refuse_operators",
]
