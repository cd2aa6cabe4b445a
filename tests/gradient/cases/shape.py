"""Operators that move values without changing them."""

from typing import Any

import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, Function, case, randn


def moved(
    name: str, nodes: str, function: Function, shape: tuple[int, ...] = (3, 4, 5), opset: int = 18, **weights: Any
) -> Case:
    return case(name, nodes, function, shape, opset=opset, **weights)


CASES = [
    moved("Reshape", "y = Reshape (x, s)", lambda x: x.reshape(-1, 6, 10), s=[-1, 6, 10]),
    moved("Reshape with zeros", "y = Reshape (x, s)", lambda x: x.reshape(-1, 3, 20), s=[0, 0, -1]),
    moved(
        "Reshape moves the batch",
        "z = Reshape (x, s); t = Tanh (z); y = Reshape (t, back)",
        lambda x: torch.tanh(x),
        s=[3, -1],
        back=[-1, 3, 4, 5],
    ),
    *(
        moved(f"Flatten axis {axis}", f"z = Flatten <axis={axis}> (x); y = Reshape (z, s)", lambda x: x, s=[-1, 60])
        for axis in (0, 1, 2, 4, -1)
    ),
    moved("Flatten", "y = Flatten (x)", lambda x: x.flatten(1)),
    moved("Squeeze", "y = Squeeze (x, axes)", lambda x: x[:, :, 0, :, 0], (3, 1, 5, 1), axes=[2, -1]),
    moved("Squeeze-11", "y = Squeeze <axes=[2, 4]> (x)", lambda x: x[:, :, 0, :, 0], (3, 1, 5, 1), opset=11),
    case(
        "Squeeze every axis of size 1",
        "m = ReduceMean <axes=[0], keepdims=1> (x); s = Squeeze (m); r = Reshape (s, size); y = Mul (x, r)",
        lambda x: x * x.mean(0),
        (3, 5),
        opset=17,
        size=[3, 5],
    ),
    moved("Unsqueeze", "y = Unsqueeze (x, axes)", lambda x: x[:, None, :, :, :, None], axes=[1, -1]),
    moved("Unsqueeze-11", "y = Unsqueeze <axes=[1, 5]> (x)", lambda x: x[:, None, :, :, :, None], opset=11),
    moved(
        "Transpose",
        "z = Transpose (x); y = Transpose <perm=[3, 1, 0, 2]> (z)",
        lambda x: x.permute(3, 2, 1, 0).permute(3, 1, 0, 2),
    ),
    moved("Transpose to channels last", "y = Transpose <perm=[0, 2, 3, 1]> (x)", lambda x: x.permute(0, 2, 3, 1)),
    moved("Transpose a three-cycle", "y = Transpose <perm=[0, 3, 1, 2]> (x)", lambda x: x.permute(0, 3, 1, 2)),
    moved("Expand an axis", "y = Expand (x, s)", lambda x: x.expand(-1, 3, 4, 5), (3, 1, 5), s=[1, 3, 4, 5]),
    moved("Expand with ones", "y = Expand (x, s)", lambda x: x.expand(-1, 3, 4, 5), (3, 1, 5), s=[1, 1, 4, 1]),
    moved(
        "Expand with a new axis",
        "z = Expand (x, s); y = Transpose <perm=[1, 0, 2]> (z)",
        lambda x: x.expand(2, -1, -1).transpose(0, 1),
        (5,),
        s=[2, 1, 1],
    ),
    moved(
        "Expand to a computed shape",
        "m = Identity (w); s = Shape (m); y = Expand (x, s)",
        lambda x, w: x.expand(-1, 4, 5),
        (4, 1),
        w=randn(1, 4, 5),
    ),
    # Concat and Split
    *(
        moved(
            f"Concat axis {axis}",
            f"t = Tanh (x); y = Concat <axis={axis}> (x, t)",
            lambda x, axis=axis: torch.cat([x, torch.tanh(x)], axis),
        )
        for axis in (1, 2, -1, -3)
    ),
    moved(
        "Concat with a weight",
        "w2 = Mul (x, zero); v = Add (w2, w); y = Concat <axis=1> (v, x, v)",
        lambda x, w, zero: torch.cat([x * zero + w, x, x * zero + w], 1),
        w=randn(3, 4, 5),
        zero=0.0,
    ),
    moved("Concat of the same tensor twice", "y = Concat <axis=1> (x, x)", lambda x: torch.cat([x, x], 1)),
    moved("Concat of one", "y = Concat <axis=1> (x)", lambda x: x),
    moved(
        "Concat of different sizes",
        "m = ReduceMean <axes=[2]> (x); y = Concat <axis=2> (m, x)",
        lambda x: torch.cat([x.mean(2, keepdim=True), x], 2),
        opset=17,
    ),
    moved(
        "Split equally",
        "a, b = Split <axis=1, num_outputs=2> (x); t = Tanh (b); y = Mul (a, t)",
        lambda x: x[:, :2] * torch.tanh(x[:, 2:]),
        (4, 5),
    ),
    moved(
        "Split with a smaller rest",
        "a, b = Split <axis=1, num_outputs=2> (x); y = Concat <axis=1> (b, a)",
        lambda x: torch.cat([x[:, 3:], x[:, :3]], 1),
        (5, 4),
    ),
    moved(
        "Split by sizes",
        "a, b, c = Split <axis=-1> (x, s); y = Concat <axis=-1> (c, a, b)",
        lambda x: torch.cat([x[..., 3:], x[..., :2], x[..., 2:3]], -1),
        s=[2, 1, 2],
    ),
    moved(
        "Split with an unused piece",
        "a, b, c = Split <axis=2> (x, s); y = Add (a, c)",
        lambda x: x[:, :, :1] + x[:, :, 3:],
        s=[1, 2, 1],
    ),
    moved(
        "Split-2", "a, b = Split <axis=1, split=[1, 2]> (x); y = Mul (a, b)", lambda x: x[:, :1] * x[:, 1:], opset=11
    ),
    moved(
        "Split-2 equally", "a, b = Split <axis=1> (x); y = Mul (a, b)", lambda x: x[:, :2] * x[:, 2:], (4, 3), opset=7
    ),
    moved("Split-13", "a, b, c = Split <axis=1> (x); y = Add (a, b)", lambda x: x[:, :1] + x[:, 1:2], opset=13),
    moved("Tile", "y = Tile (x, r)", lambda x, **_: x.repeat(1, 2, 1, 3), r=[1, 2, 1, 3]),
    moved(
        "Tile the batch",
        "z = Tile (x, r); t = Transpose <perm=[1, 0]> (z); u = Reshape (t, s); y = Transpose <perm=[1, 0]> (u)",
        lambda x, **_: torch.cat([x, x]).T.reshape(8, -1).T,
        (4,),
        r=[2, 1],
        s=[8, -1],
    ),
    moved(
        "Tile by a computed count",
        "s = Shape <start=2, end=3> (x); r = Concat <axis=0> (ones, s); y = Tile (x, r)",
        lambda x, **_: x.repeat(1, 1, 1, 4),
        ones=[1, 1, 1],
    ),
    *(
        moved(
            f"DepthToSpace {mode}",
            f'y = DepthToSpace <blocksize=2, mode="{mode}"> (x)',
            lambda x, order=order: fn.pixel_shuffle(x[:, order], 2),
            (12, 4, 5),
        )
        for mode, order in [("CRD", list(range(12))), ("DCR", [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11])]
    ),
    moved(
        "SpaceToDepth",
        "y = SpaceToDepth <blocksize=2> (x)",
        lambda x: fn.pixel_unshuffle(x, 2)[:, [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]],
        (3, 4, 6),
    ),
    moved("Trilu", "y = Trilu (x)", torch.triu),
    moved("Trilu lower", "y = Trilu <upper=0> (x, k)", lambda x, **_: x.tril(-1), k=-1),
]
