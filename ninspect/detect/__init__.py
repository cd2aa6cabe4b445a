"""Detectors: each asks the network its own question and scores every class."""

from ninspect.detect.activated import Activated
from ninspect.detect.all_to_all import AllToAll
from ninspect.detect.attention import Attention, look, outstanding
from ninspect.detect.evidence import Trigger, find_triggers
from ninspect.detect.freeeagle import FreeEagle
from ninspect.detect.interface import ROBUST_Z, Case, Detection, Detector, Progress, holm, listed
from ninspect.detect.mmbd import MMBD
from ninspect.detect.neural_cleanse import NeuralCleanse
from ninspect.detect.neuroninspect import NeuronInspect
from ninspect.detect.source_specific import SOURCE_SPECIFIC, SourceTrigger, find_source_triggers
from ninspect.detect.weights import Weights

__all__ = [
    "MMBD",
    "ROBUST_Z",
    "SOURCE_SPECIFIC",
    "Activated",
    "AllToAll",
    "Attention",
    "Case",
    "Detection",
    "Detector",
    "FreeEagle",
    "NeuralCleanse",
    "NeuronInspect",
    "Progress",
    "SourceTrigger",
    "Trigger",
    "Weights",
    "find_source_triggers",
    "find_triggers",
    "holm",
    "listed",
    "look",
    "outstanding",
]
