"""Every rule in half precision: one case for each operator, against PyTorch in float64."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from ninspect.gradient.registry import RULES
from tests.gradient.cases import CASES
from tests.gradient.support import Case, Explainer, autograd, parse, relative_error, some_classes, with_readout

# Operators that ONNX Runtime or the standard does not have in half precision, or not in the opset of the case.
WITHOUT = {"Celu", "DynamicQuantizeLinear", "MeanVarianceNormalization", "QuantizeLinear"}


def in_half(case: Case) -> onnx.ModelProto:
    """The case with its image and weights cast to half precision, and its result back."""
    proto = parse(case.nodes, (2, *case.shape), case.weights, case.opset)
    graph = proto.graph
    renamed = {"x": "half_x", "y": "half_y"}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    graph.node.insert(0, helper.make_node("Cast", ["x"], ["half_x"], to=onnx.TensorProto.FLOAT16))
    graph.node.append(helper.make_node("Cast", ["half_y"], ["y"], to=onnx.TensorProto.FLOAT))
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    return with_readout(proto, case.readout)


def first_cases() -> dict[str, Case]:
    """By operator, the first case that has it and an equivalent in PyTorch."""
    found: dict[str, Case] = {}
    for case in CASES:
        nodes = [node.op_type for node in parse(case.nodes, (2, *case.shape), {}).graph.node]
        if case.function is not None and "Cast" not in nodes and case.opset >= 13 and not WITHOUT & set(nodes):
            for operator in nodes:
                found.setdefault(operator, case)
    return {operator: found[operator] for operator in sorted(found) if operator in RULES}


@pytest.mark.parametrize("case", [pytest.param(case, id=operator) for operator, case in first_cases().items()])
def test_the_gradient_in_half_precision(case: Case) -> None:
    images = case.images(2).astype(np.float16).astype(np.float32)
    classes = some_classes(images)
    gradient = Explainer(in_half(case))(images, classes).gradient
    assert relative_error(gradient, autograd(case.torch_logits, images, classes)) < 1e-2


def test_hardly_an_operator_is_left_out() -> None:
    assert set(RULES) - set(first_cases()) <= {*WITHOUT, "Cast", "CastLike", "DequantizeLinear"}
