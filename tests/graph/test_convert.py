"""One form for every model, in which it still computes the same."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

from ninspect.errors import ModelError
from ninspect.graph.convert import TARGET_OPSET, prepare
from tests.gradient.cases import opsets
from tests.gradient.support import Array, Case, parse, randn, session

IMAGES = randn(3, 4)
W = randn(4, 4)


def output(model: onnx.ModelProto) -> Array:
    return np.asarray(session(model).run(None, {"x": IMAGES})[0])


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def prepared(model: onnx.ModelProto) -> ir.Model:
    """The prepared model, which computes the same as the given one."""
    result = prepare(copied(model))
    assert output(ir.to_proto(result)) == pytest.approx(output(model), rel=1e-6)
    return result


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize("case", opsets.CASES, ids=str)
def test_models_of_every_opset_compute_the_same(case: Case) -> None:
    model = case.model(("N", *case.shape))
    result = prepare(copied(model))
    assert result.opset_imports[""] == max(case.opset, TARGET_OPSET)
    x = case.images(2)
    logits, expected = (session(proto).run(None, {"x": x})[0] for proto in (ir.to_proto(result), model))
    assert logits == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_parameters_that_are_listed_as_inputs_are_parameters() -> None:
    """As IR version 3 demanded, and as Caffe2 exported."""
    model = parse("a = MatMul (x, w); y = Relu (a)", ("N", 4), {"w": W}, opset=8)
    model.graph.input.append(helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [4, 4]))
    model.ir_version = 3
    assert [value.name for value in prepared(model).graph.inputs] == ["x"]


def test_constant_nodes_are_parameters() -> None:
    model = prepared(parse("c = Constant <value_floats=[1.0, 2.0, 3.0, 4.0]> (); y = Mul (x, c)", ("N", 4), {}))
    assert operators(model) == ["Mul"]
    assert list(model.graph.initializers) == ["c"]


def test_nodes_in_any_order_are_sorted() -> None:
    model = prepare(parse("y = Relu (a); a = MatMul (x, w)", ("N", 4), {"w": W}))
    assert operators(model) == ["MatMul", "Relu"]


@pytest.mark.parametrize("opset", [9, 18])
def test_the_standard_domain_has_two_names(opset: int) -> None:
    model = parse("a = ai.onnx.MatMul (x, w); y = ai.onnx.Relu (a)", ("N", 4), {"w": W}, opset=opset)
    model.opset_import[0].domain = "ai.onnx"
    result = prepared(model)
    assert [node.domain for node in result.graph] == ["", ""]
    assert result.opset_imports == {"": 18}


def function(name: str, nodes: str, opset: int = 18) -> onnx.FunctionProto:
    """A model-local function of `x` and `w`."""
    body = parse(nodes, (1,), {}).graph.node
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, ["x", "w"], ["y"], list(body), imports)


@pytest.mark.parametrize("opset", [11, 18])
def test_functions_are_inlined(opset: int) -> None:
    """Also one that calls another."""
    model = parse("a = local.Outer (x, w); y = Neg (a)", ("N", 4), {"w": W}, opset=opset)
    model.opset_import.append(helper.make_opsetid("local", 1))
    model.functions.append(function("Inner", "a = MatMul (x, w); y = Tanh (a)", opset))
    model.functions.append(function("Outer", "a = local.Inner (x, w); b = Relu (a); y = local.Inner (b, w)", opset))
    assert operators(prepared(model)) == ["MatMul", "Tanh", "Relu", "MatMul", "Tanh", "Neg"]


def old_function(inputs: str) -> onnx.ModelProto:
    """A call of a function that was written for opset 6, when Clip had attributes."""
    model = parse(f"y = local.Old ({inputs})", ("N", 4), {"w": W}, opset=18)
    model.opset_import.append(helper.make_opsetid("local", 1))
    model.functions.append(function("Old", "a = Tanh (x); y = Clip <min=-0.5, max=0.5> (a)", opset=6))
    return model


def test_a_function_may_use_another_opset_than_the_model() -> None:
    """ONNX Runtime refuses such a model: it reads the body as the model's opset."""
    result = output(ir.to_proto(prepare(old_function("x, x"))))
    assert result == pytest.approx(np.tanh(IMAGES).clip(-0.5, 0.5), rel=1e-6)


def test_a_function_that_cannot_be_converted_is_refused_rather_than_read_wrongly() -> None:
    with pytest.raises(ModelError, match="the functions of the model cannot be written out: Type unknown for w"):
        prepare(old_function("x, w"))


def test_wrong_shapes_in_the_file_are_not_believed() -> None:
    """Tools that edit a model leave the old shapes behind."""
    model = parse("a = MatMul (x, w); y = Relu (a)", ("N", 4), {"w": W})
    model.graph.value_info.append(helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, ["N", 7]))
    (a,) = (node.outputs[0] for node in prepare(model).graph if node.op_type == "MatMul")
    assert a.shape is not None
    assert a.shape[1] == 4


def test_identities_disappear() -> None:
    assert operators(prepared(parse("a = Identity (x); b = Relu (a); y = Identity (b)", ("N", 4), {}))) == ["Relu"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_weights_that_are_not_finite_are_refused(value: float, dtype: type[np.floating[Any]]) -> None:
    model = parse("a = Cast <to=1> (damaged); y = MatMul (x, a)", ("N", 4), {})
    weight = np.full((4, 4), value, dtype)
    model.graph.initializer.append(numpy_helper.from_array(weight, "damaged"))
    with pytest.raises(ModelError, match=r"weight '(damaged|a)' holds NaN or infinite values"):
        prepare(model)


def test_a_mask_of_attention_may_be_infinite() -> None:
    prepared(
        parse("s = Add (x, mask); y = Softmax (s)", ("N", 4), {"mask": np.array([[0, 0, -np.inf, 0]], np.float32)})
    )


def test_a_bound_may_be_infinite() -> None:
    prepared(parse("y = Clip (x, , high)", ("N", 4), {"high": np.array(np.inf, np.float32)}))


@pytest.mark.parametrize(
    ("operator", "opset", "scales"), [("Upsample", 9, [1, 2.5]), ("Resize", 10, [1, 2.5]), ("Resize", 10, [1, 0.6])]
)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("constant", [False, True])
def test_pixels_of_an_old_resize_stay_where_they_are(
    operator: str, opset: int, scales: list[float], mode: str, constant: bool
) -> None:
    """The version converter alone would move them by half a pixel."""
    nodes = f'y = {operator} <mode="{mode}"> (x, s)'
    if constant:
        nodes = f"s = Constant <value = float[2] {{{scales[0]}, {scales[1]}}}> () {nodes}"
    prepared(parse(nodes, ("N", 4), {} if constant else {"s": np.array(scales, np.float32)}, opset))


def test_operators_that_are_defined_by_others_are_expanded() -> None:
    model = prepared(parse("y = CenterCropPad <axes=[1]> (x, s)", ("N", 4), {"s": np.array([6])}))
    assert "CenterCropPad" not in operators(model)
    assert "Pad" in operators(model)


def test_the_shape_of_a_group_normalization_is_known() -> None:
    nodes = "".join(f"v{i + 1} = GroupNormalization <num_groups=2> (v{i}, u, u);" for i in range(3))
    model = prepare(parse(f"v0 = Relu (x); {nodes} y = Tanh (v3)", ("N", 4, 5), {"u": randn(2)}))
    assert all(value.shape is not None for node in model.graph for value in node.outputs)


def test_a_model_without_the_standard_operators_is_refused() -> None:
    model = parse("y = Relu (x)", ("N", 4), {})
    del model.opset_import[:]
    with pytest.raises(ModelError, match="does not import the standard operator set"):
        prepare(model)


def test_a_model_that_cannot_be_converted_is_refused_in_one_line() -> None:
    model = parse("y = Upsample <scales=[1.0]> (x)", ("N", 4), {}, opset=9)
    model.graph.node[0].input.append("nothing")
    with pytest.raises(ModelError, match=f"cannot be brought to opset {TARGET_OPSET}: ") as caught:
        prepare(model)
    assert "\n" not in str(caught.value)
