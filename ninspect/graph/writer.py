"""Writing ONNX operators as expressions: the language that the gradient rules are written in.

`op.Softmax(x, axis=-1)` appends a Softmax node and returns its output; tensors have Python's arithmetic, so a rule
reads like its formula: `ybar * y * (1 - y)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray


class Tensor:
    """A value of the graph under construction, with arithmetic that appends nodes.

    For forward values `rank` and `dims` are known; a cotangent has one more leading axis than its forward value and
    knows its type only.
    """

    __slots__ = ("_op", "value")

    def __init__(self, op: Ops, value: ir.Value) -> None:
        self._op = op
        self.value = value

    @property
    def dtype(self) -> ir.DataType:
        """Element type."""
        assert self.value.dtype is not None
        return self.value.dtype

    @property
    def rank(self) -> int:
        """Number of axes of a forward value."""
        return len(self._shape())

    @property
    def dims(self) -> tuple[int | None, ...]:
        """Sizes of a forward value, None where an axis is symbolic."""
        return tuple(d if isinstance(d, int) else None for d in self._shape())

    @property
    def symbols(self) -> tuple[object, ...]:
        """Sizes of a forward value as integers or symbol names; None where nothing is known."""
        return tuple(d if isinstance(d, int) else d.value for d in self._shape())

    @property
    def constant(self) -> NDArray[Any] | None:
        """The value when it is a constant of the graph, else None."""
        return None if self.value.const_value is None else self.value.const_value.numpy()

    def _shape(self) -> ir.Shape:
        if self.value.shape is None:
            raise ValueError(f"the shape of tensor '{self.value.name}' cannot be inferred")
        return self.value.shape

    def __add__(self, other: Any) -> Tensor:
        return self._op.Add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return self._op.Add(self._op.like(other, self), self)

    def __sub__(self, other: Any) -> Tensor:
        return self._op.Sub(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return self._op.Sub(self._op.like(other, self), self)

    def __mul__(self, other: Any) -> Tensor:
        return self._op.Mul(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Tensor:
        return self._op.Div(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._op.Div(self._op.like(other, self), self)

    def __neg__(self) -> Tensor:
        return self._op.Neg(self)


class Ops:
    """Appends operators to a list of nodes; every attribute that is not a method is an ONNX operator.

    Inputs may be tensors, numbers or arrays: floats become constants of the first tensor's type, integers of type
    int64 unless the first tensor is a float.

    Args:
        prefix: put before the name of every new node and value, so that they cannot clash with the model's.
    """

    def __init__(self, prefix: str = "ninspect/") -> None:
        self.nodes: list[ir.Node] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}
        self._prefix = prefix
        self._shapes: dict[ir.Value, Tensor] = {}

    def __getattr__(self, operator: str) -> Callable[..., Tensor]:
        if not operator[:1].isupper():
            raise AttributeError(operator)

        def emit(*inputs: Any, **attributes: Any) -> Tensor:
            return self.emit(operator, inputs, attributes)[0]

        return emit

    def emit(
        self, operator: str, inputs: Sequence[Any], attributes: dict[str, Any] | None = None, outputs: int = 1
    ) -> list[Tensor]:
        """Append one node and return its outputs."""
        attributes = attributes or {}
        reference = next((x for x in inputs if isinstance(x, Tensor)), None)
        tensors = [None if x is None else self.like(x, reference) for x in inputs]
        dtype = _result_type(operator, tensors, attributes)
        values = [
            ir.Value(name=f"{self._prefix}v{len(self.nodes)}_{i}", type=ir.TensorType(dtype)) for i in range(outputs)
        ]
        node = ir.Node(
            "",
            operator,
            [None if t is None else t.value for t in tensors],
            ir.convenience.convert_attributes({k: v for k, v in attributes.items() if v is not None}),
            outputs=values,
            name=f"{self._prefix}{operator}_{len(self.nodes)}",
        )
        self.nodes.append(node)
        return [Tensor(self, value) for value in values]

    def tensor(self, value: ir.Value) -> Tensor:
        """Wrap a value of the model."""
        return Tensor(self, value)

    def const(self, array: Any, dtype: ir.DataType = ir.DataType.INT64) -> Tensor:
        """A constant; equal constants are stored once."""
        data = np.asarray(array).astype(dtype.numpy())
        key = (dtype.name, data.shape, data.tobytes())
        if key not in self.constants:
            name = f"{self._prefix}c{len(self.constants)}"
            tensor = ir.Tensor(data, dtype=dtype, name=name)
            self.constants[key] = ir.Value(
                name=name, shape=ir.Shape(data.shape), type=ir.TensorType(dtype), const_value=tensor
            )
        return Tensor(self, self.constants[key])

    def like(self, operand: Any, reference: Tensor | None) -> Tensor:
        """`operand` as a tensor; numbers take the reference's type, integer arrays are int64 (axes, shapes, pads)."""
        if isinstance(operand, Tensor):
            return operand
        array = np.asarray(operand)
        scalar = array.ndim == 0
        floating = reference is not None and reference.dtype.is_floating_point()
        if reference is not None and (array.dtype.kind == "f" or (scalar and (floating or array.dtype.kind != "b"))):
            return self.const(array, reference.dtype)
        return self.const(array, ir.DataType.BOOL if array.dtype.kind == "b" else ir.DataType.INT64)

    def cast(self, x: Tensor, like: Tensor) -> Tensor:
        """`x` in the element type of `like`."""
        return x if x.dtype == like.dtype else self.Cast(x, to=int(like.dtype))

    # Shapes. Everything below is constant where the model's shapes are static, else computed when the graph runs.

    def shape(self, x: Tensor) -> Tensor:
        """Shape of the forward value `x` as an int64 vector."""
        if x.value not in self._shapes:
            static = x.value.shape is not None and None not in x.dims
            self._shapes[x.value] = self.const(list(x.dims)) if static else self.Shape(x)
        return self._shapes[x.value]

    def size(self, x: Tensor, axis: int) -> Tensor:
        """Size of one axis of the forward value `x` as an int64 vector of one element."""
        axis %= x.rank
        known = x.dims[axis]
        return self.const([known]) if known is not None else self.Shape(x, start=axis, end=axis + 1)

    def vector(self, *parts: Tensor | int) -> Tensor:
        """One int64 vector from integers and one-element or longer vectors."""
        if all(isinstance(part, int) for part in parts):
            return self.const(list(parts))
        return self.Concat(*(self.const([p]) if isinstance(p, int) else p for p in parts), axis=0)

    def reshape_like(self, ybar: Tensor, x: Tensor) -> Tensor:
        """Give a cotangent `[S, …]` the shape `[S, *x.shape]`."""
        return self.Reshape(ybar, self.vector(-1, self.shape(x)))

    def merge_leading(self, ybar: Tensor, y: Tensor, keep: int) -> Tensor:
        """Reshape a cotangent `[S, *y.shape]` to `[-1, last keep axes of y]`: a view that convolutions accept."""
        return self.Reshape(ybar, self.vector(-1, *(self.size(y, axis) for axis in range(-keep, 0))))

    def unbroadcast(self, ybar: Tensor, source: tuple[object, ...], x: Tensor) -> Tensor:
        """Sum over the axes along which `x` was broadcast.

        Args:
            ybar: cotangent `[S, *source]`.
            source: the broadcast shape, as `Tensor.symbols` gives it.
            x: the forward value that was broadcast.

        Returns:
            Cotangent `[S, *x.shape]`.
        """
        extra = len(source) - x.rank
        if extra:
            ybar = self.ReduceSum(ybar, list(range(1, extra + 1)), keepdims=0)
        pairs = list(zip(x.symbols, source[extra:], strict=True))
        repeated = [axis - x.rank for axis, (small, large) in enumerate(pairs) if small == 1 and large != 1]
        if repeated:
            ybar = self.ReduceSum(ybar, repeated, keepdims=1)
        if any(not isinstance(a, int) and (a is None or a != b) for a, b in pairs):
            # Only at run time is it known whether the symbolic axis of x has size 1.
            ones = self.Squeeze(self.NonZero(self.Equal(self.shape(x), 1)), [0]) + 1
            ybar = self.ReduceSum(ybar, ones, keepdims=1, noop_with_empty_axes=1)
            return self.reshape_like(ybar, x)
        return ybar

    def along_axis(self, ybar: Tensor, matrix: Tensor, axis: int, rank: int) -> Tensor:
        """Contract one axis of a cotangent with a matrix: x̄[…, i, …] = Σ_o ȳ[…, o, …] · matrix[o, i].

        Args:
            ybar: cotangent `[S, *y.shape]`.
            matrix: `[size of the axis in y, size of the axis in x]`.
            axis: negative axis of y.
            rank: rank of y.
        """
        if axis == -1:
            return self.MatMul(ybar, matrix)
        if axis == -2:
            return self.MatMul(self.Transpose(matrix, perm=[1, 0]), ybar)
        swap = list(range(rank + 1))
        swap[axis], swap[-1] = swap[-1], swap[axis]
        return self.Transpose(self.MatMul(self.Transpose(ybar, perm=swap), matrix), perm=swap)

    def positions(self, size: Tensor) -> Tensor:
        """0, 1, … size − 1, from a vector of one element."""
        return self.Range(self.const(0), self.Squeeze(size, [0]), self.const(1))

    def selection_matrix(self, index: Tensor, size: Tensor, like: Tensor) -> Tensor:
        """The matrix of a selection along an axis: M[o, i] = [index[o] = i], with `size` columns, typed as `like`."""
        index = self.Where(self.Less(index, 0), index + size, index)
        return self.cast(self.Equal(self.Unsqueeze(index, [1]), self.positions(size)), like)

    def zeros(self, ybar: Tensor, like: Tensor) -> Tensor:
        """A zero cotangent `[S, *like.shape]`, with S and the type taken from another cotangent."""
        count = self.Shape(ybar, start=0, end=1)
        return self.Expand(self.const(0.0, ybar.dtype), self.vector(count, self.shape(like)))


def _result_type(operator: str, inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> ir.DataType:
    """The type that the standard gives the first output: one alone, or that of the inputs with the same variable."""
    if operator == "Cast":
        return ir.DataType(attributes["to"])
    fixed, source = _typing(operator)
    if fixed is not None:
        return fixed
    reference = inputs[source]
    assert reference is not None
    return reference.dtype


@cache
def _typing(operator: str) -> tuple[ir.DataType | None, int]:
    """The one type that the first output of an operator can have, or None; and the first input that shares its type."""
    schema = onnx.defs.get_schema(operator)
    variable = schema.outputs[0].type_str
    allowed = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == variable), [variable])
    if len(allowed) == 1:
        return ir.DataType[allowed[0].removeprefix("tensor(").removesuffix(")").upper()], 0
    return None, [formal.type_str for formal in schema.inputs].index(variable)
