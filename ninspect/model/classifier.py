"""What of a model is the image, what are the logits, and how many classes there are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.errors import ModelError, UsageError
from ninspect.gradient import GradientKind, gradient_kind
from ninspect.gradient.path import reads
from ninspect.graph.convert import inlined, prepare, standard_opset
from ninspect.graph.expansions import expanded
from ninspect.model.derived import negated, read_back, two_classes
from ninspect.model.file_outputs import FileOutputs
from ninspect.model.image_input import ImageInput, Said, take_image
from ninspect.model.inputs import Feed, OtherInput
from ninspect.model.layout import ImageLayout
from ninspect.model.load import ModelFile, read_model
from ninspect.model.mixtures import log_probabilities, made_of_probabilities
from ninspect.model.outputs import Answer, check_rows, find_answer
from ninspect.model.renaming import told
from ninspect.names import Color, Layout

NOTHING_SAID = Said()


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
        batched: whether the image input has a batch axis; without one the file takes an image at a time.
        layout: where height, width and channels are.
        others: the inputs beside the image; the scores depend on none but those that were given a value.
        outputs: all that the file puts out.
        output: name of the output that tells the class.
        scores: name of the tensor that it holds; another only where the output is made by scikit-learn's ZipMap.
        direct: it has a score for each class, in the order of the classes.
        logits: name of the tensor before all steps that leave the classes of an image in order, see `order`.
        activations: operators between logits and output, in graph order.
        falling: the smallest score is that of the class, as of distances and of negative logarithms of probabilities.
        ending: the operator that makes the logits, where it is one that saturates; else empty.
        classes: number of classes K, at least 2; a single logit z tells two apart, whose logits are 0 and z.
        parameters: numbers in the file's initializers.
        operators: how often the file's graph has each.
        metadata: the file's own metadata properties.
        names: what the file itself calls the classes, where it has words for them.
        remarks: what a person should know of inputs and labels, in sentences without their full stop.
    """

    file: ModelFile
    model: ir.Model
    opset: int
    producer: str
    input: str
    dtype: np.dtype[Any]
    batch: int | None
    batched: bool
    layout: ImageLayout
    others: tuple[OtherInput, ...]
    outputs: FileOutputs
    output: str
    scores: str
    direct: bool
    logits: str
    activations: tuple[str, ...]
    falling: bool
    ending: str
    classes: int
    parameters: int
    operators: Mapping[str, int]
    metadata: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shape = ", ".join(map(str, self.input_shape))
        image = f"{self.input!r} [{shape}] {self.dtype} {self.layout.name}"
        return (
            f"<Classifier {self.file.path!r}: {image} to {self.output!r}, {self.classes} classes, opset {self.opset}>"
        )

    @property
    def activation(self) -> str:
        """What the file makes of the logits, in words; empty where it puts them out as they are."""
        operators = " ".join(self.activations)
        return f"{operators or 'costs'}, of which the smallest is the answer" if self.falling else operators

    @property
    def takes_whole_numbers(self) -> bool:
        """Whether the file wants integers, which says what range of values it expects."""
        return self.dtype.kind in "iu"

    @property
    def input_shape(self) -> list[int | str]:
        """Of the image input in the file; N where the batch axis is free."""
        batch = ["N" if self.batch is None else self.batch] if self.batched else []
        return [*batch, *self.layout.input_shape]

    def feeds(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What `model` is given for the images of one run, `[N, *layout.input_shape]`."""
        return {self.input: rows if self.batched else rows[0]}

    def file_feeds(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What the file itself is given for them: its own type of numbers, and something at every input."""
        if self.takes_whole_numbers:
            limits = np.iinfo(self.dtype)
            rows = np.clip(np.rint(rows), limits.min, limits.max)
        image = self.feeds(rows.astype(self.dtype))
        return image | {other.name: other.array(len(rows)) for other in self.others}

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


_MIXED = "the scores are made of probabilities, so their logarithms are judged"


def load_classifier(
    path: Path | str,
    *,
    output: str | None = None,
    layout: Layout | None = None,
    size: tuple[int, int] | None = None,
    color: Color | None = None,
    feed: Mapping[str, Feed] | None = None,
) -> Classifier:
    """Read an ONNX file and find its image input and its logits: `understand` of `read_model`.

    >>> classifier = load_classifier(Path("models/digits/clean_keras.onnx"))
    >>> classifier.classes, classifier.layout.name, classifier.activations
    (10, 'NHWC', ('Softmax',))
    """
    file = read_model(path)
    return understand(file, file.parse(), output, Said(layout, size, color, feed or {}))


def understand(
    file: ModelFile, proto: onnx.ModelProto, output: str | None = None, said: Said = NOTHING_SAID
) -> Classifier:
    """Find the image input and the logits of a model.

    Args:
        file: the model, read and checked.
        proto: what it parses to; changed in place.
        output: name of the class-score output, where the model has several.
        said: of the inputs, where the model leaves something open.

    Raises:
        UsageError: no such output, or something was said that the model cannot take.
        ModelError: the model is not an image classifier that can be analysed.
    """
    parameters = sum(math.prod(tensor.dims) for tensor in proto.graph.initializer)
    operators = dict(sorted(Counter(node.op_type for node in proto.graph.node).items()))
    opset = standard_opset(proto)
    if opset > onnx.defs.onnx_opset_version():
        raise ModelError(
            f"the model uses opset {opset}, newer than the installed onnx knows; update onnx and onnxruntime"
        )
    proto = inlined(proto)
    image = take_image(proto, output, said)
    outputs = FileOutputs.take(proto)
    model = prepare(proto)
    named = {outputs.behind.get(str(value.name), str(value.name)): value for value in model.graph.outputs}
    answer = find_answer(model.graph, named, output)
    answer = answer if answer.names else replace(answer, names=tuple(outputs.keys(answer.output)))
    _refuse_unfed(image, answer.value)
    check_rows(model, image.name, answer, image.batch)
    one = answer.classes == 1
    mixed = not one and not answer.falling and made_of_probabilities(answer.logits)
    append = two_classes if one else negated if answer.costs else log_probabilities if mixed else None
    whole = answer.logits.dtype is not None and not answer.logits.dtype.is_floating_point()
    logits = read_back(model.graph, answer.logits) if whole else answer.logits
    logits = logits if append is None else append(model.graph, logits)
    return Classifier(
        file=file,
        model=model,
        opset=opset,
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
        input=image.name,
        dtype=image.dtype,
        batch=image.batch,
        batched=image.batched,
        layout=image.layout,
        others=image.others,
        outputs=outputs,
        output=answer.output,
        scores=str(answer.value.name),
        direct=answer.direct,
        logits=str(logits.name),
        activations=answer.passed,
        falling=answer.falling,
        ending=answer.ending,
        classes=2 if one else answer.classes or 0,
        parameters=parameters,
        operators=operators,
        metadata={entry.key: entry.value for entry in proto.metadata_props},
        names=tuple(map(str, answer.names)) if answer.worded else (),
        remarks=(*image.remarks, *map(_remark, image.others), *_renumbered(answer), *([_MIXED] if mixed else [])),
    )


def _renumbered(answer: Answer) -> Iterator[str]:
    """That a file numbers its classes otherwise than its scores are ordered."""
    if not answer.worded and (other := told(answer.names)):
        yield (
            f"output '{answer.output}' numbers the classes otherwise: {other}; here they are numbered in the order of "
            "the scores"
        )


def _refuse_unfed(image: ImageInput, scores: ir.Value) -> None:
    """Refuse a model whose scores depend on an input that nobody gave a value.

    Raises:
        UsageError: it is one.
    """
    behind, waiting = set[ir.Value](), [scores]
    while waiting:
        value = waiting.pop()
        if value not in behind:
            behind.add(value)
            node = value.producer()
            waiting += [] if node is None else reads(node)
    names = {value.name for value in behind}
    missing = [other.name for other in image.others if other.value is None and other.name in names]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        raise UsageError(
            f"the scores depend on {listed} beside the image '{image.name}'; "
            f"say what the input is given with --feed {missing[0]}=VALUE"
        )


def _remark(other: OtherInput) -> str:
    if other.value is None:
        return f"the input '{other.name}' does not reach the scores, so it is given zeros"
    numbers = np.unique(other.value) if len(np.unique(other.value)) == 1 else other.value.ravel()
    listed = ", ".join(f"{number:g}" for number in numbers[:8]) + (" …" if len(numbers) > 8 else "")
    return f"the input '{other.name}' is always given {listed}, as was said"
