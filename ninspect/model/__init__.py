"""An untrusted ONNX file becomes a checked `Classifier`."""

from ninspect.model.classifier import Classifier, load_classifier, understand
from ninspect.model.describe import describe
from ninspect.model.layout import ImageLayout
from ninspect.model.load import ModelFile, read_model

__all__ = ["Classifier", "ImageLayout", "ModelFile", "describe", "load_classifier", "read_model", "understand"]
