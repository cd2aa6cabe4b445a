"""Slice, Pad and Gather."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, Function, case


def slice_(name: str, function: Function, opset: int = 18, **bounds: Any) -> Case:
    return case(f"Slice {name}", f"y = Slice ({', '.join(['x', *bounds])})", function, (3, 7, 6), opset=opset, **bounds)


def slice_9(attributes: str, function: Function) -> Case:
    return case(f"Slice-9 {attributes}", f"y = Slice {attributes} (x)", function, (3, 7, 6), opset=9)


def pad(
    pads: list[int], mode: str, function: Function, axes: list[int] | None = None, size: tuple[int, ...] = (3, 4, 5)
) -> Case:
    """Pads of the whole image `[N, C, H, W]`, or of some axes."""
    inputs = "x, pads" if axes is None else "x, pads, , axes"
    weights: dict[str, Any] = {"pads": pads} if axes is None else {"pads": pads, "axes": axes}
    opset = 19 if mode == "wrap" else 18
    return case(
        f"Pad {mode} {pads} {axes or ''}", f'y = Pad <mode="{mode}"> ({inputs})', function, size, opset=opset, **weights
    )


def gather(name: str, index: object, axis: int, function: Function) -> Case:
    return case(f"Gather {name}", f"y = Gather <axis={axis}> (x, index)", function, (3, 4, 5), index=index)


CASES = [
    slice_("one axis", lambda x: x[:, :, 1:5], starts=[1], ends=[5], axes=[2]),
    slice_("leading axes by default", lambda x: x[:, 1:3], starts=[0, 1], ends=[9, 3]),
    slice_("all axes by default", lambda x: x[:, 1:3, 2:, :-1], starts=[0, 1, 2, 0], ends=[9, 3, 9, -1]),
    slice_("beyond the end", lambda x: x[..., 2:], starts=[2], ends=[2**31 - 1], axes=[-1]),
    slice_("from before the beginning", lambda x: x[..., :3], starts=[-100], ends=[3], axes=[-1]),
    slice_("counted from the end", lambda x: x[:, :, -4:-1], starts=[-4], ends=[-1], axes=[2]),
    slice_(
        "int32 bounds",
        lambda x: x[:, :, 1:5],
        starts=np.array([1], np.int32),
        ends=np.array([5], np.int32),
        axes=np.array([2], np.int32),
    ),
    slice_("several axes", lambda x: x[:, 1:, :, 2:5], starts=[2, 1], ends=[5, 9], axes=[3, 1]),
    slice_("steps", lambda x: x[:, :, ::2, 1::3], starts=[0, 1], ends=[99, 99], axes=[2, 3], steps=[2, 3]),
    slice_("reversed", lambda x: x.flip(2), starts=[-1], ends=[-(2**63)], axes=[2], steps=[-1]),
    slice_("reversed part", lambda x: x.flip(3)[..., 1:4], starts=[-2], ends=[1], axes=[3], steps=[-1]),
    slice_("reversed in steps", lambda x: x.flip(2)[:, :, ::2], starts=[100], ends=[-100], axes=[2], steps=[-2]),
    slice_("reversed channels", lambda x: x.flip(1), starts=[-1], ends=[-100], axes=[1], steps=[-1]),
    slice_9("<axes=[2, 3], starts=[1, 0], ends=[5, -1]>", lambda x: x[:, :, 1:5, :-1]),
    slice_9("<starts=[0, 1], ends=[100, 3]>", lambda x: x[:, 1:3]),
    case(
        "Slice up to a computed size",
        "s = Shape (x); h = Gather (s, two); e = Div (h, two); y = Slice (x, zero, e, two)",
        lambda x: x[:, :, :3],
        (3, 7, 6),
        two=[2],
        zero=[0],
    ),
    case(
        "Slice of the batch",
        "z = Concat <axis=0> (x, x); s = Shape <end=1> (x); e = Slice (z, s, big, zero); y = Tanh (e)",
        torch.tanh,
        (3, 4),
        big=[1000],
        zero=[0],
    ),
    pad([0, 0, 1, 2, 0, 0, 3, 0], "constant", lambda x: fn.pad(x, [2, 0, 1, 3])),
    pad([0, 0, -1, 2, 0, 0, 0, -2], "constant", lambda x: fn.pad(x, [2, -2, -1, 0])),
    pad([0, 1, 0, 0, 0, 2, 0, 0], "constant", lambda x: fn.pad(x, [0, 0, 0, 0, 1, 2])),
    pad([1, 2, 0, -1], "constant", lambda x: fn.pad(x, [2, -1, 1, 0]), [2, 3]),
    pad([1, 2, 0, -1], "constant", lambda x: fn.pad(x, [1, 0, 2, -1]), [-1, -2]),
    pad([0, 0, 1, 2, 0, 0, 3, 0], "reflect", lambda x: fn.pad(x, [2, 0, 1, 3], "reflect")),
    pad([0, 0, 1, 2, 0, 0, 3, 7], "edge", lambda x: fn.pad(x, [2, 7, 1, 3], "replicate")),
    pad([0, 0, 1, 2, 0, 0, 3, 0], "wrap", lambda x: fn.pad(x, [2, 0, 1, 3], "circular")),
    pad([2, 1], "reflect", lambda x: fn.pad(x, [2, 1, 0, 0], "reflect"), [-1]),
    pad([1, 2, 3, 1], "edge", lambda x: fn.pad(x, [1, 3, 2, 1], "replicate"), [3, 2]),
    case(
        "Pad with a value",
        "y = Pad (x, pads, value)",
        lambda x, value: fn.pad(x, [1, 1], value=7.0),
        (3, 4),
        pads=[0, 0, 1, 0, 0, 1],
        value=7.0,
    ),
    case(
        "Pad-2",
        'y = Pad <mode="reflect", pads=[0, 0, 1, 2, 0, 0, 2, 1]> (x)',
        lambda x: fn.pad(x, [2, 1, 1, 2], "reflect"),
        (3, 4, 5),
        opset=9,
    ),
    case(
        "Pad-2 constant",
        "y = Pad <pads=[0, 0, 1, 0, 0, 2], value=1.5> (x)",
        lambda x: fn.pad(x, [1, 2], value=1.5),
        (3, 4),
        opset=9,
    ),
    gather("some", [2, 0], 1, lambda x: x[:, [2, 0]]),
    gather("duplicates", [1, 1, 3, 1], 2, lambda x: x[:, :, [1, 1, 3, 1]]),
    gather("from the end", [-1, 0, -1], -1, lambda x: x[..., [-1, 0, -1]]),
    gather("a scalar", 2, 2, lambda x: x[:, :, 2]),
    gather("a negative scalar", -2, 1, lambda x: x[:, -2]),
    gather("a matrix", [[0, 2], [1, 1], [-1, 0]], 1, lambda x: x[:, [[0, 2], [1, 1], [-1, 0]]]),
    gather("int32", np.array([1, 0], np.int32), 3, lambda x: x[..., [1, 0]]),
    case(
        "Gather of the batch",
        "z = Concat <axis=0> (x, x); s = Shape <end=1> (x); n = Squeeze (s); r = Range (i, n, one); y = Gather (z, r)",
        lambda x: x,
        (3, 4),
        i=0,
        one=1,
    ),
]
