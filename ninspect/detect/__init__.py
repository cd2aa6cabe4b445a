"""Detectors: each asks the network its own question and scores every class."""

from ninspect.detect.activated import Activated
from ninspect.detect.interface import Detection, Detector, Evidence, Progress, listed
from ninspect.detect.neuroninspect import NeuronInspect

METHODS = ("activated", "neuroninspect")

__all__ = ["METHODS", "Activated", "Detection", "Detector", "Evidence", "NeuronInspect", "Progress", "listed"]
