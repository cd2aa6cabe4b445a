"""Detectors: each asks the network its own question and scores every class."""

from ninspect.detect.activated import Activated
from ninspect.detect.agreement import Agreement
from ninspect.detect.all_to_all import AllToAll
from ninspect.detect.attention import Attention, look, outstanding
from ninspect.detect.case import Case, Progress
from ninspect.detect.evidence import Evidence
from ninspect.detect.examination import TARGET, Examination, comparing, holm, listed, tested, too_few
from ninspect.detect.freeeagle import FreeEagle
from ninspect.detect.interface import Detector, Needs, examined
from ninspect.detect.mmbd import MMBD
from ninspect.detect.neural_cleanse import NeuralCleanse
from ninspect.detect.neuroninspect import NeuronInspect
from ninspect.detect.reference import Reference
from ninspect.detect.source_specific import SourceSpecific
from ninspect.detect.trigger import PairBeside, PairTrigger, Stamp, Trigger
from ninspect.detect.weights import Weights
from ninspect.detect.windows import Windows

__all__ = [
    "MMBD",
    "TARGET",
    "Activated",
    "Agreement",
    "AllToAll",
    "Attention",
    "Case",
    "Detector",
    "Evidence",
    "Examination",
    "FreeEagle",
    "Needs",
    "NeuralCleanse",
    "NeuronInspect",
    "PairBeside",
    "PairTrigger",
    "Progress",
    "Reference",
    "SourceSpecific",
    "Stamp",
    "Trigger",
    "Weights",
    "Windows",
    "comparing",
    "examined",
    "holm",
    "listed",
    "look",
    "outstanding",
    "tested",
    "too_few",
]
