"""Clean images: where they are read from, and how they become model inputs."""

from ninspect.samples.dataset import Samples
from ninspect.samples.load import load_samples
from ninspect.samples.preprocess import InputMap, Preprocess

__all__ = ["InputMap", "Preprocess", "Samples", "load_samples"]
