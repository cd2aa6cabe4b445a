"""Which output of a model says what class an image is of, and where the logits behind it are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from ninspect.errors import ModelError, UnsupportedOperatorError, UsageError
from ninspect.graph.shapes import ForgetShapes, InferShapes
from ninspect.model.costs import are_distances
from ninspect.model.order import VIEWS, is_constant, ordered, rounding_behind, stretches_before, vector_length
from ninspect.model.renaming import renamed

# What picks classes out of scores by their order; the scores themselves are behind it.
_PICKING = ("ArgMax", "ArgMin", "Hardmax", "TopK")
# What makes a gradient zero where it saturates, so that it matters when the logits are not behind it.
_SATURATING = frozenset([
    "Clip", "DequantizeLinear", "Erf", "HardSigmoid", "Log", "LogSoftmax", "Max", "Min", "Pow", "QuantizeLinear",
    "Relu", "Round", "Sigmoid", "Softmax", "Sqrt", "Tanh", "Where",
])  # fmt: skip
# What may follow: other numbers or names for the classes, the same for every image, and what is done to what is sorted.
_RENAMING = frozenset([
    *VIEWS, "Add", "ArrayFeatureExtractor", "Gather", "LabelEncoder", "LogSoftmax", "OneHot", "Softmax", "Sub",
])  # fmt: skip
_OF_ONE = VIEWS | frozenset(["Clip", "DequantizeLinear", "QuantizeLinear", "Sigmoid"])
_PROBABLE = frozenset(["LogSoftmax", "Sigmoid", "Softmax"])  # the more, the likelier


@dataclass(frozen=True)
class Answer:
    """Where a model answers what class an image is of.

    Attributes:
        output: name of the output, in the file.
        value: what it holds.
        scores: numbers of which the largest, or smallest, is that of the class; other than `value` where that is sorted
            or is a label.
        logits: the tensor before all steps that leave the classes in order.
        passed: the operators between logits and output, in graph order.
        falling: the smallest score is that of the class.
        costs: the logits are costs, so that their negatives are judged.
        names: what the file calls each class, in its order; empty where it says nothing of it.
    """

    output: str
    value: ir.Value
    scores: ir.Value
    logits: ir.Value
    passed: tuple[str, ...]
    falling: bool = False
    costs: bool = False
    names: tuple[int | float | str, ...] = ()

    @property
    def classes(self) -> int | None:
        """Number of logits of an image, as far as shapes tell; one where it tells two classes apart."""
        return vector_length(self.logits.shape) or vector_length(self.scores.shape)

    @property
    def worded(self) -> bool:
        """Whether the file has words for its classes."""
        return bool(self.names) and isinstance(self.names[0], str)

    @property
    def ending(self) -> str:
        """The operator that makes the logits where it is one that saturates; else empty."""
        node = self.logits.producer()
        return _maker(self.logits) if node is not None and node.op_type in _SATURATING else ""

    @property
    def direct(self) -> bool:
        """Whether the output has a score for each class, in the order of the classes."""
        return self.value is self.scores


def find_answer(graph: ir.Graph, outputs: Mapping[str, ir.Value], name: str | None) -> Answer:
    """The output that tells the class, and the logits behind it.

    Args:
        graph: of a prepared model.
        outputs: by their names in the file.
        name: the one that was chosen, if one was.

    Raises:
        UsageError: `name` is not an output.
        ModelError: no output, or more than one, looks like class scores; or the scores behind it cannot be found.
    """
    order = {node: index for index, node in enumerate(graph)}
    if name is not None:
        if name not in outputs:
            raise UsageError(f"the model has no output '{name}'; its outputs are: {_listed(outputs)}")
        return _counted(graph, _answer(name, outputs[name], order))
    answers, reasons = list[Answer](), list[str]()
    for each, value in outputs.items():
        try:
            answers.append(_answer(each, value, order))
        except ModelError as error:
            reasons.append(str(error))
    # Scores before labels, and many classes before one number beside them, such as the confidence beside a label.
    for wanted in ((True, False), (False, False), (True, True)):
        fitting = [one for one in answers if (one.direct, one.classes == 1) == wanted]
        found = {one.logits: one for one in reversed(fitting)}
        if len(found) == 1:
            answer = found.popitem()[1]
            beside = [one for one in answers if one.logits is answer.logits and one.names]
            beside.sort(key=lambda one: not one.worded)  # words say more than numbers
            return _counted(graph, replace(answer, names=beside[0].names if beside else ()))
        if found:
            raise ModelError(
                f"several outputs of the model could be class scores; choose with --logits from: {_listed(outputs)}"
            )
    if len(outputs) == 1 and reasons:
        raise ModelError(reasons[0])
    raise ModelError(f"no output looks like class scores; choose with --logits from: {_listed(outputs)}")


def refuse_rows(output: str, images: int, rows: float) -> None:
    """Refuse scores whose rows are not images.

    Raises:
        ModelError: there are not as many rows as images.
    """
    if rows != images:
        raise ModelError(
            f"output '{output}' has {rows:g} rows for {images} image{'s'[: images != 1]}, so its rows are not images; "
            "average the rows of each image within the model, or export it without augmentation"
        )


def check_rows(model: ir.Model, image: str, answer: Answer, batch: int | None) -> None:
    """Refuse scores whose rows are not images, as far as shapes tell.

    Args:
        model: a prepared model.
        image: name of its input.
        answer: where it answers.
        batch: number of images it takes at a time; None if any.

    Raises:
        ModelError: one image, or one batch, does not have as many rows.
    """
    classes, shape = answer.classes, answer.logits.shape
    if not classes:
        return
    if batch is None:
        inputs = {value.name: value for value in model.graph.inputs}
        given = inputs[image].shape
        assert given is not None
        if shape is not None and len(shape) > 1 and shape[0] == given[0] and not isinstance(shape[0], int):
            return
        model = model.clone()
        for value in model.graph.inputs:
            if value.name == image:
                value.shape = ir.Shape([1, *given[1:]])
        ForgetShapes()(model)
        InferShapes()(model)
        values = ir.convenience.create_value_mapping(model.graph, include_subgraphs=False)
        shape = values[str(answer.logits.name)].shape
    if shape is not None and all(isinstance(d, int) for d in shape):
        rows = math.prod(int(d) for d in shape if isinstance(d, int)) / classes
        refuse_rows(answer.output, batch or 1, rows)


def _listed(outputs: Mapping[str, ir.Value]) -> str:
    return ", ".join(f"'{key}' {_shape_text(value)}" for key, value in outputs.items())


def _shape_text(value: ir.Value) -> str:
    return "[" + ", ".join(str(d) for d in value.shape) + "]" if value.shape is not None else "(shape unknown)"


def _answer(name: str, value: ir.Value, order: Mapping[ir.Node, int]) -> Answer:
    """What an output says of the class.

    Raises:
        ModelError: nothing, or nothing that can be traced to one score for each class.
    """
    picking, after = _picked(value)
    scores = value if picking is None else picking.inputs[0]
    assert scores is not None
    whole = scores.dtype is not None and not scores.dtype.is_floating_point()
    if whole and rounding_behind(scores) is None:
        raise _no_scores(name, value, scores)
    if scores.shape is not None and vector_length(scores.shape) is None:
        raise ModelError(
            f"no output looks like class scores: {_listed({name: value})} does not have one number for each image and "
            "class; export the model with an output [images, classes]"
        )
    smallest = picking is not None and _picks_smallest(picking)
    if picking is not None and not _along_classes(picking, scores):
        raise ModelError(
            f"output '{name}' is made by {picking.op_type} (node '{picking.name}'), which does not compare the classes "
            "of one image; export the model with its class scores as an output"
        )
    logits, nodes, rising = _before(scores, order, smallest=smallest, picked=picking is not None)
    if not smallest and (pair := _of_two(scores)) is not None:
        logit, stretch, _ = _before(pair[0].inputs[1] or scores, order, smallest=False, picked=False)
        logits, nodes = (logit, [*stretch, *pair]) if stretch else (logits, nodes)
    if logits is scores and whole and not _stands_for_floats(scores):
        raise _no_scores(name, value, scores)
    probable = any(node.op_type in _PROBABLE for node in nodes)
    if smallest and rising and probable:
        raise ModelError(
            f"output '{name}' is made by {_maker(value)}, which takes the least likely class; export the model with "
            "its class scores as an output"
        )
    costs = rising and (smallest or (picking is None and not probable and are_distances(logits)))
    passed = [*nodes, *([] if picking is None else [picking]), *after]
    told = [node for node in after if node.op_type != "Concat"]
    names = () if picking is None else _names(name, told, vector_length(scores.shape) or 0)
    operators = tuple(node.op_type for node in passed)
    return Answer(name, value, scores, logits, operators, costs or not rising, costs, names)


def _no_scores(name: str, value: ir.Value, scores: ir.Value) -> ModelError:
    if (vector_length(value.shape) or 0) > 1:
        return ModelError(
            f"output '{name}' holds the scores as {value.dtype}, which no gradient gets through; export the model with "
            "them as floats"
        )
    return ModelError(
        f"only the label comes out of this model: output '{name}' is made by {_maker(scores)}, behind which no scores "
        "were found; export the model with its class scores as an output"
    )


def _stands_for_floats(integers: ir.Value) -> bool:
    """Whether integers are floats that were quantised with one scale."""
    node = rounding_behind(integers)
    if node is None or node.op_type != "QuantizeLinear" or node.outputs[0].dtype != integers.dtype:
        return False
    scale = None if node.inputs[1] is None else ir.convenience.get_const_tensor(node.inputs[1])
    return scale is not None and scale.size == 1


def _names(output: str, nodes: Sequence[ir.Node], classes: int) -> tuple[int | float | str, ...]:
    """What a file calls each class.

    Raises:
        ModelError: it calls several the same, so that more classes are told apart than it answers.
    """
    try:
        names = renamed(nodes, classes)
    except IndexError:
        names = None
    if names is None:
        return ()
    if (different := len(np.unique(names))) < len(names):
        raise ModelError(
            f"output '{output}' answers {different} labels for {classes} classes, so several classes have "
            "the same; export the model with its class scores as an output, and give a class map for images"
        )
    return tuple(name.decode() if isinstance(name, bytes) else name for name in names.tolist())


def _maker(value: ir.Value) -> str:
    """The operator that makes a value, before it was given another type or shape."""
    node = value.producer()
    while node is not None and node.op_type in VIEWS and node.inputs[0] is not None:
        before = node.inputs[0].producer()
        if before is None:
            break
        node = before
    if node is None:
        return "no operator"
    return (
        f"{node.op_type} (node '{node.name}')" if node.name else f"{node.op_type} (it makes '{node.outputs[0].name}')"
    )


def _picked(value: ir.Value) -> tuple[ir.Node | None, list[ir.Node]]:
    """The node that picks by order what an output holds, and the nodes after it, in graph order."""
    after = list[ir.Node]()
    while (node := value.producer()) is not None:
        if node.op_type in _PICKING:
            return node, after
        if node.op_type == "Concat" and (joined := _label_among(node)):
            return joined[0], [*joined[1], node, *after]
        read = node.inputs[:1] if node.op_type in VIEWS else node.inputs
        varying = [v for v in read if v is not None and not is_constant(v)]
        if node.op_type not in _RENAMING or len(varying) != 1:
            break
        if node.op_type == "OneHot" and not _marks_with_more(node):
            break
        after.insert(0, node)
        value = varying[0]
    return None, []


def _label_among(join: ir.Node) -> tuple[ir.Node, list[ir.Node]] | None:
    """The node that picks the label among what is joined, such as a label and its confidence, and the nodes after it.

    Raises:
        ModelError: several heads have a label there.
    """
    found = [_picked(value) for value in join.inputs if value is not None]
    labels = [(picking, after) for picking, after in found if picking is not None and _is_label(picking, after, join)]
    if len({picking.inputs[0] for picking, _ in labels}) > 1:
        raise ModelError(
            f"{join.op_type} (node '{join.name}') joins the labels of several heads; export the model with the class "
            "scores of one of them as an output"
        )
    return labels[0] if labels else None


def _is_label(picking: ir.Node, after: Sequence[ir.Node], join: ir.Node) -> bool:
    """Whether what a node picks, and others have passed on to a join, is the number of a class."""
    read = after[0] if after else join
    return picking.op_type.startswith("Arg") or (picking.op_type == "TopK" and picking.outputs[1] in read.inputs)


def _marks_with_more(node: ir.Node) -> bool:
    """Whether a OneHot has the larger number where the class is."""
    marks = None if node.inputs[2] is None else ir.convenience.get_const_tensor(node.inputs[2])
    return marks is not None and bool(marks.numpy()[1] > marks.numpy()[0])


def _picks_smallest(node: ir.Node) -> bool:
    return node.op_type == "ArgMin" or (node.op_type == "TopK" and not node.attributes.get_int("largest", 1))


def _along_classes(node: ir.Node, scores: ir.Value) -> bool:
    """Whether a node picks among the classes of each image."""
    count, shape = vector_length(scores.shape), scores.shape
    if shape is None or count is None or count < 2:
        return False
    axis = node.attributes.get_int("axis", 0 if node.op_type.startswith("Arg") else -1)
    return shape[axis] == count and (axis % len(shape) > 0 or len(shape) == 1)


def _before(
    scores: ir.Value, order: Mapping[ir.Node, int], *, smallest: bool, picked: bool
) -> tuple[ir.Value, list[ir.Node], bool]:
    """The logits behind scores, the nodes between the two, and whether the scores rise with the logits."""
    # What only gives the logits another shape, before any step, is no step.
    stretches = [
        (start, nodes)
        for start, nodes in stretches_before(scores, order)
        if nodes[0].op_type not in VIEWS and (start.dtype is None or start.dtype.is_floating_point())
    ]
    lengths = (vector_length(value.shape) for value in (scores, *(start for start, _ in stretches)))
    classes = next(filter(None, lengths), 0)
    for start, nodes in reversed(stretches):
        # Of a single number it matters where it is zero, so nothing but a Sigmoid is looked through.
        if classes == 1 and (nodes[0].op_type != "Sigmoid" or not _OF_ONE.issuperset(node.op_type for node in nodes)):
            continue
        found = ordered(start, nodes, scores, classes) if classes else None
        if found is None:
            continue
        # Of costs, such as negative logarithms of probabilities, the smallest is the answer.
        if found.rising or smallest or (found.likelihood and not picked):
            return start, nodes, found.rising
    return scores, [], True


def _of_two(scores: ir.Value) -> tuple[ir.Node, ir.Node] | None:
    """The Sub and the Concat that make (1 − p, p) of the probability p of a class, which two scores may be."""
    both = scores.producer()
    while both is not None and both.op_type in VIEWS and both.inputs[0] is not None:
        both = both.inputs[0].producer()
    if both is None or both.op_type != "Concat" or len(both.inputs) != 2 or both.inputs[0] is None:
        return None
    rest, one = both.inputs[0].producer(), both.inputs[1]
    if rest is None or rest.op_type != "Sub" or rest.inputs[1] is not one or one is None:
        return None
    whole = None if rest.inputs[0] is None else ir.convenience.get_const_tensor(rest.inputs[0])
    sure = whole is not None and bool((whole.numpy() == 1).all())
    return (rest, both) if sure and vector_length(one.shape) == 1 and vector_length(scores.shape) == 2 else None


def _counted(graph: ir.Graph, answer: Answer) -> Answer:
    """The answer, if the number of classes is known.

    Raises:
        ModelError: it is not, or it is one where it cannot be.
    """
    foreign = [(f"{node.domain}::{node.op_type}", node.name or "") for node in graph if node.domain]
    if answer.classes is None and foreign:
        raise UnsupportedOperatorError(foreign)
    if answer.classes is None:
        raise ModelError(
            f"the number of classes is unknown: output '{answer.output}' has shape {_shape_text(answer.scores)}; "
            "export the model with a fixed number of classes, or choose another output with --logits"
        )
    return answer
