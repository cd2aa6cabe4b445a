"""The benchmark's networks in JAX: an ONNX graph with constant shapes, one `jax.numpy` expression an operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir

Operator = Callable[..., Any]


def _pads(attributes: dict[str, Any], axes: int) -> list[tuple[int, int]]:
    pads = attributes.get("pads", [0] * (2 * axes))
    return list(zip(pads[:axes], pads[axes:], strict=True))


def _conv(x: Any, weight: Any, bias: Any = None, **a: Any) -> Any:
    y = jax.lax.conv_general_dilated(x, weight, a["strides"], _pads(a, 2), feature_group_count=a.get("group", 1))
    return y if bias is None else y + bias[:, None, None]


def _max_pool(x: Any, **a: Any) -> Any:
    pads = [(0, 0), (0, 0), *_pads(a, 2)]
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, *a["kernel_shape"]), (1, 1, *a["strides"]), pads)


def _gemm(a: Any, b: Any, c: Any, **attributes: Any) -> Any:
    return a @ (b.T if attributes.get("transB") else b) + c


def _layer_norm(x: Any, scale: Any, bias: Any, **a: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + a["epsilon"]) * scale + bias


def _split(x: Any, sizes: Any, **a: Any) -> Any:
    return jnp.split(x, np.cumsum(sizes)[:-1].tolist(), a.get("axis", 0))


OPERATORS: dict[str, Operator] = {
    "Add": lambda a, b: a + b,
    "Cast": lambda x, to, **a: x.astype(ir.DataType(to).numpy()),
    "Clip": jnp.clip,
    "Concat": lambda *parts, axis: jnp.concatenate(parts, axis),
    "Conv": _conv,
    "Div": lambda a, b: a / b,
    "Erf": jax.lax.erf,
    "Flatten": lambda x, **a: x.reshape(len(x), -1),
    "Gather": lambda x, index, **a: jnp.take(x, index, a.get("axis", 0)),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdims=True),
    "LayerNormalization": _layer_norm,
    "MatMul": lambda a, b: a @ b,
    "MaxPool": _max_pool,
    "Mul": lambda a, b: a * b,
    "Relu": jax.nn.relu,
    "Reshape": lambda x, shape, **a: x.reshape(shape),
    "Softmax": lambda x, axis=-1: jax.nn.softmax(x, axis),
    "Split": _split,
    "Squeeze": lambda x, axes: x.squeeze(tuple(axes)),
    "Transpose": lambda x, perm: x.transpose(perm),
}


def as_function(model: ir.Model) -> Callable[[Any], Any]:
    """The graph's last node as a function of its image; what the graph does not say of a shape must be constant."""
    graph = model.graph
    constants = {v.name: v.const_value.numpy() for v in graph.initializers.values() if v.const_value is not None}

    def function(x: Any) -> Any:
        values: dict[str | None, Any] = {None: None, graph.inputs[0].name: x, **constants}
        for node in graph:
            attributes = {name: attribute.value for name, attribute in node.attributes.items()}
            inputs = [values[None if v is None else v.name] for v in node.inputs]
            result = OPERATORS[node.op_type](*inputs, **attributes)
            several = result if isinstance(result, list) else [result]
            values.update((v.name, r) for v, r in zip(node.outputs, several, strict=True))
        return values[graph.outputs[0].name]

    return function
