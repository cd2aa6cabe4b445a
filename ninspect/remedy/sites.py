"""Where a classifier can be held back: the inner tensors that its linear layers read, channel by channel.

    x'_c = min(s_c · x_c, b_c)          scale s in [0, 1] and bound b, for each channel c of such a tensor

A bound stops the large activations that a trigger causes and clean images do not (MM-BD's mitigation, IEEE S&P 2024,
arXiv 2205.06900); a scale of zero is a channel that was pruned. Both are standard operators in front of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.gradient.path import differentiable_path
from ninspect.graph.writer import Ops, Tensor
from ninspect.model import Classifier

LIMITS = "ninspect/limits"
_CHANNEL_AXIS = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": -1}  # of what these layers read
Pair = tuple[Tensor | None, Tensor | None]


@dataclass(frozen=True)
class Site:
    """A tensor that linear layers read.

    Attributes:
        name: of the tensor.
        axis: of its channels, from 0.
        rank: how many axes it has.
        channels: how many channels.
    """

    name: str
    axis: int
    rank: int
    channels: int

    @property
    def shape(self) -> list[int]:
        """Of a value for each channel that is broadcast to the tensor."""
        return [self.channels if axis == self.axis else 1 for axis in range(self.rank)]


@dataclass(frozen=True, eq=False)
class Limits:
    """A scale and a bound for each channel of all sites, in their order.

    Attributes:
        scales: `[P]` float32 in [0, 1]; 1 changes nothing.
        bounds: `[P]` float32; infinite changes nothing.
    """

    scales: NDArray[np.float32]
    bounds: NDArray[np.float32]

    @property
    def flat(self) -> NDArray[np.float32]:
        """Both in one vector, `[2P]`; bounds that change nothing are the largest number."""
        bounds = np.minimum(self.bounds, np.finfo(np.float32).max)
        return np.concatenate([self.scales, bounds]).astype(np.float32)


def sites(classifier: Classifier) -> list[Site]:
    """The tensors behind at least one linear layer that others read, in graph order.

    Raises:
        ModelError: there are none, or the model has no gradient.
    """
    model = classifier.expanded
    values = ir.convenience.create_value_mapping(model.graph, include_subgraphs=False)
    kept = ir.convenience.create_value_mapping(classifier.model.graph, include_subgraphs=False)
    image = values[classifier.input]
    path = differentiable_path(model.graph, image, values[classifier.logits])
    active = {image, *(value for node in path for value in node.outputs)}
    behind = set[ir.Value]()
    found: dict[str, Site] = {}
    for node in path:
        read = node.inputs[0]
        linear = _is_linear(node, active)
        if linear and read in behind and str(read.name) in kept and (site := _site(node)) is not None:
            found.setdefault(site.name, site)
        if linear or any(value in behind for value in node.inputs):
            behind.update(node.outputs)
    if not found:
        raise ModelError(
            "no layer of the model reads what another made (Conv, Gemm or MatMul), so nothing in it can be bounded"
        )
    return list(found.values())


def _is_linear(node: ir.Node, active: set[ir.Value]) -> bool:
    """Whether it multiplies what the image decides by weights."""
    return node.op_type in _CHANNEL_AXIS and node.inputs[1] not in active


def _site(node: ir.Node) -> Site | None:
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    axis = _CHANNEL_AXIS[node.op_type] % len(value.shape)
    channels = value.shape[axis]
    return Site(str(value.name), axis, len(value.shape), channels) if isinstance(channels, int) and axis else None


def with_limits(model: ir.Model, places: Sequence[Site], limits: Limits) -> ir.Model:
    """The model with its linear layers held back; channels whose limits change nothing get no operator.

    Args:
        model: a prepared model; it is not changed.
        places: sites of it.
        limits: for all their channels.
    """

    def limits_at(op: Ops, start: int, site: Site, x: Tensor) -> Pair:
        part = slice(start, start + site.channels)
        scale, bound = limits.scales[part], limits.bounds[part]
        most = np.minimum(bound, np.finfo(x.dtype.numpy()).max)
        return (
            op.const(scale.reshape(site.shape), x.dtype) if (scale < 1).any() else None,
            op.const(most.reshape(site.shape), x.dtype) if np.isfinite(bound).any() else None,
        )

    return _held(model, places, limits_at)


def with_free_limits(model: ir.Model, places: Sequence[Site]) -> ir.Model:
    """The model with one more input, `ninspect/limits` `[2P]` float32: what `Limits.flat` gives."""
    total = sum(site.channels for site in places)
    given = ir.Value(name=LIMITS, shape=ir.Shape([2 * total]), type=ir.TensorType(ir.DataType.FLOAT))

    def limits_at(op: Ops, start: int, site: Site, x: Tensor) -> Pair:
        def part(first: int) -> Tensor:
            some = op.Slice(op.tensor(given), [first], [first + site.channels], [0])
            some.value.shape = ir.Shape([site.channels])
            shaped = op.Reshape(some, site.shape)
            typed = op.cast(shaped, x)
            shaped.value.shape = typed.value.shape = ir.Shape(site.shape)
            return typed

        return part(start), part(total + start)

    held = _held(model, places, limits_at)
    held.graph.inputs.append(given)
    return held


def _held(model: ir.Model, places: Sequence[Site], limits_at: Callable[[Ops, int, Site, Tensor], Pair]) -> ir.Model:
    model = model.clone()
    graph, op = model.graph, Ops("ninspect/limits/")
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    start = 0
    for site in places:
        x = op.tensor(values[site.name])
        readers = [node for node, place in x.value.uses() if place == 0 and node.op_type in _CHANNEL_AXIS]
        scale, bound = limits_at(op, start, site, x)
        for operator, limit in (("Mul", scale), ("Min", bound)):
            if limit is not None:
                (held,) = op.emit(operator, [x, limit])
                held.value.shape, x = x.value.shape, held
        for node in readers:
            node.replace_input_with(0, x.value)
        start += site.channels
    for constant in op.constants.values():
        graph.register_initializer(constant)
    graph.extend(op.nodes)
    passes.TopologicalSortPass()(model)
    return model
