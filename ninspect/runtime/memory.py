"""How much memory a scan takes, from shapes alone: a file of 200 bytes can ask for terabytes."""

from __future__ import annotations

import math

import onnx_ir as ir

from ninspect.errors import ModelError
from ninspect.model import Classifier
from ninspect.text import byte_count

LIVE_COTANGENTS = 6  # of the largest size, at a time
_COPIES = 3  # of the weights at least: the file, the arrays, and what ONNX Runtime makes of them
_SIZELESS = (ir.DataType.STRING, ir.DataType.UNDEFINED)  # labels, and what shape inference does not know
_PIXEL = 5  # bytes: an image is kept as it was read, and as float32


def check_memory(classifier: Classifier, images: int, limit: int) -> None:
    """Refuse a model whose scan would not fit, before anything is allocated for it.

    What counts is what cannot be made smaller by running fewer images or classes at a time: the weights, all forward
    values of one batch of the model, which the backward pass needs until its end, a few cotangents of the largest
    size, and the images. Of the values this is more than a scan takes, because ONNX Runtime frees and fuses. What
    shapes do not tell, such as sizes that depend on values, is left to the limit of the worker process.

    Args:
        classifier: with inferred shapes.
        images: how many are read.
        limit: bytes.

    Raises:
        ModelError: it would take more.
    """
    needed = _weights(classifier) + _values(classifier) + images * math.prod(classifier.layout.image_shape) * _PIXEL
    if needed > limit:
        raise ModelError(
            f"the scan would take about {byte_count(needed)} of memory, and the limit is {byte_count(limit)}; "
            "allow more with --max-memory if the machine has it",
            "MD003",
        )


def bytes_of(value: ir.Value) -> int:
    """Size of a tensor; a free axis counts as one."""
    dtype = value.dtype
    size = 4 if dtype in _SIZELESS or dtype is None or dtype.itemsize < 1 else dtype.itemsize
    return math.ceil(size * math.prod(int(d) for d in value.shape or () if isinstance(d, int)))


def forward_values(model: ir.Model) -> list[int]:
    """Bytes of each tensor that a run computes, for one image where the batch axis is free."""
    return [bytes_of(value) for node in model.graph for value in node.outputs] or [1]


def _weights(classifier: Classifier) -> int:
    tensors = (value.const_value for value in classifier.model.graph.initializers.values())
    numbers = (tensor for tensor in tensors if tensor is not None and tensor.dtype not in _SIZELESS)
    return _COPIES * sum(tensor.nbytes for tensor in numbers)


def _values(classifier: Classifier) -> int:
    values = forward_values(classifier.model)
    image = sum(bytes_of(value) for value in classifier.model.graph.inputs)
    return image + sum(values) + LIVE_COTANGENTS * max(*values, image)
