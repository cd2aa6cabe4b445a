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

from ninspect.errors import ModelError
from ninspect.gradient import GradientKind, gradient_kind
from ninspect.graph.convert import prepare, standard_opset
from ninspect.graph.expansions import expanded
from ninspect.model.file_outputs import FileOutputs
from ninspect.model.layout import ImageLayout, image_layout
from ninspect.model.load import ModelFile, read_model
from ninspect.model.outputs import check_rows, find_answer, two_classes

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
        outputs: all that the file puts out.
        output: name of the output that tells the class.
        scores: name of the tensor that it holds; another only where the output is made by scikit-learn's ZipMap.
        logits: name of the tensor before all steps that leave the classes of an image in order, see `order`.
        activations: operators between logits and output, in graph order.
        falling: the smallest score is that of the class, as of negative logarithms of probabilities.
        ending: the operator that makes the logits, where it is one that saturates; else empty.
        classes: number of classes K, at least 2; a single logit z tells two apart, whose logits are 0 and z.
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
    outputs: FileOutputs
    output: str
    scores: str
    logits: str
    activations: tuple[str, ...]
    falling: bool
    ending: str
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

    @property
    def activation(self) -> str:
        """What the file makes of the logits, in words; empty where it puts them out as they are."""
        operators = " ".join(self.activations)
        return f"{operators}, of which the smallest is the answer" if self.falling else operators

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
    outputs = FileOutputs.take(proto)
    model = prepare(proto)
    named = {outputs.behind.get(str(value.name), str(value.name)): value for value in model.graph.outputs}
    answer = find_answer(model.graph, named, output)
    check_rows(model, image.name, answer, shape[0])
    one = answer.classes == 1
    logits = two_classes(model.graph, answer.logits) if one else answer.logits
    return Classifier(
        file=file,
        model=model,
        opset=opset,
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
        input=image.name,
        dtype=dtype,
        batch=shape[0],
        layout=found,
        outputs=outputs,
        output=answer.output,
        scores=str(answer.value.name),
        logits=str(logits.name),
        activations=answer.passed,
        falling=answer.falling,
        ending=answer.ending,
        classes=2 if one else answer.classes or 0,
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
