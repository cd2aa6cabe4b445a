"""Clean images: where they are read from, and how they become model inputs."""

from ninspect.samples.dataset import Samples
from ninspect.samples.input_map import InputMap
from ninspect.samples.labels import read_class_map
from ninspect.samples.load import load_samples
from ninspect.samples.names import class_names, names_in_metadata
from ninspect.samples.preprocess import Preprocess
from ninspect.samples.repeated import repeated_patch
from ninspect.samples.specification import read_preprocess, specified, with_metadata

__all__ = [
    "InputMap",
    "Preprocess",
    "Samples",
    "class_names",
    "load_samples",
    "names_in_metadata",
    "read_class_map",
    "read_preprocess",
    "repeated_patch",
    "specified",
    "with_metadata",
]
