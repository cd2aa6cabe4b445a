"""How pixels become the model's input: the settings, where they come from, and the map that they make."""

from ninspect.preprocess.input_map import InputMap
from ninspect.preprocess.resolve import Resolved, from_model, read_preprocess, settle, specified
from ninspect.preprocess.settings import Preprocess

__all__ = [
    "InputMap",
    "Preprocess",
    "Resolved",
    "from_model",
    "read_preprocess",
    "settle",
    "specified",
]
