import io

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from ninspect.runtime.session import open_model
from ninspect.runtime.weights import check_and_write, detach_weights, hold_weights
from tests.support import onnx_model, random_pixels

WEIGHT = np.random.default_rng(0).standard_normal((192, 40), dtype=np.float32)


def model(weight: np.ndarray = WEIGHT) -> onnx.ModelProto:
    return onnx_model("f = Flatten(x); y = MatMul(f, w)", x="float[N,3,8,8] x", y="float[N,K] y", w=weight)


def written(model: onnx.ModelProto) -> onnx.ModelProto:
    stream = io.BytesIO()
    check_and_write(ir.from_proto(model), stream.write)
    proto = onnx.ModelProto()
    proto.ParseFromString(stream.getvalue())
    return proto


@pytest.mark.parametrize("columns", [1, 40, 50_000])
def test_a_model_is_written_as_protobuf_would(columns: int) -> None:
    proto = model(np.zeros((192, columns), np.float32))
    assert written(proto) == ir.to_proto(ir.from_proto(proto))


def test_an_invalid_model_is_not_written() -> None:
    proto = model()
    proto.graph.node[1].op_type = "Nothing"
    with pytest.raises(onnx.checker.ValidationError):
        written(proto)


def test_a_session_takes_the_weights_from_outside() -> None:
    images = random_pixels(2, (3, 8, 8))
    (answer,) = open_model(ir.from_proto(model()), "cpu").run(None, {"x": images})
    assert np.allclose(answer, images.reshape(2, -1) @ WEIGHT, atol=1e-4)


def test_copies_of_a_model_share_its_weights() -> None:
    original = ir.from_proto(model())
    hold_weights(original)
    first, second = (detach_weights(original.clone())["w"].numpy() for _ in range(2))
    assert first is second


def test_weights_that_numpy_lacks_stay() -> None:
    proto = model()
    proto.graph.initializer.append(onnx.helper.make_tensor("b", onnx.TensorProto.BFLOAT16, [4096], [0.0] * 4096))
    assert set(detach_weights(ir.from_proto(proto))) == {"w"}


def test_a_weight_is_written_under_the_name_that_nodes_use() -> None:
    loaded = ir.from_proto(model())
    value = loaded.graph.initializers["w"]
    assert value.const_value is not None
    value.const_value.name = "reorder_token_4/constant1"  # as onnx_ir's passes name what ONNX Runtime reordered
    stream = io.BytesIO()
    check_and_write(loaded, stream.write)
    proto = onnx.ModelProto()
    proto.ParseFromString(stream.getvalue())
    assert [tensor.name for tensor in proto.graph.initializer] == ["w"]
    onnx.checker.check_model(proto)
