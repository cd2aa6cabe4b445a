"""Decisions about the image that the scores depend on and gradients cannot see: the rule GR001.

A comparison, a Floor or an index that is computed from the image has the derivative zero, so `differentiate` lets no
gradient through it. Whatever such a step does to the scores is invisible: a trigger that is recognised by one leaves no
trace. Nor does what a ThresholdedRelu does to the scores, which has a derivative on both sides of its jump. Exporters
write some activations with comparisons too, a HardSwish as `Where(x > 3, x, …)`. These are told from triggers by what
they do: they are functions of one number that do not jump where the comparison changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from ninspect.findings import Finding
from ninspect.gradient.path import reads
from ninspect.gradient.registry import facts_of
from ninspect.model import Classifier

_MOST_NODES, _MOST_CHANNELS = 64, 4096
_LINE = np.concatenate([-np.geomspace(1e6, 1e-4, 400), [0.0], np.geomspace(1e-4, 1e6, 400)])
_HALVINGS = 60
_JUMP = 1e-6  # of the largest value nearby; constants of activations are rounded to float32


def hidden_decisions(classifier: Classifier) -> list[Finding]:
    """Find the steps by which the image reaches the logits without a gradient.

    Returns:
        One finding with all nodes that decide, or none.
    """
    graph = classifier.model.graph
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    search = _Search(graph, values[classifier.input], values[classifier.logits])
    nodes = list(dict.fromkeys(search.deciding()))
    if not nodes:
        return []
    operators = ", ".join(sorted({node.op_type for node in nodes}))
    message = f"the class scores depend on the image through {operators}, which no gradient sees"
    return [Finding("GR001", message, tuple(_label(node) for node in nodes))]


def _label(node: ir.Node) -> str:
    return str(node.name or node.outputs[0].name)


class _Search:
    """Which nodes decide something about the image that reaches the logits with a jump.

    Args:
        graph: of a prepared model.
        image: its input.
        logits: where to end.
    """

    def __init__(self, graph: ir.Graph, image: ir.Value, logits: ir.Value) -> None:
        self._logits = logits
        needed = {logits}
        self._nodes = []
        for node in reversed(list(graph)):
            if any(value in needed for value in node.outputs):
                needed.update(reads(node))
                self._nodes.append(node)
        self._nodes.reverse()
        self._needed = needed
        self._live = {image}
        ragged = set[ir.Value]()  # values whose shape depends on the image
        for node in self._nodes:
            read = list(reads(node))
            sized = node.inputs[facts_of(node).shape_from :]
            if any(value in ragged for value in read) or any(value in self._live for value in sized):
                ragged.update(node.outputs)
            seen = ragged if node.op_type in ("Shape", "Size") else self._live
            if any(value in seen for value in read):
                self._live.update(node.outputs)

    def deciding(self) -> Iterator[ir.Node]:
        """The nodes, in graph order of where their effect is."""
        jumping = set[ir.Value]()  # what may jump where a step changes
        for node in self._nodes:
            read = [value for value in reads(node) if value in jumping]
            step = self._is_step(node)
            if facts_of(node).elementwise:
                result = node.outputs[0]
                if (step or read) and not self._is_continuous(result):
                    jumping.add(result)
            elif any(value in self._live for value in node.outputs):
                yield from (cause for value in read for cause in self._region(value)[0] if self._is_step(cause))
                if step:
                    yield node
        if self._logits in jumping:
            yield from (cause for cause in self._region(self._logits)[0] if self._is_step(cause))

    def _is_step(self, node: ir.Node) -> bool:
        """Whether something of the image gets lost for the gradient here."""
        read, facts = [value for value in reads(node) if value in self._live], facts_of(node)
        if not read or node.op_type in ("Shape", "Size") or facts.quantizes:
            return False
        if node.op_type == "If" or facts.zero_gradient or facts.jumps(node):
            return True
        floats = any(value.dtype is None or value.dtype.is_floating_point() for value in read)
        results = [value for value in node.outputs if value in self._needed and value.dtype is not None]
        return floats and any(not value.dtype.is_floating_point() for value in results if value.dtype is not None)

    def _region(self, value: ir.Value, ends: Collection[ir.Node] = ()) -> tuple[list[ir.Node], list[ir.Value]]:
        """The elementwise nodes behind a value, in order, and the live values, or results of `ends`, that they read."""
        found, leaves, waiting = set[ir.Node](), dict[ir.Value, None](), [value]
        while waiting:
            current = waiting.pop()
            node = current.producer()
            if current not in self._live:
                continue
            if node is not None and facts_of(node).elementwise and node not in ends:
                if node not in found:
                    found.add(node)
                    waiting.extend(v for v in node.inputs if v is not None)
            else:
                leaves[current] = None
        return [node for node in self._nodes if node in found], list(leaves)

    def _is_continuous(self, value: ir.Value) -> bool:
        """Whether a value is a function of one number that does not jump."""
        nodes, leaves = self._region(value)
        if value.dtype is None or not value.dtype.is_floating_point() or len(nodes) > _MOST_NODES:
            return False
        steps = [node for node in nodes if self._is_step(node)]
        if any(facts_of(node).jumps(node) for node in steps):  # where it does, the result does not tell
            return False
        if curved := self._curved(steps):
            if any(self._is_step(node) for end in curved for node in self._region(end.outputs[0])[0]):
                return False
            nodes, leaves = self._region(value, curved)
        try:
            (leaf,) = leaves
            return not _jumps(_Function(nodes, leaf, value), [step.outputs[0] for step in steps])
        except Exception:  # the reference evaluator raises whatever NumPy does; what is not understood may jump
            return False

    def _curved(self, steps: list[ir.Node]) -> set[ir.Node]:
        """What steps read that is not piecewise linear in what it is made of, so that it may cross them anywhere.

        Of what is piecewise linear, or of its own result, a step is at one number or two, so a line finds it.
        """
        read = {node for step in steps for v in step.inputs if v is not None for node in self._region(v)[0]}
        return {node for node in read.difference(steps) if not facts_of(node).piecewise_linear}


class _Function:
    """A value as a function of another, element by element, in double precision."""

    def __init__(self, nodes: list[ir.Node], leaf: ir.Value, value: ir.Value) -> None:
        inside = {output for node in nodes for output in node.outputs}
        outside = {v for node in nodes for v in node.inputs if v is not None and v not in inside and v is not leaf}
        self._constants = {str(v.name): _wide(_constant(v)) for v in outside}
        self.shape = np.broadcast_shapes(*(constant.shape for constant in self._constants.values()))
        if np.prod(self.shape) > _MOST_CHANNELS:
            raise ValueError("too many constants")
        self._leaf, self._value = str(leaf.name), value
        protos = [ir.to_proto(node) for node in nodes]
        for proto in protos:
            for attribute in proto.attribute:
                if proto.op_type == "Cast" and ir.DataType(attribute.i).is_floating_point():
                    attribute.i = onnx.TensorProto.DOUBLE
        inputs = [onnx.ValueInfoProto(name=name) for name in (self._leaf, *self._constants)]
        outputs = [onnx.ValueInfoProto(name=str(v.name)) for v in inside]
        graph = onnx.helper.make_graph(protos, "region", inputs, outputs)
        self._names = [output.name for output in outputs]
        opset = onnx.helper.make_opsetid("", max(18, nodes[0].graph.opset_imports[""] if nodes[0].graph else 18))
        self._evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[opset]))

    def __call__(self, x: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        with np.errstate(all="ignore"):
            results = self._evaluator.run(None, {self._leaf: x, **self._constants})
        return {name: np.broadcast_to(result, x.shape) for name, result in zip(self._names, results, strict=True)}

    def values(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self(x)[str(self._value.name)], np.float64)


def _constant(value: ir.Value) -> NDArray[Any]:
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        raise ValueError("not a constant")
    return tensor.numpy()


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.kind in "biu" else array.astype(np.float64)


def _jumps(function: _Function, steps: list[ir.Value]) -> bool:
    """Whether a function jumps where one of its steps changes, or one of them never does on the whole line."""
    line = np.broadcast_to(_LINE.reshape(-1, *[1] * len(function.shape)), (len(_LINE), *function.shape))
    results, values = function(line), np.abs(function.values(line))
    for step in (str(value.name) for value in steps):
        changes = results[step][1:] != results[step][:-1]
        intervals = changes.reshape(len(changes), -1).any(axis=1).nonzero()[0]
        if not len(intervals):
            return True
        low, high, before = line[intervals], line[intervals + 1], results[step][intervals]
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            same = function(middle)[step] == before
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        jumps = np.abs(function.values(high) - function.values(low))
        for jump, place, changed in zip(jumps, np.abs(low), changes[intervals], strict=True):
            reach = 4 * float(place[changed].max())
            near = values[np.abs(_LINE) <= (reach if reach > _LINE[-400] else 1)]
            if not (jump[changed] <= _JUMP * near.max()).all():
                return True
    return False
