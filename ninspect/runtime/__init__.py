"""ONNX Runtime: logits and gradients of arrays of pixels."""

from ninspect.runtime.memory import check_memory
from ninspect.runtime.network import Gradients, Network, Pixels, gradient_model, save_model
from ninspect.runtime.providers import Device, allowed_cores, cuda_device_count, open_session
from ninspect.runtime.truth import TruthTest, check_gradient, check_scores

__all__ = [
    "Device",
    "Gradients",
    "Network",
    "Pixels",
    "TruthTest",
    "allowed_cores",
    "check_gradient",
    "check_memory",
    "check_scores",
    "cuda_device_count",
    "gradient_model",
    "open_session",
    "save_model",
]
