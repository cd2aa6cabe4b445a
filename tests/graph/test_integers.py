"""Integer operators written out: they compute the same, in operators that have a gradient."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from tests.gradient.support import Array, generator, parse, randn, session
from tests.support import written_out

IMAGES = randn(2, 4, 6, 6)
INTEGERS = {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
WEIGHTS: dict[str, Array] = {
    "s": np.array(0.03, np.float32),
    "z": np.array(120, np.uint8),
    "t": np.array(0.05, np.float32),
    "u": np.array(90, np.uint8),
    "kernel": generator("kernel").integers(-128, 128, (4, 4, 3, 3)).astype(np.int8),
    "last_kernel": generator("last kernel").integers(-128, 128, (4, 6, 3, 3)).astype(np.int8),
    "kernel_scales": np.array([0.001, 0.002, 0.003, 0.0015], np.float32),
    "kernel_zero": np.array(0, np.int8),
    "kernel_zeros": np.zeros(4, np.int8),
    "matrix": generator("matrix").integers(0, 256, (6, 6)).astype(np.uint8),
    "six_scales": (np.arange(6) / 1000 + 0.001).astype(np.float32),
    "six_zeros": np.full(6, 110, np.uint8),
    "bias": np.array([300, -2000, 1000, 0], np.int32),
    "six_biases": np.arange(-3000, 3000, 1000, dtype=np.int32),
    "rows": np.array([-1, 6]),
    "zero": np.array([0]),
    "two": np.array([2]),
}


def model(nodes: str) -> onnx.ModelProto:
    """The image is quantised to `q` by `s` and `z`, the result dequantised from `r` by `t` and `u`."""
    text = f"q = QuantizeLinear (x, s, z); {nodes}; y = DequantizeLinear (r, t, u)"
    proto = parse(text, ("N", 4, 6, 6), WEIGHTS)
    proto.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return proto


def operators(prepared: ir.Model) -> list[str]:
    return [node.op_type for node in prepared.graph]


def run(proto: onnx.ModelProto) -> Array:
    return np.asarray(session(proto).run(None, {"x": IMAGES})[0])


@pytest.mark.parametrize(
    ("nodes", "operator"),
    [
        ("r = QLinearConv <pads=[1, 1, 1, 1], strides=[2, 2]> (q, s, z, kernel, s, kernel_zero, t, u)", "Conv"),
        ("r = QLinearConv (q, s, z, kernel, kernel_scales, kernel_zeros, t, u, bias)", "Conv"),
        ("r = QLinearMatMul (q, s, z, matrix, s, z, t, u)", "MatMul"),
        ("r = QLinearMatMul (q, s, z, matrix, six_scales, six_zeros, t, u)", "MatMul"),
        ("f = Reshape (q, rows); r = com.microsoft.QGemm (f, s, z, matrix, s, z, six_biases, t, u)", "Gemm"),
        (
            "f = Reshape (q, rows); "
            "r = com.microsoft.QGemm <transB=1> (f, s, z, matrix, six_scales, six_zeros, , t, u)",
            "Gemm",
        ),
        ("r = com.microsoft.QLinearAdd (q, s, z, q, t, u, t, u)", "Add"),
        ("r = com.microsoft.QLinearMul (q, s, z, q, t, u, t, u)", "Mul"),
        ("r = com.microsoft.QLinearGlobalAveragePool (q, s, z, t, u)", "GlobalAveragePool"),
        ("r = com.microsoft.QLinearAveragePool <kernel_shape=[3, 3], strides=[2, 2]> (q, s, z, t, u)", "AveragePool"),
        ("r = com.microsoft.QLinearSigmoid (q, s, z, t, u)", "Sigmoid"),
        ("r = com.microsoft.QLinearLeakyRelu <alpha=0.3> (q, s, z, t, u)", "LeakyRelu"),
        ("r = com.microsoft.QLinearSoftmax <axis=1, opset=13> (q, s, z, t, u)", "Softmax"),
        ("r = com.microsoft.QLinearSoftmax <axis=1, opset=12> (q, s, z, t, u)", "Softmax"),
        ("r = com.microsoft.QLinearSoftmax <axis=2, opset=11> (q, s, z, t, u)", "Softmax"),
        ("c = Less (x, s); r = com.microsoft.QLinearWhere (c, q, s, z, q, t, u, t, u)", "Where"),
        ("r = com.microsoft.QLinearConcat <axis=1> (t, u, q, s, z, q, t, u)", "Concat"),
        # Channels last.
        (
            "c = com.microsoft.QLinearConv <channels_last=1, pads=[1, 1, 0, 0], strides=[2, 2]>"
            " (q, s, z, last_kernel, kernel_scales, kernel_zeros, t, u, bias); r = Transpose <perm=[0, 3, 1, 2]> (c)",
            "Conv",
        ),
        ("r = com.microsoft.QLinearGlobalAveragePool <channels_last=1> (q, s, z, t, u)", "GlobalAveragePool"),
        (
            "r = com.microsoft.QLinearAveragePool <channels_last=1, kernel_shape=[2, 2], strides=[2, 2]>"
            " (q, s, z, t, u)",
            "AveragePool",
        ),
    ],
)  # fmt: skip
def test_integers_are_those_of_the_integer_operator(nodes: str, operator: str) -> None:
    """But for rounding where a real number is half-way between two."""
    proto = model(nodes)
    prepared = written_out(proto)
    assert operator in operators(prepared)
    assert not INTEGERS & set(operators(prepared))
    assert all(node.domain == "" for node in prepared.graph)
    levels = (run(ir.to_proto(prepared)) - run(proto)) / WEIGHTS["t"]
    assert np.abs(levels).max() < 1.01
    assert np.mean(np.abs(levels) > 0.01) < 0.01


def test_the_scores_of_a_quantised_gemm_may_be_floats() -> None:
    proto = parse(
        """
        q = QuantizeLinear (x, s, z); f = Reshape (q, rows)
        y = com.microsoft.QGemm (f, s, z, matrix, s, z, six_biases)
        """,
        ("N", 4, 6, 6),
        WEIGHTS,
    )
    proto.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    prepared = written_out(proto)
    assert operators(prepared)[-1] == "Gemm"
    assert run(ir.to_proto(prepared)) == pytest.approx(run(proto), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    "node",
    [
        "r = MaxPool <kernel_shape=[2, 2], pads=[1, 1, 0, 0]> (q)",
        "r = com.microsoft.NhwcMaxPool <kernel_shape=[2, 2], pads=[1, 1, 0, 0]> (q)",
        "r = Transpose <perm=[0, 2, 3, 1]> (q)",
        "a = Flatten (q); r = Unsqueeze (a, two)",
        "r = Slice (q, zero, two, two)",
        "r = Gather <axis=1> (q, two)",
    ],
)
def test_what_moves_integers_moves_the_numbers_they_stand_for(node: str) -> None:
    proto = model(node)
    prepared = written_out(proto)
    assert run(ir.to_proto(prepared)).tolist() == run(proto).tolist()
    quantised = [node.outputs[0] for node in prepared.graph if node.op_type == "QuantizeLinear"]
    assert all(use.node.op_type == "DequantizeLinear" for value in quantised for use in value.uses())


@pytest.mark.parametrize(
    "nodes",
    [
        "i = ConvInteger <pads=[1, 1, 1, 1]> (q, kernel, z); f = Cast <to=1> (i)",
        "i = MatMulInteger (q, matrix, z, u); f = Cast <to=1> (i)",
        "i = MatMulInteger (q, matrix, z, six_zeros); f = Cast <to=1> (i)",
    ],
)
@pytest.mark.parametrize("quantizer", ["q, s2, z = DynamicQuantizeLinear (x)", "q = QuantizeLinear (x, s, z)"])
def test_products_of_integers_are_products_of_numbers(nodes: str, quantizer: str) -> None:
    weights: dict[str, Any] = {
        name: value for name, value in WEIGHTS.items() if name != "z" or "Dynamic" not in quantizer
    }
    proto = parse(f"{quantizer}; {nodes}; y = Mul (f, t)", ("N", 4, 6, 6), weights)
    prepared = written_out(proto)
    assert not INTEGERS & set(operators(prepared))
    assert run(ir.to_proto(prepared)) == pytest.approx(run(proto), rel=1e-5, abs=1e-2)


def test_a_product_of_integers_that_stand_for_no_numbers_stays() -> None:
    node = "i = MatMulInteger (matrix, matrix, z, z); f = Cast <to=1> (i); r = QuantizeLinear (f, t, u)"
    assert "MatMulInteger" in operators(written_out(model(node)))


def test_the_recorded_type_of_a_product_of_integers_is_forgotten() -> None:
    """ONNX Runtime's quantiser records it, and it is a float now."""
    proto = parse(
        "q, t1, z1 = DynamicQuantizeLinear (x); i = ConvInteger (q, kernel, z1); f = Cast <to=1> (i); y = Mul (f, t1)",
        ("N", 4, 6, 6),
        WEIGHTS,
    )
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("i", onnx.TensorProto.INT32, None))
    assert written_out(proto).graph.outputs[0].shape is not None
