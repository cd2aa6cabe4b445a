"""Models that are made of a classifier: for ONNX Runtime, and as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes

from ninspect.errors import ModelError, first_line
from ninspect.gradient import CLASSES, GRADIENT, LOGITS, OBJECTIVE, Objective, differentiate
from ninspect.model import Classifier
from ninspect.runtime.weights import check_and_write

if TYPE_CHECKING:
    from ninspect.runtime.network import Network


def forward_model(classifier: Classifier) -> ir.Model:
    """The classifier with its logits and its scores as the only outputs."""
    return asked_for(classifier.model.clone(), classifier.logits, classifier.scores)


def asked_for(model: ir.Model, *outputs: str) -> ir.Model:
    """The model with these outputs alone, and the inputs that they need: ONNX Runtime wants a value for every input."""
    values = {value.name: value for node in model.graph for value in node.outputs}
    model.graph.outputs.clear()
    model.graph.outputs.extend(values[name] for name in dict.fromkeys(outputs))
    passes.RemoveUnusedNodesPass()(model)
    for value in list(model.graph.inputs):
        if not value.uses() and not value.is_graph_output():
            model.graph.inputs.remove(value)
    return model


def gradient_model(classifier: Classifier, objective: Objective = "logit") -> ir.Model:
    """The classifier with its input gradient: what `ninspect augment` writes.

    Raises:
        UnsupportedOperatorError: an operator has no gradient rule.
        ModelError: the logits do not depend on the image.
    """
    model = differentiate(
        classifier.expanded,
        wrt=classifier.input,
        of=classifier.logits,
        count=classifier.classes,
        objective=objective,
        outputs=tuple(str(value.name) for value in classifier.model.graph.outputs),
    )
    batch = classifier.batch or "N"
    shapes: dict[str | None, list[int | str]] = {
        LOGITS: [batch, classifier.classes],
        OBJECTIVE: ["S", batch],
        GRADIENT: ["S", *classifier.input_shape],
    }
    for output in model.graph.outputs:
        if output.shape is None and output.name in shapes:  # the onnx checker wants them
            output.shape = ir.Shape(shapes[output.name])
    return model


def augmented_model(network: Network, objective: Objective = "logit") -> ir.Model:
    """What `ninspect augment` writes: the gradient model with the file's own inputs, and its batch where it has one.

    Raises:
        UnsupportedOperatorError: an operator has no gradient rule.
        ModelError: the logits do not depend on the image.
    """
    classifier = replace(network.classifier, batch=network.batch)
    model = gradient_model(classifier, objective)
    image, classes = (next(v for v in model.graph.inputs if v.name == name) for name in (classifier.input, CLASSES))
    if classifier.batch is not None:
        classes.shape = ir.Shape(["S", classifier.batch])
        if classifier.batched:
            image.shape = ir.Shape(classifier.input_shape)
    _take_whole_numbers(model, classifier)
    return model


def own_model(classifier: Classifier, model: ir.Model) -> ir.Model:
    """A changed form of the classifier's model with the type of numbers that the file takes; it is not changed."""
    model = model.clone()
    _take_whole_numbers(model, classifier)
    return model


def _take_whole_numbers(model: ir.Model, classifier: Classifier) -> None:
    """Give the image input the integers of the file, where it has them."""
    if not classifier.takes_whole_numbers:
        return
    image = next(value for value in model.graph.inputs if value.name == classifier.input)
    whole = ir.Value(name=image.name, shape=image.shape, type=ir.TensorType(ir.DataType.from_numpy(classifier.dtype)))
    image.name = f"{whole.name}/floats"
    floats = ir.node("Cast", [whole], {"to": ir.DataType.FLOAT}, name=image.name)
    image.replace_all_uses_with(floats.outputs[0])
    floats.outputs[0].name, floats.outputs[0].shape = image.name, image.shape
    model.graph.inputs[model.graph.inputs.index(image)] = whole
    model.graph.insert_before(model.graph[0], floats)


def save_model(model: ir.Model, classifier: Classifier, write: Callable[[bytes], object]) -> None:
    """Check a model with the onnx checker, and write it piece by piece if it passes.

    Args:
        model: made of a classifier. It loses its weights.
        classifier: whose outputs the file has as well, as the classifier's own file has them.
        write: gets the pieces.

    Raises:
        ModelError: the model is not valid ONNX.
    """
    try:
        check_and_write(model, write, classifier.outputs.restore)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the augmented model is not valid ONNX: {first_line(error)}") from error
