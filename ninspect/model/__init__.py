"""An untrusted ONNX file becomes a checked `Classifier`."""

from ninspect.model.class_names import class_names, names_in_metadata, with_background
from ninspect.model.classifier import Classifier, load_classifier, understand
from ninspect.model.describe import describe
from ninspect.model.external import FileHash
from ninspect.model.hidden_steps import hidden_decisions
from ninspect.model.image_input import Said
from ninspect.model.layout import ImageLayout
from ninspect.model.load import ModelFile, read_model
from ninspect.model.operator_check import refuse_operators

__all__ = [
    "Classifier",
    "FileHash",
    "ImageLayout",
    "ModelFile",
    "Said",
    "class_names",
    "describe",
    "hidden_decisions",
    "load_classifier",
    "names_in_metadata",
    "read_model",
    "refuse_operators",
    "understand",
    "with_background",
]
