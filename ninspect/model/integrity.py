"""Whether a model says one thing only, and only what can be analysed: rules that need no more than the parsed file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

import onnx
from onnx import AttributeProto

from ninspect.errors import ModelError
from ninspect.findings import Finding, FindingError
from ninspect.model.tensors import Graph, check_data, graphs_from, graphs_in, graphs_of, tensors_in
from ninspect.model.wire import MOST

# Operators that run what comes with the model: Python, or a native library.
_CODE = frozenset([
    ("ai.onnx.contrib", "PyOp"), ("ai.onnx.contrib", "PyCustomOp"), ("com.microsoft", "PythonOp"),
    ("com.microsoft", "PythonOpGrad"), ("com.microsoft", "EPContext"), ("org.pytorch.aten", "ATen"),
])  # fmt: skip
_RANDOM = frozenset([
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
])  # fmt: skip
_STANDARD = ("", "ai.onnx")
_MOST_NODES = MOST["onnx.NodeProto"][0]
_MOST_CALLS = 100  # of functions within one another
# The field in which an attribute of each type has its value.
_VALUES = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    AttributeProto.TYPE_PROTO: "tp",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSORS: "tensors",
    AttributeProto.GRAPHS: "graphs",
    AttributeProto.SPARSE_TENSORS: "sparse_tensors",
    AttributeProto.TYPE_PROTOS: "type_protos",
}
_Function = tuple[str, str, str]


def check_integrity(proto: onnx.ModelProto) -> list[Finding]:
    """Look for what makes programs disagree about a model, or harms the one that reads it.

    Returns:
        What does not keep the model from being analysed.

    Raises:
        FindingError: a rule is broken that does (IN001 to IN004, IN006, HX006, HX007, GR002).
        ModelError: the file is of a newer version of ONNX.
    """
    if proto.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"the model is in version {proto.ir_version} of the ONNX format, newer than the installed onnx knows; "
            "update onnx and onnxruntime"
        )
    for graph in graphs_in(proto):
        for node in graph.node:
            _check_operator(node)
            _check_attributes(node)
        _refuse_twice("value", _defined(graph))
    for tensor in tensors_in(proto):
        check_data(tensor)
    _check_functions(proto)
    _check_order(proto.graph, frozenset())
    for function in proto.functions:
        _check_order(function, frozenset())
    return list(_replaceable(proto))


def _check_operator(node: onnx.NodeProto) -> None:
    if (node.domain, node.op_type) in _CODE:
        raise FindingError("HX007", f"the operator {node.domain}::{node.op_type} ({_named(node)}) runs code", node.name)
    if node.domain in _STANDARD and node.op_type in _RANDOM:
        what = f"the operator {node.op_type} ({_named(node)}) draws random numbers, so the model is not deterministic"
        raise FindingError("GR002", what, node.name)


def _named(node: onnx.NodeProto) -> str:
    return f"node '{node.name}'"


def _check_attributes(node: onnx.NodeProto) -> None:
    _refuse_twice(f"attribute of {_named(node)}", (attribute.name for attribute in node.attribute))
    for attribute in node.attribute:
        given = {field.name for field, _ in attribute.ListFields()} & set(_VALUES.values())
        allowed = set() if attribute.ref_attr_name else {_VALUES.get(attribute.type)}
        if given - allowed:
            also = " and ".join(sorted(given))
            what = f"the attribute '{attribute.name}' of {_named(node)} is of another type than its value ({also})"
            raise FindingError("IN002", what, node.name)


def _defined(graph: Graph) -> Iterator[str]:
    """The names that a graph gives to values; an initializer may stand for the default of an input."""
    inputs = _inputs(graph)
    yield from inputs
    if isinstance(graph, onnx.GraphProto):
        sparse = [tensor.values.name for tensor in graph.sparse_initializer]
        stored = Counter([tensor.name for tensor in graph.initializer] + sparse)
        yield from (stored - Counter(set(inputs))).elements()
    yield from (name for node in graph.node for name in node.output if name)


def _inputs(graph: Graph) -> list[str]:
    return list(graph.input) if isinstance(graph, onnx.FunctionProto) else [value.name for value in graph.input]


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FindingError("IN003", f"the {what} '{twice[0]}' is defined twice", twice[0])


def _check_functions(proto: onnx.ModelProto) -> None:
    """Whether functions have names of their own, and what their calls come to when they are written out."""
    functions = {_key(function): function for function in proto.functions}
    _refuse_twice(
        "function", (function.name for function in proto.functions) if len(functions) < len(proto.functions) else ()
    )
    for function in proto.functions:
        if onnx.defs.has(function.name, "" if function.domain in _STANDARD else function.domain):
            what = (
                f"the function {function.domain or 'ai.onnx'}::{function.name} takes the place of a standard operator"
            )
            raise FindingError("IN004", what, function.name)
    bodies = {key: list(_calls(function, functions)) for key, function in functions.items()}
    calls = {key: [call for call in body if call is not None] for key, body in bodies.items()}
    try:
        order = list(TopologicalSorter(calls).static_order())
    except CycleError as error:
        cycle = " → ".join(name for _, name, _ in error.args[1])
        raise FindingError(
            "IN006", f"functions of the model call each other in a circle: {cycle}", error.args[1][0][1]
        ) from None
    sizes, depths = dict[_Function, int](), dict[_Function, int]()
    for key in order:
        sizes[key] = _size(bodies[key], sizes)
        depths[key] = 1 + max((depths[call] for call in calls[key]), default=0)
    size = _size(list(_calls(proto.graph, functions)), sizes)
    if size > _MOST_NODES or max(depths.values(), default=0) > _MOST_CALLS:
        what = f"the functions of the model expand to {size if size < 10**12 else 'over 10^12'} nodes"
        raise FindingError(
            "HX006", f"{what}; {_MOST_NODES} nodes and {_MOST_CALLS} calls within one another are allowed"
        )


def _key(function: onnx.FunctionProto) -> _Function:
    return function.domain, function.name, function.overload


def _calls(graph: Graph, functions: dict[_Function, onnx.FunctionProto]) -> Iterator[_Function | None]:
    """For every node of a graph, and of the graphs within it, the function that it calls; None for operators."""
    for node in (node for inner in graphs_from([graph]) for node in inner.node):
        key = (node.domain, node.op_type, node.overload)
        yield key if key in functions else None


def _size(body: Sequence[_Function | None], sizes: dict[_Function, int]) -> int:
    return sum(1 if call is None else sizes[call] for call in body)


def _check_order(graph: Graph, outer: frozenset[str]) -> None:
    """Whether every value that is read is defined, here or around, and none depends on itself."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    stored = (
        [*graph.initializer, *(t.values for t in graph.sparse_initializer)]
        if isinstance(graph, onnx.GraphProto)
        else []
    )
    visible = outer | set(makers) | set(_inputs(graph)) | {tensor.name for tensor in stored}
    needs: dict[int, list[int]] = {}
    for index, node in enumerate(graph.node):
        inner = list(graphs_of(node))
        read = [name for name in node.input if name] + [name for body in inner for name in _read_from_outside(body)]
        for name in read:
            if name not in visible:
                raise FindingError("IN006", f"{_named(node)} reads '{name}', which is defined nowhere", node.name)
        needs[index] = [makers[name] for name in read if name in makers]
        for body in inner:
            _check_order(body, visible)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        names = [name for index in error.args[1][:2] for name in graph.node[index].output]
        raise FindingError("IN006", f"the value '{names[0]}' depends on itself", *names) from None
    outputs = list(graph.output) if isinstance(graph, onnx.FunctionProto) else [value.name for value in graph.output]
    missing = [name for name in outputs if name and name not in visible]
    if missing:
        raise FindingError("IN006", f"the output '{missing[0]}' is defined nowhere", missing[0])


def _read_from_outside(graph: onnx.GraphProto) -> Iterator[str]:
    """Names that a graph within a node reads and does not define."""
    own = {*_inputs(graph), *(tensor.name for tensor in graph.initializer)}
    own |= {name for node in graph.node for name in node.output}
    for node in graph.node:
        yield from (name for name in node.input if name and name not in own)
        yield from (name for body in graphs_of(node) for name in _read_from_outside(body) if name not in own)
    yield from (value.name for value in graph.output if value.name not in own)


def _replaceable(proto: onnx.ModelProto) -> Iterator[Finding]:
    """Before version 4 of the format, every initializer had to be an input as well."""
    inputs = {value.name for value in proto.graph.input}
    names = [tensor.name for tensor in proto.graph.initializer if tensor.name in inputs]
    if names and proto.ir_version >= 4:
        yield Finding(
            "IN007", f"{len(names)} weights are inputs of the model as well, such as '{names[0]}'", tuple(names[:10])
        )
