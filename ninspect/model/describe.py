"""What ninspect understands of a model, as plain facts."""

from __future__ import annotations

from ninspect.model.classifier import Classifier
from ninspect.model.layout import count_channels


def describe(classifier: Classifier) -> dict[str, str | int | list[int | str] | dict[str, int] | dict[str, str]]:
    """Facts about a classifier that can be printed or written as JSON."""
    file, layout = classifier.file, classifier.layout
    height, width, channels = layout.image_shape
    return {
        "path": file.path,
        "sha256": file.sha256,
        "files": {part.name: part.sha256 for part in file.files},
        "producer": classifier.producer or "unknown",
        "opset": classifier.opset,
        "input": classifier.input,
        "input_shape": classifier.input_shape,
        "input_type": str(classifier.dtype),
        "layout": layout.name,
        "image": f"{height}x{width}, {count_channels(channels)}",
        "output": classifier.output,
        "activation": classifier.activation or "none",
        "logits": classifier.logits,
        "classes": classifier.classes,
        "parameters": classifier.parameters,
        "operators": dict(classifier.operators),
    }
