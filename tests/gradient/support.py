"""What the gradient tests share: small ONNX models written as text, and PyTorch in float64 as the truth about them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from ninspect.gradient import CLASSES, GRADIENT, LOGITS, OBJECTIVE, Objective, differentiate
from ninspect.graph.convert import prepare

Array = NDArray[Any]
Function = Callable[..., torch.Tensor]
Dims = Sequence[int | str | None]
# What images hold: normal numbers; positive ones; a coarse grid, on which kinks are hit and maxima tie.
Values = Literal["normal", "positive", "grid"]

CLASS_COUNT = 4
EXPLAINED = 3


def generator(text: str) -> np.random.Generator:
    """A random generator that depends on the text alone."""
    return np.random.default_rng(zlib.crc32(text.encode()))


def randn(*shape: int) -> Array:
    """Normal numbers as float32, the same in every run."""
    return generator(str(shape)).standard_normal(shape).astype(np.float32)


# Cases


@dataclass(frozen=True, eq=False)
class Case:
    """An ONNX expression and its equivalent in PyTorch.

    Attributes:
        name: what is special about it.
        nodes: ONNX text that computes `y` from the image `x` and the weights; the first axis of both is the batch.
        function: the same in PyTorch, of `x` and the float weights by name. None where PyTorch has no equivalent;
            then `nodes` must be linear in `x`.
        shape: shape of one image.
        opset: operator set that the nodes are written for.
        values: what images hold.
        weights: further inputs of the nodes.
        sizes_known: the rule needs the size of the image when the graph is built.
        tolerance: relative error allowed: the rounding of float32, unless the nodes compute in less.
    """

    name: str
    nodes: str
    function: Function | None
    shape: tuple[int, ...]
    opset: int
    values: Values
    weights: dict[str, Array]
    sizes_known: bool
    tolerance: float

    def __str__(self) -> str:
        return self.name

    def images(self, count: int, seed: int = 0) -> Array:
        """Float32 images, the same in every run."""
        normal = generator(f"{self.name} {seed}").standard_normal((count, *self.shape))
        if self.values == "positive":
            normal = np.abs(normal) + 0.5
        if self.values == "grid":
            normal = np.clip(np.round(normal * 4) / 2, -4, 4)
        return normal.astype(np.float32)

    def model(self, dims: Dims) -> onnx.ModelProto:
        """The case as a model from `x` to `logits`; dims are sizes, names, or None for axes nothing is known about."""
        return with_readout(parse(self.nodes, dims, self.weights, self.opset), self.readout)

    @cached_property
    def readout(self) -> Array:
        """The matrix that turns a flattened `y` into logits, so that a gradient mixes every element of it."""
        proto = parse(self.nodes, (None, *self.shape), self.weights, self.opset)
        (y,) = session(proto).run(None, {"x": self.images(1)})
        return randn(np.asarray(y).size, CLASS_COUNT)

    def torch_logits(self, x: torch.Tensor) -> torch.Tensor:
        """The same logits in float64."""
        assert self.function is not None
        weights = {name: torch.from_numpy(w).double() for name, w in self.weights.items() if w.dtype == np.float32}
        return self.function(x, **weights).flatten(1) @ torch.from_numpy(self.readout).double()


def case(
    name: str,
    nodes: str,
    function: Function | None,
    shape: tuple[int, ...],
    *,
    opset: int = 18,
    values: Values = "normal",
    sizes_known: bool = False,
    tolerance: float = 1e-5,
    **weights: Any,
) -> Case:
    """One line of a table; weights are arrays or lists, of float32 or int64."""
    arrays = {key: np.asarray(value) for key, value in weights.items()}
    arrays = {key: a.astype(np.float32) if a.dtype == np.float64 else a for key, a in arrays.items()}
    return Case(name, nodes, function, shape, opset, values, arrays, sizes_known, tolerance)


# Models


def parse(nodes: str, dims: Dims, weights: Mapping[str, Array], opset: int = 18) -> onnx.ModelProto:
    """A model from `x` to `y`, from ONNX text: nodes are separated by newlines or semicolons."""
    graph = parser.parse_graph("case (float x) => (float y) {" + nodes.replace(";", "\n") + "}")
    del graph.input[:], graph.output[:]
    graph.input.append(onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, dims))
    graph.output.append(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None))
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", opset)])


def with_readout(model: onnx.ModelProto, matrix: Array) -> onnx.ModelProto:
    """Append logits = flattened y · matrix."""
    graph = model.graph
    graph.node.append(onnx.helper.make_node("Flatten", ["y"], ["flat_y"], axis=1))
    graph.node.append(onnx.helper.make_node("MatMul", ["flat_y", "readout"], ["logits"]))
    graph.initializer.append(numpy_helper.from_array(matrix, "readout"))
    graph.output[0].name = "logits"
    return model


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """ONNX Runtime on one CPU thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


# Gradients


@dataclass(frozen=True)
class Explanation:
    """What a differentiated model answers."""

    logits: Array
    objective: Array
    gradient: Array


class Explainer:
    """A model, prepared and differentiated, ready to run."""

    def __init__(
        self, model: onnx.ModelProto, count: int = CLASS_COUNT, objective: Objective = "logit", of: str = "logits"
    ) -> None:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        augmented = differentiate(prepare(copy), "x", of, count, objective)
        self._session = session(ir.to_proto(augmented))

    def __call__(self, images: Array, classes: Array) -> Explanation:
        outputs = self._session.run([LOGITS, OBJECTIVE, GRADIENT], {"x": images, CLASSES: classes})
        return Explanation(*(np.asarray(output) for output in outputs))


def some_classes(images: Array, count: int = CLASS_COUNT, explained: int = EXPLAINED) -> Array:
    """`[S, N]`: for every image its own classes."""
    return generator(str(images.shape)).integers(0, count, (explained, len(images)))


def autograd(function: Function, images: Array, classes: Array) -> Array:
    """The gradient `[S, *images]` of Σ_n logits[n, classes[s, n]] in float64."""
    x = torch.from_numpy(images).double().requires_grad_()
    logits = function(x)
    chosen = [logits.gather(1, torch.from_numpy(row)[:, None]).sum() for row in classes]
    return np.stack([torch.autograd.grad(value, x, retain_graph=True)[0].numpy() for value in chosen])


def relative_error(actual: Array, expected: Array) -> float:
    """‖actual − expected‖ / ‖expected‖; shapes must agree."""
    assert actual.shape == expected.shape
    difference = float(np.linalg.norm(actual.astype(np.float64) - expected))
    return difference / float(np.linalg.norm(expected)) if difference else 0.0
