"""Detectors: each asks the network its own question and scores every class."""

from ninspect.detect.interface import Detection, Detector, Evidence, Progress
from ninspect.detect.neuroninspect import NeuronInspect

METHODS = ("neuroninspect",)

__all__ = ["METHODS", "Detection", "Detector", "Evidence", "NeuronInspect", "Progress"]
