"""One fused node, as those see it who write standard operators for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.tape import Tape

from ninspect.errors import ModelError


class Fused:
    """A node to be replaced; calling it appends a standard one: `fused("Add", x, y)`.

    Args:
        tape: where nodes go.
        node: as the model has it.
    """

    def __init__(self, tape: Tape, node: ir.Node) -> None:
        self._tape = tape
        self._node = node
        self._count = 0

    def __call__(self, operator: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """The first output of a new node."""
        return self._tape.op(operator, inputs, attributes)

    @property
    def operator(self) -> str:
        """Operator name."""
        return self._node.op_type

    @property
    def inputs(self) -> list[ir.Value | None]:
        """All inputs, None where one is absent."""
        return list(self._node.inputs)

    @property
    def x(self) -> ir.Value:
        """The first input."""
        return self.required(0)

    def optional(self, index: int) -> ir.Value | None:
        """An input, or None where it is absent."""
        return self._node.inputs[index] if index < len(self._node.inputs) else None

    def required(self, index: int) -> ir.Value:
        """An input that the operator cannot do without.

        Raises:
            ModelError: it is absent.
        """
        value = self.optional(index)
        if value is None:
            raise ModelError(f"{self._described} lacks its input {index}")
        return value

    def constant(self, index: int) -> NDArray[Any]:
        """An input that must be a constant.

        Raises:
            ModelError: it is computed.
        """
        tensor = ir.convenience.get_const_tensor(self.required(index))
        if tensor is None:
            raise self.refuse(f"its input {index} is not a constant")
        return tensor.numpy()

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, or the default where it is absent."""
        attribute = self._node.attributes.get(name)
        return default if attribute is None else attribute.value

    def attributes(self, *left_out: str) -> dict[str, Any]:
        """The values of all attributes but some."""
        return {name: a.value for name, a in self._node.attributes.items() if name not in left_out}

    def rank(self, x: ir.Value) -> int | None:
        """Number of axes, where it is known or to be seen."""
        node = x.producer()
        if x.shape is None and node is not None and node.op_type == "Transpose" and "perm" in node.attributes:
            return len(node.attributes["perm"].as_ints())
        return None if x.shape is None else len(x.shape)

    def number(self, number: float) -> ir.Value:
        """A scalar; ONNX Runtime's processor kernels of these operators know float32 alone."""
        return self.array(np.float32(number))

    def array(self, array: Any) -> ir.Value:
        """A constant; integers are int64."""
        self._count += 1
        name = f"{self._node.outputs[0].name}/constant{self._count}"
        return self._tape.initializer(ir.tensor(np.asarray(array)), name=name)

    def outputs(self, operator: str, *inputs: ir.Value, count: int, **attributes: Any) -> Sequence[ir.Value]:
        """All outputs of a new node."""
        return self._tape.op_multi_out(operator, inputs, attributes, num_outputs=count)

    def split(self, x: ir.Value, sizes: Sequence[int]) -> Sequence[ir.Value]:
        """Pieces along the last axis."""
        return self.outputs("Split", x, self.array(sizes), count=len(sizes), axis=-1)

    def activate(self, x: ir.Value, activation: str, parameters: Sequence[float]) -> ir.Value:
        """f(x) of the activation that a convolution or product was fused with; without a name, x.

        Raises:
            ModelError: it is an unknown one.
        """
        if not activation:
            return x
        if activation == "Clip":
            return self("Clip", x, *map(self.number, parameters))
        if activation not in _PARAMETERS:
            raise self.refuse(f"it was fused with the activation {activation}")
        return self(activation, x, **dict(zip(_PARAMETERS[activation], parameters, strict=False)))

    def refuse(self, reason: str) -> ModelError:
        """The error for a form that has no equivalent."""
        return ModelError(
            f"{self._described} cannot be analysed: {reason}; give ninspect the model as it was before it was optimised"
        )

    @property
    def _described(self) -> str:
        return f"operator {self._node.domain}::{self._node.op_type} (node '{self._node.name}')"


# What writes a node out: the values that take the place of its outputs, from the first on, None for one that has no
# equivalent; or None where it must wait.
WriteOut = Callable[[Fused], Sequence[ir.Value | None] | None]

_PARAMETERS: dict[str, tuple[str, ...]] = {
    "HardSigmoid": ("alpha", "beta"),
    "HardSwish": (),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
}
