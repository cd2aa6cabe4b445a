"""ONNX Runtime: logits and gradients of arrays of pixels."""

from ninspect.names import Device
from ninspect.runtime.graphs import asked_for, augmented_model, gradient_model, own_model, save_model
from ninspect.runtime.memory import check_memory
from ninspect.runtime.network import Gradients, Network, Pixels
from ninspect.runtime.plan import Budget, parts
from ninspect.runtime.session import open_model, open_session, run

__all__ = [
    "Budget",
    "Device",
    "Gradients",
    "Network",
    "Pixels",
    "asked_for",
    "augmented_model",
    "check_memory",
    "gradient_model",
    "open_model",
    "open_session",
    "own_model",
    "parts",
    "run",
    "save_model",
]
