"""Clean images: where they are read from."""

from ninspect.samples.dataset import Samples
from ninspect.samples.labels import read_class_map
from ninspect.samples.load import load_samples
from ninspect.samples.repeated import repeated_patch

__all__ = [
    "Samples",
    "load_samples",
    "read_class_map",
    "repeated_patch",
]
