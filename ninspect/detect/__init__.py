"""Detectors: each asks the network its own question and scores every class."""

from ninspect.detect.activated import Activated
from ninspect.detect.freeeagle import FreeEagle
from ninspect.detect.interface import ROBUST_Z, Case, Detection, Detector, Progress, listed
from ninspect.detect.mmbd import MMBD
from ninspect.detect.neural_cleanse import NeuralCleanse
from ninspect.detect.neuroninspect import NeuronInspect
from ninspect.detect.weights import Weights

METHODS = ("activated", "neuroninspect", "mmbd", "weights", "neural_cleanse", "freeeagle")

__all__ = [
    "METHODS",
    "MMBD",
    "ROBUST_Z",
    "Activated",
    "Case",
    "Detection",
    "Detector",
    "FreeEagle",
    "NeuralCleanse",
    "NeuronInspect",
    "Progress",
    "Weights",
    "listed",
]
