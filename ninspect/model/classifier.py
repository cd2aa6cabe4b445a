"""What of a model is the image, what are the logits, and how many classes there are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from ninspect.errors import ModelError, UnsupportedOperatorError, UsageError
from ninspect.gradient import GradientKind, gradient_kind
from ninspect.graph.convert import prepare, standard_opset
from ninspect.graph.expansions import expanded
from ninspect.model.layout import ImageLayout, image_layout
from ninspect.model.load import ModelFile, read_model

# Monotone functions of the logits that models end with; explaining what is before them avoids their saturation.
_ACTIVATIONS = ("Softmax", "LogSoftmax", "Sigmoid", "Log")
# What may stand between them and the output; quantised networks round their probabilities too.
_VIEWS = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "QuantizeLinear", "DequantizeLinear")
_MOST_VALUES = 2**24  # of one image
_IMAGE_TYPES: dict[int, np.dtype[Any]] = {
    onnx.TensorProto.FLOAT: np.dtype(np.float32),
    onnx.TensorProto.FLOAT16: np.dtype(np.float16),
    onnx.TensorProto.DOUBLE: np.dtype(np.float64),
    onnx.TensorProto.UINT8: np.dtype(np.uint8),
}


@dataclass(frozen=True)
class Classifier:
    """An ONNX file understood as an image classifier.

    >>> from pathlib import Path
    >>> load_classifier(Path("models/digits/clean_torch.onnx")).layout.image_shape
    (28, 28, 1)

    Attributes:
        file: the file as read.
        model: the same function in the form that the gradient builder reads.
        opset: of the file.
        producer: name and version of the exporter, as the file says.
        input: name of the image input.
        dtype: element type that the file's image input wants.
        batch: number of images the file takes at a time; None if free.
        layout: where height, width and channels are.
        output: name of the file's class-score output.
        scores: name of the tensor that it holds; another only where the output is made by scikit-learn's ZipMap.
        logits: name of the tensor before a final Softmax, LogSoftmax or Sigmoid.
        activations: operators between logits and output, in graph order.
        classes: number of classes K, at least 2.
        parameters: numbers in the file's initializers.
        operators: how often the file's graph has each.
        metadata: the file's own metadata properties.
    """

    file: ModelFile
    model: ir.Model
    opset: int
    producer: str
    input: str
    dtype: np.dtype[Any]
    batch: int | None
    layout: ImageLayout
    output: str
    scores: str
    logits: str
    activations: tuple[str, ...]
    classes: int
    parameters: int
    operators: Mapping[str, int]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        shape = ", ".join(map(str, ["N" if self.batch is None else self.batch, *self.layout.input_shape]))
        image = f"{self.input!r} [{shape}] {self.dtype} {self.layout.name}"
        return (
            f"<Classifier {self.file.path!r}: {image} to {self.output!r}, {self.classes} classes, opset {self.opset}>"
        )

    @cached_property
    def expanded(self) -> ir.Model:
        """`model` without the operators of `EXPANSIONS`, so that it can be differentiated.

        Raises:
            ModelError: one of them is used in a form that is not known.
        """
        return expanded(self.model)

    @cached_property
    def gradient_kind(self) -> GradientKind | None:
        """How far the gradient of the logits is their derivative; None where there is no gradient."""
        try:
            return gradient_kind(self.expanded, self.input, self.logits)
        except ModelError:
            return None


def load_classifier(
    path: Path | str, *, output: str | None = None, layout: str | None = None, size: tuple[int, int] | None = None
) -> Classifier:
    """Read an ONNX file and find its image input and its logits: `understand` of `read_model`.

    >>> classifier = load_classifier(Path("models/digits/clean_keras.onnx"))
    >>> classifier.classes, classifier.layout.name, classifier.activations
    (10, 'NHWC', ('Softmax',))
    """
    file = read_model(path)
    return understand(file, file.parse(), output=output, layout=layout, size=size)


def understand(
    file: ModelFile,
    proto: onnx.ModelProto,
    *,
    output: str | None = None,
    layout: str | None = None,
    size: tuple[int, int] | None = None,
) -> Classifier:
    """Find the image input and the logits of a model.

    Args:
        file: the model, read and checked.
        proto: what it parses to; changed in place.
        output: name of the class-score output, where the model has several.
        layout: "NCHW", "NHWC" or "flat", where the shape of the input does not tell.
        size: (height, width) of the images, where the model does not fix it.

    Raises:
        UsageError: no such output, or a layout or size that the model cannot take.
        ModelError: the model is not an image classifier that can be analysed.
    """
    parameters = sum(math.prod(tensor.dims) for tensor in proto.graph.initializer)
    operators = dict(sorted(Counter(node.op_type for node in proto.graph.node).items()))
    opset = standard_opset(proto)
    if opset > onnx.defs.onnx_opset_version():
        raise ModelError(
            f"the model uses opset {opset}, newer than the installed onnx knows; update onnx and onnxruntime"
        )
    image = _image_input(proto)
    tensor = image.type.tensor_type
    dtype = _IMAGE_TYPES[tensor.elem_type]
    if dtype == np.uint8:
        # Gradients need a float; the casts that follow an integer input then change nothing.
        tensor.elem_type = onnx.TensorProto.FLOAT
    if any(d.HasField("dim_value") and d.dim_value == 0 for d in tensor.shape.dim[1:]):
        raise ModelError(f"the input of the model is an image without pixels: {_describe(image)}")
    shape = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim]
    found = image_layout(tuple(shape[1:]), layout, size)
    if math.prod(found.input_shape) > _MOST_VALUES:
        raise ModelError(f"an image of the model has more than {_MOST_VALUES} values: {_describe(image)}")
    for dim, value in zip(tensor.shape.dim[1:], found.input_shape, strict=True):
        dim.dim_value = value
    dictionaries = _look_through_zipmaps(proto)
    model = prepare(proto)
    named = {dictionaries.get(str(value.name), str(value.name)): value for value in model.graph.outputs}
    name, scores = _score_output(named, output)
    logits, activations = _before_activation(scores)
    return Classifier(
        file=file,
        model=model,
        opset=opset,
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
        input=image.name,
        dtype=dtype,
        batch=shape[0],
        layout=found,
        output=name,
        scores=str(scores.name),
        logits=str(logits.name),
        activations=activations,
        classes=_class_count(model.graph, name, scores, logits),
        parameters=parameters,
        operators=operators,
        metadata={entry.key: entry.value for entry in proto.metadata_props},
    )


def _image_input(proto: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one graph input that can hold an image.

    Raises:
        ModelError: there is none, there are several, or the model wants other inputs besides.
    """
    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    images = [v for v in inputs if v.type.tensor_type.elem_type in _IMAGE_TYPES and _rank(v) in (2, 3, 4)]
    if len(inputs) == 1 and len(images) == 1:
        image: onnx.ValueInfoProto = images[0]
        return image
    described = ", ".join(_describe(value) for value in inputs) or "none"
    if len(images) == 1:
        raise ModelError(f"the model needs inputs besides the image, and ninspect can only give images: {described}")
    raise ModelError(f"no single input of the model is an image batch; its inputs are: {described}")


def _rank(value: onnx.ValueInfoProto) -> int:
    return len(value.type.tensor_type.shape.dim) if value.type.tensor_type.HasField("shape") else -1


def _describe(value: onnx.ValueInfoProto) -> str:
    dims = [
        str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?" for d in value.type.tensor_type.shape.dim
    ]
    return f"'{value.name}' [{', '.join(dims)}]"


def _look_through_zipmaps(proto: onnx.ModelProto) -> dict[str, str]:
    """Put out the tensors behind scikit-learn's lists of dictionaries instead; returns the lists' names by theirs."""
    zipmaps = {node.output[0]: node for node in proto.graph.node if node.op_type == "ZipMap"}
    names = {}
    for output in proto.graph.output:
        if (node := zipmaps.get(output.name)) is not None:
            names[node.input[0]] = output.name
            output.CopyFrom(onnx.ValueInfoProto(name=node.input[0]))
            proto.graph.node.remove(node)
    return names


def _score_output(outputs: dict[str, ir.Value], name: str | None) -> tuple[str, ir.Value]:
    """The output that holds one score per class, with its name in the file.

    Raises:
        UsageError: `name` is not an output.
        ModelError: no output, or more than one, looks like class scores.
    """
    listed = ", ".join(f"'{key}' {_shape_text(value)}" for key, value in outputs.items())
    if name is not None:
        if name not in outputs:
            raise UsageError(f"the model has no output '{name}'; its outputs are: {listed}")
        return name, outputs[name]
    scores = {_before_activation(value)[0]: (key, value) for key, value in outputs.items() if _holds_scores(value)}
    if len(scores) == 1:
        return next(iter(scores.values()))
    problem = "several outputs of the model could be class scores" if scores else "no output looks like class scores"
    raise ModelError(f"{problem}; choose with --logits from: {listed}")


def _shape_text(value: ir.Value) -> str:
    return "[" + ", ".join(str(d) for d in value.shape) + "]" if value.shape is not None else "(shape unknown)"


def _holds_scores(value: ir.Value) -> bool:
    floating = value.dtype is not None and value.dtype.is_floating_point()
    return floating and (value.shape is None or _vector_length(value) is not None)


def _vector_length(value: ir.Value) -> int | None:
    """K, when the shape is `[N, K]` up to axes of size 1; else None."""
    if value.shape is None or len(value.shape) == 0:
        return None
    sizes = value.shape[1:] if len(value.shape) > 1 else value.shape
    if not all(isinstance(d, int) for d in sizes):
        return None
    known = [int(d) for d in sizes if isinstance(d, int)]
    return math.prod(known) if sum(d != 1 for d in known) <= 1 else None


def _before_activation(scores: ir.Value) -> tuple[ir.Value, tuple[str, ...]]:
    """Walk back over final activations; returns the logits and the operators passed, in graph order."""
    logits, activations = scores, list[str]()
    value, passed = scores, list[str]()
    while (node := value.producer()) is not None and node.op_type in (*_ACTIVATIONS, *_VIEWS):
        source = node.inputs[0]
        if source is None or (node.op_type == "Log" and not _is_softmax(source)):
            break
        value = source
        passed.append(node.op_type)
        if node.op_type in _ACTIVATIONS:
            logits, activations = value, list(passed)
    return logits, tuple(reversed(activations))


def _is_softmax(value: ir.Value) -> bool:
    producer = value.producer()
    return producer is not None and producer.op_type in ("Softmax", "Sigmoid")


def _class_count(graph: ir.Graph, name: str, scores: ir.Value, logits: ir.Value) -> int:
    count = _vector_length(logits) or _vector_length(scores)
    foreign = [(f"{node.domain}::{node.op_type}", node.name or "") for node in graph if node.domain]
    if count is None and foreign:
        raise UnsupportedOperatorError(foreign)
    if count is None:
        raise ModelError(
            f"the number of classes is unknown: output '{name}' has shape {_shape_text(scores)}; "
            "export the model with a fixed number of classes, or choose another output with --logits"
        )
    if count < 2:
        raise ModelError(f"output '{name}' has one class; ninspect compares classes and needs at least 2")
    return count
