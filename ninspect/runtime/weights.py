"""Models without their weights: what is left is small, so that nothing copies the weights to move the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx
import onnx_ir as ir

_LARGE = 4096  # bytes
_GRAPH, _INITIALIZER = 7, 5  # fields of ModelProto and GraphProto
_BYTES = 2  # protobuf's type of a field that holds bytes
# What NumPy itself has, and so ONNX Runtime takes from it.
_PLAIN = frozenset(ir.DataType[name] for name in ("FLOAT", "FLOAT16", "DOUBLE", "INT8", "UINT8", "INT32", "INT64"))


def hold_weights(model: ir.Model) -> None:
    """Keep large weights as arrays, which copies of the model share, and not in protobuf, which copies on access."""
    for value in _large(model):
        tensor = value.const_value
        assert tensor is not None
        value.const_value = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=tensor.name)


def detach_weights(model: ir.Model) -> dict[str, ir.TensorProtocol]:
    """Replace the large weights of a model by references to nothing, and return them by name."""
    weights = {}
    for value in _large(model):
        tensor, name = value.const_value, str(value.name)
        assert tensor is not None
        weights[name] = tensor
        shape = ir.Shape(tensor.shape.numpy())
        value.const_value = ir.ExternalTensor("elsewhere", 0, tensor.nbytes, tensor.dtype, shape=shape, name=name)
    return weights


def _large(model: ir.Model) -> Iterator[ir.Value]:
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.dtype in _PLAIN and tensor.nbytes > _LARGE:
            yield value


def check_and_write(
    model: ir.Model,
    write: Callable[[bytes], object],
    finish: Callable[[onnx.GraphProto], object] = lambda graph: None,
) -> None:
    """Write a model as one ONNX file, weight by weight.

    Args:
        model: what is written. It loses its weights.
        write: gets the pieces.
        finish: makes the last changes, which onnx_ir cannot.

    Raises:
        onnx.checker.ValidationError: it is not valid ONNX.
    """
    weights = detach_weights(model)
    proto = ir.to_proto(model)
    graph = proto.graph
    finish(graph)
    small = [tensor for tensor in graph.initializer if tensor.name not in weights]
    del graph.initializer[:]
    graph.initializer.extend(small)
    _check(proto, weights)
    rest = graph.SerializeToString()
    proto.ClearField("graph")
    # One at a time, and twice: all of them at once would be another copy of the model.
    size = len(rest) + sum(len(_initializer(*named)) for named in weights.items())
    write(proto.SerializeToString() + _head(_GRAPH, size) + rest)
    for named in weights.items():
        write(_initializer(*named))


def _initializer(name: str, tensor: ir.TensorProtocol) -> bytes:
    proto = ir.to_proto(tensor)
    proto.name = name  # that of the value, which a tensor need not share
    encoded: bytes = proto.SerializeToString()
    return _head(_INITIALIZER, len(encoded)) + encoded


def _check(proto: onnx.ModelProto, weights: dict[str, ir.TensorProtocol]) -> None:
    """The onnx checker's verdict, with weights as inputs: what they hold is not its business."""
    described = onnx.ModelProto()
    described.CopyFrom(proto)
    described.graph.input.extend(
        onnx.helper.make_tensor_value_info(name, tensor.dtype.value, tensor.shape.numpy())
        for name, tensor in weights.items()
    )
    onnx.checker.check_model(described)


def _head(field: int, length: int) -> bytes:
    """What protobuf writes before the bytes of a field: its number and type, and the length in groups of 7 bits."""
    head = [field << 3 | _BYTES]
    while length >= 128:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes([*head, length])
