"""Fused operators written out: they compute the same, in operators that have a gradient."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from ninspect.errors import ModelError, UnsupportedOperatorError
from ninspect.graph.fused import FUSED, LEGACY, MICROSOFT
from ninspect.graph.fused.blocked import block_size
from ninspect.model import refuse_operators
from tests.gradient.support import Array, Explainer, generator, parse, randn, session
from tests.support import written_out

WEIGHTS: dict[str, Array] = {
    "kernel": randn(6, 4, 3, 3),
    "six": randn(6),
    "five": randn(5),
    "eight": randn(8),
    "residual": randn(1, 6, 6, 6),
    "matrix": randn(8, 5),
    "square": randn(8, 8),
    "packed": randn(8, 24),
    "packed_bias": randn(24),
    "scores": randn(1, 2, 3, 3),
}
IMAGE, TOKENS = ("N", 4, 8, 8), ("N", 3, 8)


def model(nodes: str, dims: tuple[str | int, ...], opset: int = 18, **weights: Array) -> onnx.ModelProto:
    proto = parse(nodes, dims, WEIGHTS | weights, opset)
    proto.opset_import.extend(helper.make_opsetid(domain, 1) for domain in (MICROSOFT, f"{MICROSOFT}.nchwc"))
    return proto


def check(proto: onnx.ModelProto, images: Array, tolerance: float = 1e-5) -> ir.Model:
    """Written out, a model computes what ONNX Runtime does for the original; without operators of its own."""
    prepared = written_out(proto)
    assert not [node for node in prepared.graph if node.domain]
    expected = np.asarray(session(proto).run(None, {"x": images})[0])
    actual = np.asarray(session(ir.to_proto(prepared)).run(None, {"x": images})[0])
    assert actual == pytest.approx(expected, rel=tolerance, abs=tolerance * float(np.abs(expected).max()))
    return prepared


def gradient_of(prepared: ir.Model, images: Array, readout: Array) -> Array:
    """The derivative of Σ y · readout."""
    proto = ir.to_proto(prepared)
    proto.graph.initializer.append(numpy_helper.from_array(readout.reshape(-1, 1), "readout"))
    proto.graph.node.append(helper.make_node("Flatten", ["y"], ["flat_y"]))
    proto.graph.node.append(helper.make_node("MatMul", ["flat_y", "readout"], ["logits"]))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None))
    explained = Explainer(proto, count=1)(images, np.zeros((1, len(images)), np.int64))
    return np.asarray(explained.gradient[0])


CASES: list[tuple[str, tuple[str | int, ...]]] = [
    *((f"y = FusedConv <{attributes}> (x, kernel, six)", IMAGE) for attributes in (
        'activation="Relu", pads=[1, 1, 0, 0]',
        'activation="LeakyRelu", activation_params=[0.2], strides=[2, 2]',
        'activation="Clip", activation_params=[-0.5, 1.5]',
        'activation="HardSigmoid", activation_params=[0.2, 0.4]',
        'activation="Tanh"',
        'activation="Sigmoid"',
        "dilations=[2, 2]",
    )),
    ('y = FusedConv <activation="Relu"> (x, kernel, six, residual)', (1, 4, 8, 8)),
    ('y = FusedConv <activation="Relu"> (x, kernel)', IMAGE),
    ('y = FusedGemm <activation="Relu", alpha=0.5, beta=2.0> (x, matrix, five)', ("N", 8)),
    ('y = FusedGemm <activation="LeakyRelu", activation_alpha=0.3, transB=1> (x, square)', ("N", 8)),
    ("y = FusedMatMul <alpha=0.3> (x, matrix)", TOKENS),
    ("y = FusedMatMul <alpha=0.3, transB=1> (x, x)", TOKENS),
    ("y = FusedMatMul <transA=1> (x, x)", TOKENS),
    ("y = FusedMatMul <transB=1> (x, square)", TOKENS),
    ("t = Transpose <perm=[1, 0, 2]> (x); y = FusedMatMul <transB=1, transBatchA=1, transBatchB=1> (t, t)", TOKENS),
    ("t = Transpose <perm=[1, 0, 2]> (x); y = FusedMatMul <transA=1, transBatchA=1, transBatchB=1> (t, t)", TOKENS),
    ("y = TransposeMatMul <transB=1> (x, x)", TOKENS),
    ("y = Gelu (x)", TOKENS),
    ("y = BiasGelu (x, eight)", TOKENS),
    ("y = FastGelu (x)", TOKENS),
    ("y = FastGelu (x, eight)", TOKENS),
    ("y = QuickGelu (x)", TOKENS),
    ("y = QuickGelu <alpha=1.0> (x)", TOKENS),
    ("t = Tanh (x); y = SkipLayerNormalization <epsilon=0.01> (x, t, eight, eight)", TOKENS),
    ("t = Tanh (x); y = SkipLayerNormalization (x, t, eight, eight, eight)", TOKENS),
    ("t = Tanh (x); a, m, d, s = SkipLayerNormalization (x, t, eight, eight); y = Mul (a, s)", TOKENS),
    ("t = Tanh (x); y = SkipSimplifiedLayerNormalization (x, t, eight)", TOKENS),
    ("t = Tanh (x); a, m, d, s = SkipSimplifiedLayerNormalization (x, t, eight, eight); y = Mul (a, s)", TOKENS),
    ("y = Attention <num_heads=2> (x, packed, packed_bias)", TOKENS),
    ("y = Attention <num_heads=2, scale=0.3> (x, packed, packed_bias, , , scores)", (1, 3, 8)),
    ("y = Attention <num_heads=2, qkv_hidden_sizes=[6, 6, 12]> (x, packed, packed_bias)", TOKENS),
    ("k = Tanh (x); v = Sin (x); y = MultiHeadAttention <num_heads=2> (x, k, v)", TOKENS),
    ("k = Tanh (x); v = Sin (x); y = MultiHeadAttention <num_heads=2> (x, k, v, packed_bias)", TOKENS),
    ("r = Reshape (x, heads); k = Transpose <perm=[0, 2, 1, 3]> (r); v = Sin (k)"
     "; y = MultiHeadAttention <num_heads=2> (x, k, v)", TOKENS),
    ("y = MatMulNBits <K=8, N=5, bits=4, block_size=16> (x, nibbles, block_scales)", TOKENS),
    ("y = MatMulNBits <K=8, N=5, bits=4, block_size=16> (x, nibbles, block_scales, zeros, , five)", TOKENS),
    ("r = ReorderInput (x); e = Upsample <scales=[1, 1, 2, 3]> (r); y = ReorderOutput <channels=4> (e)", IMAGE),
    ('r = ReorderInput (x); e = Upsample <scales=[1, 1, 2, 2], mode="linear"> (r); y = ReorderOutput <channels=4> (e)',
     IMAGE),
    ("t = Transpose <perm=[0, 2, 3, 1]> (x); r = ReorderInput <channels_last=1> (t)"
     "; p = AveragePool <kernel_shape=[3, 3], pads=[1, 1, 1, 1]> (r)"
     "; y = ReorderOutput <channels=4, channels_last=1> (p)", IMAGE),
    ("r = ReorderInput (x); g = GlobalMaxPool (r); a = GlobalAveragePool (r); s = Add (g, a)"
     "; y = ReorderOutput <channels=4> (s)", IMAGE),
]  # fmt: skip
EXTRA: dict[str, Any] = {
    "heads": np.array([0, 0, 2, 4]),
    "nibbles": generator("nibbles").integers(0, 256, (5, 1, 8)).astype(np.uint8),
    "block_scales": randn(5) / 10,
    "zeros": np.array([3, 9, 0, 15, 8], np.uint8),
}
_BLOCKED = {name for domain, name in FUSED if domain != MICROSOFT} - {"Conv"}


def qualified(nodes: str) -> str:
    """The nodes with the domains of the operators that have one."""
    ours = {name for domain, name in FUSED if domain == MICROSOFT}
    for name in _BLOCKED if "Reorder" in nodes else ours:
        nodes = nodes.replace(f"= {name} ", f"= {MICROSOFT}{'.nchwc' if 'Reorder' in nodes else ''}.{name} ")
    return nodes


@pytest.mark.parametrize(("nodes", "dims"), CASES, ids=[nodes for nodes, _ in CASES])
def test_fused_operators_compute_and_slope_as_in_onnx_runtime(nodes: str, dims: tuple[str | int, ...]) -> None:
    proto = model(qualified(nodes), dims, **EXTRA)
    images = randn(*(2 if d == "N" else int(d) for d in dims))
    prepared = check(proto, images)
    original, direction = session(proto), randn(*images.shape, 1)[..., 0]
    readout = randn(np.asarray(original.run(None, {"x": images})[0])[0].size)

    def objective(x: Array) -> float:
        (y,) = original.run(None, {"x": x.astype(np.float32)})
        return float((np.asarray(y, np.float64).reshape(len(x), -1) @ readout).sum())

    slope = (objective(images + 0.005 * direction) - objective(images - 0.005 * direction)) / 0.01
    products = gradient_of(prepared, images, readout).astype(np.float64) * direction
    assert products.sum() == pytest.approx(slope, abs=0.01 * float(np.abs(products).sum()))


@pytest.mark.parametrize(
    "nodes",
    [
        "y = LayerNormalization <axis=-1, epsilon=0.01> (x, eight, eight)",
        "y = SimplifiedLayerNormalization <axis=3> (x, eight)",
        "y = ThresholdedRelu <alpha=0.3> (x)",
        "y = Affine <alpha=2.0, beta=0.5> (x)",
        "y = ScaledTanh <alpha=2.0, beta=0.5> (x)",
        "y = ParametricSoftplus <alpha=2.0, beta=0.5> (x)",
        "y = Scale <scale=3.0> (x)",
        "y = ImageScaler <scale=3.0, bias=[1.0, 2.0, 3.0, 4.0]> (x)",
        "y = Crop <border=[1, 2, 0, 3]> (x)",
        "y = Crop <border=[1, 2, 0, 0], scale=[3, 4]> (x)",
    ],
)
def test_what_onnx_runtime_takes_for_standard_is_read_in_old_opsets(nodes: str) -> None:
    check(model(nodes, IMAGE, opset=9), randn(2, 4, 8, 8))


@pytest.mark.parametrize("kind", [np.int8, np.uint16])
def test_quantisers_of_onnx_runtime_are_those_of_the_standard(kind: type[np.generic]) -> None:
    nodes = "q = com.microsoft.QuantizeLinear (x, s, z); y = com.microsoft.DequantizeLinear (q, s, z)"
    prepared = check(
        model(nodes, IMAGE, opset=14, s=np.array(0.01, np.float32), z=np.array(7, kind)), randn(2, 4, 8, 8)
    )
    assert [node.op_type for node in prepared.graph] == ["QuantizeLinear", "DequantizeLinear"]


@pytest.mark.parametrize(
    "nodes",
    [
        "y = com.microsoft.DynamicQuantizeMatMul (x, bytes, s)",
        "y = com.microsoft.DynamicQuantizeMatMul (x, bytes, five_scales, five_zeros, five)",
        "q, t, u = DynamicQuantizeLinear (x)"
        "; y = com.microsoft.MatMulIntegerToFloat (q, bytes, t, five_scales, u, five_zeros, five)",
        "q, t, u = DynamicQuantizeLinear (x)"
        "; y = com.microsoft.QAttention <num_heads=2> (q, packed_bytes, packed_bias, t, s, , u, z)",
    ],
)
def test_products_with_integers_are_dequantised_first(nodes: str) -> None:
    integers = generator("bytes").integers(0, 256, (8, 29)).astype(np.uint8)
    weights: dict[str, Any] = {
        "bytes": integers[:, :5],
        "packed_bytes": integers[:, 5:],
        "s": np.array(0.02, np.float32),
        "z": np.array(120, np.uint8),
        "five_scales": np.arange(1, 6, dtype=np.float32) / 100,
        "five_zeros": np.arange(100, 105, dtype=np.uint8),
    }
    check(model(nodes, TOKENS, **weights), randn(2, 3, 8), tolerance=1e-3)


def optimised(proto: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """What ONNX Runtime saves at its highest level."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(path), 4
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(path)


# Sizes (channels in, channels out, groups) of convolutions: what is stored in which order depends on them.
@pytest.mark.parametrize(
    "sizes",
    [
        [(3, 20, 1), (20, 24, 1), (24, 40, 1)],
        [(3, 32, 1), (32, 64, 2), (64, 64, 64), (64, 20, 1)],
        [(20, 32, 1)],
        [(3, 20, 1), (20, 20, 20), (20, 32, 1)],
    ],
)
def test_convolutions_in_blocks_are_put_back_in_order(sizes: list[tuple[int, int, int]], tmp_path: Path) -> None:
    activations = ["Relu", "HardSwish", "Sigmoid", "Relu"]
    nodes, weights = "", dict[str, Array]()
    for index, (inputs, outputs, groups) in enumerate(sizes):
        x, y = f"a{index}" if index else "x", "y" if index == len(sizes) - 1 else f"a{index + 1}"
        nodes += f"c{index} = Conv <group={groups}, pads=[1, 1, 1, 1]> ({x}, w{index}, b{index})\n"
        nodes += f"{y} = {activations[index]} (c{index})\n"
        weights |= {f"w{index}": randn(outputs, inputs // groups, 3, 3), f"b{index}": randn(outputs)}
    proto = optimised(parse(nodes, ("N", sizes[0][0], 9, 9), weights, 17), tmp_path / "optimised.onnx")
    blocked = [node for node in proto.graph.node if node.domain == f"{MICROSOFT}.nchwc"]
    assert bool(blocked) == (block_size() > 1)
    check(proto, randn(2, sizes[0][0], 9, 9))


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ("y = com.microsoft.Attention <num_heads=2, unidirectional=1> (x, packed, packed_bias)", "it has a mask"),
        ("y = com.microsoft.Attention <num_heads=2> (x, packed, packed_bias, mask)", "it has a mask"),
        ("y = com.microsoft.MultiHeadAttention <num_heads=2> (x, x, x, , mask)", "it has a mask"),
        ("y = com.microsoft.MultiHeadAttention <num_heads=2> (x)", "its keys and values come in one tensor"),
        ('y = com.microsoft.FusedGemm <activation="Elu"> (x, square)', "fused with the activation Elu"),
        ("y = com.microsoft.nchwc.Conv (x, odd)", "the order of another processor"),
        (
            "w = Sin (packed); y = com.microsoft.Attention <num_heads=2> (x, w, packed_bias)",
            "input 1 is not a constant",
        ),
    ],
)
def test_forms_without_an_equivalent_are_refused_in_one_sentence(nodes: str, reason: str) -> None:
    weights: dict[str, Any] = {"mask": np.ones((2, 3), np.int32), "odd": randn(33, 8, 1, 1)} | EXTRA
    with pytest.raises(ModelError, match=reason) as caught:
        written_out(model(nodes, TOKENS, **weights))
    assert str(caught.value).startswith("operator com.microsoft")
    assert "as it was before it was optimised" in str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "operator"),
    [
        ("y = com.microsoft.NhwcConv (x, kernel)", "com.microsoft::NhwcConv"),
        ("y = com.microsoft.Conv (x, kernel)", "com.microsoft::Conv"),
        ("y = com.microsoft.BiasSoftmax (x, x)", "com.microsoft::BiasSoftmax"),
    ],
)
def test_operators_that_are_not_known_are_named_before_anything_is_converted(nodes: str, operator: str) -> None:
    with pytest.raises(UnsupportedOperatorError, match=f"operator {operator} "):
        refuse_operators(model(nodes, IMAGE))


def test_every_fused_operator_has_a_case() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in (*LEGACY, *(name for _, name in FUSED)) if f"{name} " not in text] == []
