"""What may stand between logits and scores: steps that leave the classes of every image in the order of their logits.

A softmax that is spelled out, a temperature, a Clip of probabilities or their logarithm say nothing that the logits do
not say, and saturate where the gradient is wanted. They are looked through only where it is proven, for all images,
that the class with the largest logit has the largest score, and shares it with no other. So a comparison, a factor that
depends on the image and can be zero, or a Clip that can make classes equal is never taken for such a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.model.bounds import (
    FUNCTIONS,
    Common,
    Function,
    Known,
    Ordered,
    clipped,
    log_probabilities,
    mapped,
    moved,
    probabilities,
    reduced_by,
)

VIEWS = frozenset(["Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"])
_MOST_NODES = 64
_LARGEST_EXPONENT = 80  # e^88 is infinite in float32
_COARSEST = 0.01  # step of a rounding, as a part of the range of what is rounded


def vector_length(shape: ir.Shape | None) -> int | None:
    """K, when the shape is `[N, K]` up to axes of size 1, and 1 when it is `[N]`; else None."""
    if shape is None or len(shape) == 0:
        return None
    if len(shape) == 1 and not isinstance(shape[0], int):
        return 1
    sizes = shape[1:] if len(shape) > 1 else shape
    if not all(isinstance(d, int) for d in sizes):
        return None
    known = [int(d) for d in sizes if isinstance(d, int)]
    return math.prod(known) if sum(d != 1 for d in known) <= 1 else None


def is_constant(value: ir.Value) -> bool:
    """Whether a value is a parameter."""
    return ir.convenience.get_const_tensor(value) is not None


def rounding_behind(value: ir.Value) -> ir.Node | None:
    """The node that made whole numbers of what a value holds, if it was rounded."""
    node = value.producer()
    while node is not None and node.op_type in VIEWS and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node if node is not None and node.op_type in ("QuantizeLinear", "Round") else None


def _constant(value: ir.Value | None) -> NDArray[Any] | None:
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def stretches_before(end: ir.Value, order: Mapping[ir.Node, int]) -> Iterator[tuple[ir.Value, list[ir.Node]]]:
    """The tensors that `end` depends on alone, each with the nodes from there to `end`, in graph order.

    Args:
        end: where to begin the walk back.
        order: place of each node in the graph.
    """
    waiting, nodes = {end}, list[ir.Node]()
    while len(nodes) < _MOST_NODES:
        # The last in graph order: nothing else that waits can depend on it.
        makers = {node: value for value in waiting if (node := value.producer()) is not None}
        last = max(makers, key=lambda node: order[node], default=None)
        if last is None or last.domain or last.op_type not in _STEPS:
            return
        waiting.remove(makers[last])
        read = last.inputs[:1] if last.op_type in VIEWS else last.inputs
        waiting.update(value for value in read if value is not None and not is_constant(value))
        nodes.insert(0, last)
        if len(waiting) == 1:
            yield next(iter(waiting)), list(nodes)


def ordered(start: ir.Value, nodes: Sequence[ir.Node], end: ir.Value, classes: int) -> Ordered | None:
    """What is known of `end` as a function of `start`; None where the classes may change their order or become equal.

    Args:
        start: a number for each class.
        nodes: all that lie between the two, in graph order.
        end: a number for each class.
        classes: how many there are.
    """
    proof = _Proof(classes, {start: Ordered()})
    if proof.axis(start, nodes) is None:
        return None
    for node in nodes:
        if (result := proof.step(node)) is None:
            return None
        proof.known[node.outputs[0]] = result
    found = proof.known.get(end)
    return found if isinstance(found, Ordered) and not found.overflows else None


class _Proof:
    """What is known of the tensors between the logits and the scores.

    Args:
        classes: how many there are.
        known: of the tensors so far.
    """

    def __init__(self, classes: int, known: dict[ir.Value, Known]) -> None:
        self.classes, self.known = classes, known

    def step(self, node: ir.Node) -> Known | None:
        """What is known of the first output of a node."""
        result = _STEPS[node.op_type](self, node)
        shape = node.outputs[0].shape
        return None if isinstance(result, Ordered) and shape is not None and not self.holds_classes(shape) else result

    def holds_classes(self, shape: ir.Shape) -> bool:
        """Whether a tensor of this shape has a number for each class of each image."""
        return vector_length(shape) == self.classes

    def axis(self, value: ir.Value, nodes: Sequence[ir.Node] = ()) -> tuple[int, int] | None:
        """Which axis of a tensor is that of the classes, and how many axes it has.

        A tensor whose shape is not known has that of what `nodes` compute from it element by element.
        """
        for node in nodes:
            if value.shape is not None or node.op_type not in (*_RISING, "Softmax", "LogSoftmax"):
                break
            value = node.outputs[0]
        shape = value.shape
        if shape is None or not self.holds_classes(shape):
            return None
        return max(i for i, size in enumerate(shape) if size == self.classes or len(shape) == 1), len(shape)

    def of(self, value: ir.Value | None) -> Known | None:
        """What is known of an operand: of a parameter, that it is one number for all classes, if it is."""
        array = _constant(value)
        if value is None or array is None:
            return None if value is None else self.known.get(value)
        if array.size == 0 or array.dtype.kind not in "fiu" or not (array == array.flat[0]).all():
            return None
        one = float(array.flat[0])
        return Common(one, one, one > 0) if math.isfinite(one) else None

    def fits(self, scores: ir.Value, other: ir.Value) -> bool:
        """Whether an operand with one number for each image has it in such a shape that its classes get it."""
        array, place = _constant(other), self.axis(scores)
        if array is not None:
            return array.ndim == 0 or (place is not None and array.ndim <= place[1])
        return (
            place is not None
            and other.shape is not None
            and len(other.shape) == place[1]
            and other.shape[place[0]] == 1
        )


Step = Callable[[_Proof, ir.Node], Known | None]


def _rising(function: Function, low: float = -math.inf, positive: bool = False) -> Step:
    """A step y = f(x), element by element, with an increasing f that is defined from `low` on."""

    def step(proof: _Proof, node: ir.Node) -> Known | None:
        (source,) = node.inputs
        x = proof.of(source)
        if x is None or x.low < low:
            return None
        stays = positive or (x.positive and node.op_type == "Sqrt")
        if isinstance(x, Common):
            total = None if x.by != "sum" or x.of is None or node.op_type != "Log" else proof.known.get(x.of)
            source = total.exp_of if isinstance(total, Ordered) else None
            return None if source is None else Common(of=source, by="log sum exp")
        if node.op_type == "Sigmoid" and not x.rising:
            return None  # as of a softmax: what is turned round before it is the logits
        y = mapped(x, function)
        exponential = node.op_type == "Exp"
        return replace(
            y,
            positive=stays or y.positive,
            likelihood=x.likelihood or node.op_type == "Sigmoid",
            exp_of=source if exponential else None,
            overflows=x.overflows or (exponential and x.rising and x.high > _LARGEST_EXPONENT),
        )

    return step


def _softmax(proof: _Proof, node: ir.Node) -> Known | None:
    """Probabilities, or their logarithms."""
    (source,) = node.inputs
    x, place = proof.of(source), None if source is None else proof.axis(source, [node])
    if not isinstance(x, Ordered) or place is None or proof.classes == 1:
        return None
    if node.attributes.get_int("axis", -1) % place[1] != place[0]:
        return None
    return (probabilities if node.op_type == "Softmax" else log_probabilities)(x, proof.classes)


def _view(proof: _Proof, node: ir.Node) -> Known | None:
    """The same numbers in another shape or type of float."""
    source, result = node.inputs[0], node.outputs[0]
    x = proof.of(source)
    if node.op_type == "Cast":
        types = [value.dtype for value in (source, result) if value is not None]
        whole = source is not None and rounding_behind(source) is not None
        return x if whole or all(dtype is not None and dtype.is_floating_point() for dtype in types) else None
    if node.op_type == "Transpose":
        return x if isinstance(x, Ordered) and (node.attributes.get_ints("perm", ()) or (1,))[0] == 0 else None
    return x if isinstance(x, Common) or node.op_type == "Identity" or proof.axis(result) is not None else None


def _reduced(proof: _Proof, node: ir.Node) -> Known | None:
    """One number for all classes, out of theirs."""
    source, *given = node.inputs
    x, place = proof.of(source), None if source is None else proof.axis(source)
    if not isinstance(x, Ordered) or place is None:
        return None
    axes = _constant(given[0]) if given and given[0] is not None else np.arange(place[1])
    if axes is None or place[0] not in (axes.reshape(-1) % place[1]):
        return None
    low = x.low if x.low >= 0 else -math.inf
    by = _REDUCTIONS.get(node.op_type, "other")
    return None if node.op_type == "ReduceL1" and x.low < 0 else Common(low, math.inf, x.positive, source, by)


def _binary(proof: _Proof, node: ir.Node) -> Known | None:
    """Scores and a number, added, multiplied and so on, or something added to a sum."""
    left, right = (proof.of(value) for value in node.inputs)
    first, second = node.inputs
    if isinstance(left, Common) and isinstance(right, Common):
        sums = [one for one in (left, right) if one.of is not None]
        more = sum(one.low for one in (left, right) if one.of is None)
        return _more(sums[0], more) if len(sums) == 1 and node.op_type == "Add" else None
    turned = isinstance(left, Common)
    x, by = (right, left) if turned else (left, right)
    source, other = (second, first) if turned else (first, second)
    if not isinstance(x, Ordered) or not isinstance(by, Common) or source is None or other is None:
        return None
    if not proof.fits(source, other):
        return None
    if by.of is None:
        return moved(node.op_type, x, by.low, turned)
    return None if turned or by.of is not source else reduced_by(node.op_type, x, by, proof.classes)


def _more(x: Common, added: float) -> Common | None:
    """A sum or maximum of numbers that are not negative, with something added, or kept above something."""
    if x.by not in ("sum", "max", "more") or x.low < 0 or not 0 < added <= 1:
        return None
    return Common(x.low, math.inf, True, x.of, "more")


def _unit_norm(proof: _Proof, node: ir.Node) -> Known | None:
    """Numbers divided by their norm."""
    (source,) = node.inputs
    x, place = proof.of(source), None if source is None else proof.axis(source)
    if not isinstance(x, Ordered) or place is None or node.attributes.get_int("axis", -1) % place[1] != place[0]:
        return None
    if node.attributes.get_int("p", 2) == 1 and x.low >= 0:
        return probabilities(x, proof.classes, x.positive)
    return Ordered(x.rising, -1.0, 1.0, *((-1.0, 1.0) if x.rising else (1.0, -1.0)), likelihood=x.likelihood)


def _negated(proof: _Proof, node: ir.Node) -> Known | None:
    x = proof.of(node.inputs[0])
    return moved("Mul", x, -1.0, turned=False) if isinstance(x, Ordered) else None


def _inverse(proof: _Proof, node: ir.Node) -> Known | None:
    x = proof.of(node.inputs[0])
    return moved("Div", x, 1.0, turned=True) if isinstance(x, Ordered) else None


def _clip(proof: _Proof, node: ir.Node) -> Known | None:
    """Numbers kept between two bounds, above one, or below one."""
    varying = [value for value in node.inputs if value is not None and not is_constant(value)]
    low, high = -math.inf, math.inf
    for index, value in enumerate(node.inputs):
        bound = proof.of(value) if value is not None and value not in varying else None
        if isinstance(bound, Common):
            lower = node.op_type == "Max" or (node.op_type == "Clip" and index == 1)
            low, high = (max(low, bound.low), high) if lower else (low, min(high, bound.low))
        elif value is not None and value not in varying:
            return None
    x = proof.of(varying[0]) if len(varying) == 1 else None
    if isinstance(x, Common):
        return _more(x, low) if high == math.inf else None
    return None if x is None else clipped(x, low, high)


def _rounded(proof: _Proof, node: ir.Node) -> Known | None:
    """Numbers rounded in steps that are small for their range, which is bounded."""
    x, scale = proof.of(node.inputs[0]), _constant(node.inputs[1])
    zero = _constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(1, np.uint8)
    if not isinstance(x, Ordered) or scale is None or scale.size != 1 or zero is None or zero.dtype.kind not in "iu":
        return None
    step, reach, limits = float(scale.flat[0]), x.high - x.low, np.iinfo(zero.dtype)
    if not (math.isfinite(reach) and 0 < step <= _COARSEST * reach):
        return None
    low, high = ((limit - float(zero.flat[0])) * step for limit in (limits.min, limits.max))
    return clipped(x, low, high, slack=1.5 * step / reach)


def _to_whole_numbers(proof: _Proof, node: ir.Node) -> Known | None:
    """Numbers rounded to whole ones, which is little for their range, as of percentages."""
    x = proof.of(node.inputs[0])
    if not isinstance(x, Ordered):
        return None
    reach = x.high - x.low
    if not (math.isfinite(reach) and _COARSEST * reach >= 1):
        return None
    return clipped(x, round(x.low), round(x.high), slack=1.5 / reach)


def _read_back(proof: _Proof, node: ir.Node) -> Known | None:
    """Integers, as the numbers that they stand for."""
    source = node.inputs[0]
    maker = None if source is None else rounding_behind(source)
    same = maker is not None and maker.op_type == "QuantizeLinear" and list(maker.inputs[1:]) == list(node.inputs[1:])
    return proof.of(source) if same else None


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


_RISING: dict[str, Step] = {
    "Exp": _rising(np.exp, positive=True),
    "Log": _rising(np.log, low=0.0),
    "Sigmoid": _rising(_sigmoid, positive=True),
    "Softplus": _rising(lambda x: np.logaddexp(x, 0), positive=True),
    "Softsign": _rising(lambda x: np.sign(x) if np.isinf(x) else x / (1 + abs(x))),
    "Sqrt": _rising(np.sqrt, low=0.0),
    "Tanh": _rising(np.tanh),
}
_REDUCTIONS = {"ReduceL1": "sum", "ReduceLogSumExp": "log sum exp", "ReduceMax": "max", "ReduceSum": "sum"}
_STEPS: dict[str, Step] = {
    **_RISING,
    **dict.fromkeys(VIEWS, _view),
    **dict.fromkeys(FUNCTIONS, _binary),
    **dict.fromkeys(("ReduceL1", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), _reduced),
    **dict.fromkeys(("Clip", "Max", "Min"), _clip),
    "DequantizeLinear": _read_back,
    "LogSoftmax": _softmax,
    "LpNormalization": _unit_norm,
    "Neg": _negated,
    "QuantizeLinear": _rounded,
    "Reciprocal": _inverse,
    "Round": _to_whole_numbers,
    "Softmax": _softmax,
}
