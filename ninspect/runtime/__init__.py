"""ONNX Runtime: logits and gradients of arrays of pixels."""

from ninspect.names import Device
from ninspect.runtime.memory import check_memory
from ninspect.runtime.network import Gradients, Network, Pixels, augmented_model, gradient_model, save_model
from ninspect.runtime.plan import Budget, parts
from ninspect.runtime.session import open_session

__all__ = [
    "Budget",
    "Device",
    "Gradients",
    "Network",
    "Pixels",
    "augmented_model",
    "check_memory",
    "gradient_model",
    "open_session",
    "parts",
    "save_model",
]
