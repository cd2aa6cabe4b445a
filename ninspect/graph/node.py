"""One forward node, as those see it who write other nodes for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.errors import ModelError
from ninspect.graph.writer import Ops, Tensor


def from_end(axis: int, rank: int) -> int:
    """An axis counted from the end, which is −1; so it names the same axis of a cotangent, which has one more."""
    return axis if axis < 0 else axis - rank


class Node:
    """One forward node as a rule sees it: tensors, attributes and constant inputs.

    Attributes:
        inputs: forward tensors; None where an optional input is absent.
        outputs: forward tensors.
    """

    def __init__(self, op: Ops, node: ir.Node) -> None:
        self._op = op
        self._node = node
        self.inputs = [None if v is None else op.tensor(v) for v in node.inputs]
        self.outputs = [op.tensor(v) for v in node.outputs]

    def __str__(self) -> str:
        return f"{self._node.op_type} (node '{self._node.name}')"

    @property
    def operator(self) -> str:
        """Operator name."""
        return self._node.op_type

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.required(0)

    @property
    def y(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    def required(self, index: int) -> Tensor:
        """An input that the operator cannot do without.

        Raises:
            ModelError: it is absent.
        """
        tensor = self.optional(index)
        if tensor is None:
            raise ModelError(f"{self} lacks its input {index}")
        return tensor

    def optional(self, index: int) -> Tensor | None:
        """An input, or None where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, or the default where it is absent."""
        attribute = self._node.attributes.get(name)
        return default if attribute is None else attribute.value

    def axis(self, default: int) -> int:
        """The axis that the node works along in its first input, counted from the end."""
        return from_end(self.attribute("axis", default), self.x.rank)

    def again(self, *inputs: Tensor) -> Tensor:
        """The first output of the same operator, with the same attributes, on other inputs."""
        attributes = {name: attribute.value for name, attribute in self._node.attributes.items()}
        return self._op.emit(self.operator, inputs, attributes)[0]

    def comparable(self) -> tuple[list[Tensor], Tensor]:
        """The float inputs and the first output, so that it can be seen which inputs the output equals.

        In half precision ONNX Runtime may have rounded the one and not the other, where it computes in float32: there
        the node is repeated in float32.
        """
        given = [x for x in self.inputs if x is not None]
        if self.y.dtype not in (ir.DataType.FLOAT16, ir.DataType.BFLOAT16):
            return [x for x in given if x.dtype.is_floating_point()], self.y
        wide = [self._op.Cast(x, to=int(ir.DataType.FLOAT)) if x.dtype.is_floating_point() else x for x in given]
        return [x for x in wide if x.dtype.is_floating_point()], self.again(*wide)

    def constant(self, index: int, default: Any = None) -> NDArray[Any]:
        """The value of an input that must be known when the graph is built; the default where it is absent.

        Raises:
            ModelError: the input is computed from the image or from another input.
        """
        tensor = self.optional(index)
        if tensor is None:
            return np.asarray(default)
        if tensor.constant is None:
            raise ModelError(f"input {index} of {self} is not a constant; fold constants when exporting the model")
        return tensor.constant

    def refuse(self, reason: str) -> ModelError:
        """The error for a use of an operator that has no gradient."""
        return ModelError(f"{self} cannot be differentiated: {reason}")
