"""Selections and replacements of single elements: the same for every image."""

from typing import Any

import numpy as np
import torch

from tests.gradient.support import Array, Case, Function, case, generator

IMAGE = (3, 4, 5)
# `i` is the index, repeated for every image.
REPEATED = "n = Shape <end=1> (x); s = Concat <axis=0> (n, ones); i = Expand (index, s)"


def repeated(x: torch.Tensor, index: Array) -> torch.Tensor:
    return torch.from_numpy(index).expand(len(x), *index.shape)


def gather_elements(shape: tuple[int, ...], axis: int) -> Case:
    """Elements of one axis, half of them counted from its end, some of them twice."""
    size = (0, *IMAGE)[axis]
    index = generator(str(shape)).integers(-size, size, shape)
    return case(
        f"GatherElements {list(shape)} axis={axis}",
        f"{REPEATED}; y = GatherElements <axis={axis}> (x, i)",
        lambda x, **_: x.gather(axis, repeated(x, index % size)),
        IMAGE,
        index=index,
        ones=[1, 1, 1],
    )


def scatter_elements(name: str, nodes: str, function: Function) -> Case:
    """The first rows are replaced by others in another order; no element is replaced twice."""
    index = np.argsort(generator(name).standard_normal((3, 4, 5)), axis=1)[:, :2]
    return case(
        f"ScatterElements {name}",
        f"{REPEATED}; {nodes}",
        lambda x, **_: function(x, repeated(x, index)),
        IMAGE,
        index=index,
        ones=[1, 1, 1],
        zero=[0],
        one=[1],
        two=[2],
        axis=[2],
    )


def nd(
    name: str, nodes: str, function: Function, shape: tuple[int, ...] = IMAGE, opset: int = 18, **weights: Any
) -> Case:
    return case(name, nodes, function, shape, opset=opset, **weights)


def top_k(attributes: str, k: int, function: Function) -> Case:
    return case(f"TopK {attributes}", f"y, i = TopK {attributes} (x, k)", function, IMAGE, k=[k])


def reversed_rows(x: torch.Tensor, *lengths: int) -> torch.Tensor:
    """The first rows of each of the images in turn, in reverse order."""
    return torch.stack([torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(x, lengths, strict=False)])


CASES = [
    gather_elements((3, 4, 5), 1),
    gather_elements((2, 4, 3), 2),
    gather_elements((3, 1, 9), -1),
    scatter_elements(
        "into the image",
        "u = Slice (x, zero, two, axis); t = Tanh (u); y = ScatterElements <axis=2> (x, i, t)",
        lambda x, i: x.scatter(2, i, x[:, :, :2].tanh()),
    ),
    scatter_elements(
        "added to the image",
        """
        u = Slice (x, one, two, axis); v = Concat <axis=2> (u, u)
        y = ScatterElements <axis=-2, reduction="add"> (x, i, v)
        """,
        lambda x, i: x.scatter_add(2, i, x[:, :, [1, 1]]),
    ),
    # Indices of points.
    nd(
        "GatherND of all images",
        "t = Transpose <perm=[1, 2, 0]> (x); z = GatherND (t, i); y = Transpose (z)",
        lambda x, **_: x[:, [0, 2, 1, 2], [1, 3, 0, 3]],
        (3, 4),
        i=[[0, 1], [2, 3], [-2, 0], [2, 3]],
    ),
    nd(
        "GatherND of rows",
        "t = Transpose <perm=[1, 0, 2]> (x); z = GatherND (t, i); y = Transpose <perm=[2, 0, 1, 3]> (z)",
        lambda x, **_: x[:, [[0, 2], [2, 1]]],
        (3, 4),
        i=[[[0], [2]], [[2], [1]]],
    ),
    nd(
        "GatherND of every image",
        f"{REPEATED}; y = GatherND <batch_dims=1> (x, i)",
        lambda x, **_: x[:, [0, 2, 2], [1, 3, 3]],
        index=[[0, 1], [2, 3], [-1, 3]],
        ones=[1, 1],
    ),
    nd(
        "GatherND of every channel",
        f"{REPEATED}; y = GatherND <batch_dims=2> (x, i)",
        lambda x, **_: x[:, [0, 1, 2], [1, 3, 0]],
        index=[[1], [3], [0]],
        ones=[1, 1],
    ),
    nd(
        "ScatterND into all images",
        """
        t = Transpose <perm=[1, 2, 0]> (x); e = Sin (t); u = GatherND (e, j)
        z = ScatterND (t, i, u); y = Transpose <perm=[2, 0, 1]> (z)
        """,
        lambda x, **_: torch.index_put(
            x, (torch.arange(len(x))[:, None], torch.tensor([0, 2]), torch.tensor([1, 3])), x.sin()[:, [0, 1], [0, 0]]
        ),
        (3, 4),
        i=[[0, 1], [2, 3]],
        j=[[0, 0], [1, 0]],
    ),
    nd(
        "ScatterND adding rows twice",
        """
        t = Transpose <perm=[1, 0, 2]> (x); e = Sin (t); z = ScatterND <reduction="add"> (t, i, e)
        y = Transpose <perm=[1, 0, 2]> (z)
        """,
        lambda x, **_: x.index_add(1, torch.tensor([1, 0, 1]), x.sin()),
        (3, 4),
        i=[[1], [0], [-2]],
    ),
    top_k("<axis=1>", 2, lambda x, **_: x.topk(2, 1).values),
    top_k("", 3, lambda x, **_: x.topk(3).values),
    top_k("<axis=2, largest=0>", 1, lambda x, **_: x.topk(1, 2, largest=False).values),
    case(
        "TopK-10",
        "y, i = TopK <axis=-1> (x, k)",
        lambda x, **_: x.topk(2).values,
        IMAGE,
        opset=10,
        k=[2],
    ),
    case(
        "ReverseSequence",
        """
        n = Shape <end=1> (x); all = Concat <axis=0> (l, l); l2 = Slice (all, zero, n)
        y = ReverseSequence <batch_axis=0, time_axis=1> (x, l2)
        """,
        lambda x, **_: reversed_rows(x, 3, 1, 2),
        IMAGE,
        l=[3, 1, 2],
        zero=[0],
    ),
    case(
        "ReverseSequence of channels",
        "t = Transpose <perm=[2, 1, 0]> (x); z = ReverseSequence (t, l); y = Transpose <perm=[2, 1, 0]> (z)",
        lambda x, **_: torch.stack([x[:, 0].flip(1), x[:, 1], x[:, 2, [1, 0, 2, 3]]], 1),
        (3, 4),
        l=[4, 1, 2],
    ),
]
