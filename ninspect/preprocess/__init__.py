"""How pixels become the model's input: the settings, where they come from, and the map that they make."""

from ninspect.preprocess.input_map import InputMap
from ninspect.preprocess.resolve import read_preprocess, specified, with_metadata
from ninspect.preprocess.settings import Preprocess

__all__ = [
    "InputMap",
    "Preprocess",
    "read_preprocess",
    "specified",
    "with_metadata",
]
