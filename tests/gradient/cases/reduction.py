"""Reductions (axes as attribute or input, kept or dropped), Softmax, and pooling over the whole image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, Function, Values, case

# By operator: the reduction in PyTorch, of (x, axes, keepdim), and images on which it is smooth or ties.
REDUCTIONS: dict[str, tuple[Function, Values]] = {
    "ReduceSum": (torch.sum, "normal"),
    "ReduceMean": (torch.mean, "normal"),
    "ReduceMax": (torch.amax, "grid"),
    "ReduceMin": (torch.amin, "grid"),
    "ReduceSumSquare": (lambda x, axes, keep: (x * x).sum(axes, keep), "normal"),
    "ReduceL1": (lambda x, axes, keep: x.abs().sum(axes, keep), "grid"),
    "ReduceL2": (lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep), "normal"),
    "ReduceLogSumExp": (torch.logsumexp, "normal"),
    "ReduceLogSum": (lambda x, axes, keep: x.sum(axes, keep).log(), "positive"),
    "ReduceProd": (lambda x, axes, keep: product(x, axes, keep), "grid"),
}


def reduction(operator: str, axes: Sequence[int], keep: int, form: str) -> Case:
    """Axes as an attribute (up to opset 12 or 17), or as an input (from then on)."""
    function, values = REDUCTIONS[operator]
    weights: dict[str, Any] = {"axes": list(axes)} if form == "input" else {}
    attribute = f"axes={list(axes)}, " if form == "attribute" else ""
    inputs = "x, axes" if form == "input" else "x"
    return case(
        f"{operator} {form} {list(axes)} keepdims={keep}",
        f"y = {operator} <{attribute}keepdims={keep}> ({inputs})",
        lambda x: function(x, tuple(axes), bool(keep)),
        (3, 4, 5),
        opset=11 if form == "attribute" else 18,
        values=values,
        **weights,
    )


def product(x: torch.Tensor, axes: tuple[int, ...], keep: bool) -> torch.Tensor:
    """PyTorch reduces one axis at a time."""
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keep)
    return x


def softmax(operator: str, opset: int, axis: int | None, equivalent: Function) -> Case:
    text = "" if axis is None else f"<axis={axis}>"
    return case(f"{operator}-{opset} {text}", f"y = {operator} {text} (x)", equivalent, (3, 4, 5), opset=opset)


def coerced(function: Function, axis: int) -> Function:
    """Up to opset 12, all axes from `axis` on were normalised together."""
    return lambda x: function(x.flatten(axis), -1).reshape(x.shape)


CASES = [
    *(
        reduction(operator, axes, keep, form)
        for operator in REDUCTIONS
        for axes, keep, form in [
            ((2, 3), 1, "attribute"),
            ((-1,), 0, "attribute"),
            ((1, -1), 0, "input"),
            ((2,), 1, "input"),
        ]
    ),
    *(
        case(
            f"{operator} without axes",
            f"s = {operator} (x); y = Mul (x, s)",
            lambda x, function=function: x * function(x, tuple(range(4)), True),
            (3, 4, 5),
            values=values,
        )
        for operator, (function, values) in REDUCTIONS.items()
    ),
    *(
        case(
            f"{operator} over nothing",
            f"z = {operator} <noop_with_empty_axes=1> (x, axes); y = Mul (x, z)",
            lambda x: x * x,
            (3, 4),
            axes=np.zeros(0, np.int64),
        )
        for operator in ("ReduceSum", "ReduceMean", "ReduceMax")
    ),
    case(
        "ReduceL2 of zeros",
        "z = Relu (x); y = ReduceL2 <axes=[-1]> (z)",
        lambda x: torch.linalg.vector_norm(torch.relu(x), 2, -1, True),
        (20, 2),
        opset=17,
    ),
    *(
        case(
            f"CumSum axis={axis} {attributes}",
            f"y = CumSum {attributes} (x, axis)",
            lambda x, function=function: function(x),
            (3, 4, 5),
            axis=axis,
        )
        for axis, attributes, function in [
            (np.int64(1), "", lambda x: x.cumsum(1)),
            (np.int64(-1), "<exclusive=1>", lambda x: x.cumsum(-1) - x),
            (np.int32(2), "<reverse=1>", lambda x: x.flip(2).cumsum(2).flip(2)),
            (np.int64(3), "<exclusive=1, reverse=1>", lambda x: x.flip(3).cumsum(3).flip(3) - x),
        ]
    ),
    # Softmax in the middle of a network.
    *(
        softmax(operator, 13, axis, lambda x, axis=axis, function=function: function(x, -1 if axis is None else axis))
        for operator, function in [("Softmax", fn.softmax), ("LogSoftmax", fn.log_softmax)]
        for axis in (None, 1, 2, -2)
    ),
    *(
        softmax(operator, opset, axis, coerced(function, 1 if axis is None else axis))
        for operator, function in [("Softmax", fn.softmax), ("LogSoftmax", fn.log_softmax)]
        for opset in (7, 11)
        for axis in (None, 2, 3)
    ),
    # Pooling over the whole image.
    *(
        case(f"{operator} on {list(size)}", f"y = {operator} (x)", lambda x, f=f: f(x.flatten(2)), (3, *size))
        for operator, f in [("GlobalAveragePool", lambda x: x.mean(2)), ("GlobalMaxPool", lambda x: x.amax(2))]
        for size in [(6,), (4, 5), (2, 3, 4)]
    ),
    case("GlobalMaxPool tied", "y = GlobalMaxPool (x)", lambda x: x.amax((2, 3)), (3, 8, 8), values="grid"),
]
