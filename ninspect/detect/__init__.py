"""Detectors: each asks the network its own question and scores every class."""

from ninspect.detect.activated import Activated
from ninspect.detect.interface import ROBUST_Z, Case, Detection, Detector, Progress, listed
from ninspect.detect.neuroninspect import NeuronInspect

METHODS = ("activated", "neuroninspect")

__all__ = ["METHODS", "ROBUST_Z", "Activated", "Case", "Detection", "Detector", "NeuronInspect", "Progress", "listed"]
