"""MaxPool and AveragePool: overlapping, tiling and gapped windows, ties, and windows that hang over the end."""

from typing import Any

import torch
from torch.nn import functional as fn

from tests.gradient.cases.convolution import attributes, padded
from tests.gradient.support import Case, Function, Values, case

MAX_POOLS: dict[int, Function] = {1: fn.max_pool1d, 2: fn.max_pool2d, 3: fn.max_pool3d}
AVERAGE_POOLS: dict[int, Function] = {1: fn.avg_pool1d, 2: fn.avg_pool2d, 3: fn.avg_pool3d}


def max_pool(
    size: tuple[int, ...],
    kernel: list[int],
    strides: list[int] | None = None,
    *,
    pads: list[int] | None = None,
    dilations: list[int] | None = None,
    ceil_mode: int | None = None,
    auto_pad: str | None = None,
    same_as: list[int] | None = None,
    values: Values = "grid",
    opset: int = 18,
) -> Case:
    """On a grid of values most windows hold their maximum several times: the first takes all."""
    axes = len(size)
    text = attributes(
        kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations, ceil_mode=ceil_mode, auto_pad=auto_pad
    )

    def function(x: torch.Tensor) -> torch.Tensor:
        around = pads or same_as or [0] * (2 * axes)
        begin, extra = around[:axes], [e - b for b, e in zip(around[:axes], around[axes:], strict=True)]
        x = padded(x, [max(0, -e) for e in extra] + [max(0, e) for e in extra], -torch.inf)
        both = [min(b, e) for b, e in zip(begin, around[axes:], strict=True)]
        return MAX_POOLS[axes](x, kernel, strides or 1, both, dilations or 1, bool(ceil_mode))

    return case(
        f"MaxPool-{opset} on {list(size)} {text} {values}",
        f"y = MaxPool {text} (x)",
        function,
        (3, *size),
        values=values,
        opset=opset,
        sizes_known=auto_pad in ("SAME_UPPER", "SAME_LOWER") and strides is not None,
    )


def average_pool(
    size: tuple[int, ...],
    kernel: list[int],
    strides: list[int] | None = None,
    *,
    pads: list[int] | None = None,
    ceil_mode: int | None = None,
    count_include_pad: int | None = None,
    opset: int = 18,
) -> Case:
    """An average pool that PyTorch has too: with the same pads on both sides, each at most half the kernel."""
    axes = len(size)
    text = attributes(
        kernel_shape=kernel, strides=strides, pads=pads, ceil_mode=ceil_mode, count_include_pad=count_include_pad
    )

    def function(x: torch.Tensor) -> torch.Tensor:
        padding = pads[:axes] if pads else 0
        return AVERAGE_POOLS[axes](x, kernel, strides or 1, padding, bool(ceil_mode), bool(count_include_pad))

    return case(
        f"AveragePool-{opset} on {list(size)} {text}", f"y = AveragePool {text} (x)", function, (3, *size), opset=opset
    )


def linear_pool(name: str, size: tuple[int, ...], opset: int = 18, **settings: Any) -> Case:
    """An average pool without equivalent in PyTorch."""
    text = attributes(**settings)
    sizes_known = str(settings.get("auto_pad")).startswith("SAME") and "strides" in settings
    return case(
        f"AveragePool-{opset} {name} {text}",
        f"y = AveragePool {text} (x)",
        None,
        (3, *size),
        opset=opset,
        sizes_known=sizes_known,
    )


CASES = [
    # Tiling windows, also where they do not fill the image or hang over its end.
    max_pool((8, 6), [2, 2], [2, 2]),
    max_pool((8, 6), [2, 2], [2, 2], values="normal"),
    max_pool((9, 7), [2, 2], [2, 2]),
    max_pool((11, 8), [3, 3], [3, 3]),
    max_pool((9, 7), [2, 2], [2, 2], ceil_mode=1),
    max_pool((10, 7), [3, 3], [3, 3], ceil_mode=1),
    max_pool((9, 7), [2, 2], [2, 2], pads=[1, 1, 0, 0]),
    max_pool((9, 7), [2, 3], [2, 3], pads=[0, 1, 1, 2]),
    max_pool((9, 7), [3, 2], [3, 2], pads=[1, 1, 1, 1], ceil_mode=1, opset=22),
    max_pool((9, 7), [2, 1], [2, 1]),
    max_pool((9, 7), [1, 1]),
    max_pool((11,), [2], [2]),
    max_pool((5, 6, 7), [2, 2, 2], [2, 2, 2]),
    # Overlapping windows.
    max_pool((9, 8), [3, 3], [2, 2]),
    max_pool((9, 8), [3, 3], [2, 2], pads=[1, 1, 1, 1], values="normal"),
    max_pool((9, 8), [3, 3], [2, 2], pads=[1, 1, 1, 1]),
    max_pool((9, 8), [3, 3], [2, 2], pads=[0, 0, 1, 1]),
    max_pool((10, 8), [3, 3], [2, 2], ceil_mode=1),
    max_pool((9, 8), [3, 3], pads=[1, 1, 1, 1]),
    max_pool((9, 8), [2, 2]),
    max_pool((9, 8), [3, 2], [1, 2]),
    max_pool((11,), [3], [2], pads=[1, 1]),
    max_pool((5, 6, 5), [2, 3, 2], [1, 2, 2], pads=[0, 1, 0, 0, 1, 0]),
    # Windows with gaps within or between them.
    max_pool((9, 8), [2, 2], [3, 3]),
    max_pool((12, 11), [2, 2], [4, 4]),
    max_pool((9, 8), [2, 2], [2, 2], dilations=[2, 2]),
    max_pool((9, 8), [3, 2], [1, 2], dilations=[2, 3], pads=[1, 1, 1, 1]),
    # auto_pad.
    max_pool((9, 8), [2, 2], auto_pad="SAME_UPPER", same_as=[0, 0, 1, 1]),
    max_pool((9, 8), [2, 2], auto_pad="SAME_LOWER", same_as=[1, 1, 0, 0]),
    max_pool((9, 8), [3, 3], [2, 2], auto_pad="SAME_UPPER", same_as=[1, 0, 1, 1]),
    max_pool((9, 8), [3, 3], [2, 2], auto_pad="SAME_LOWER", same_as=[1, 1, 1, 0]),
    max_pool((9, 7), [2, 2], [2, 2], auto_pad="SAME_UPPER", same_as=[0, 0, 1, 1]),
    max_pool((9, 7), [2, 2], [2, 2], auto_pad="VALID"),
    case(
        "MaxPool of negative images",
        "n = Neg (x); y = MaxPool <kernel_shape=[3, 3], pads=[1, 1, 1, 1]> (n)",
        lambda x: fn.max_pool2d(-x, 3, 1, 1),
        (3, 6, 5),
        values="positive",
    ),
    case(
        "MaxPool with unused indices",
        "y, where = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (x)",
        lambda x: fn.max_pool2d(x, 2),
        (3, 6, 5),
    ),
    max_pool((200, 5), [7, 5], [7, 5]),
    # Average pools that PyTorch has too.
    *(
        average_pool((9, 8), [3, 3], [2, 2], pads=[1, 1, 1, 1], count_include_pad=include, ceil_mode=ceil, opset=opset)
        for opset in (11, 19, 22)
        for include in (0, 1)
        for ceil in (0, 1)
    ),
    average_pool((8, 6), [2, 2], [2, 2]),
    average_pool((9, 7), [2, 2], [2, 2]),
    average_pool((9, 7), [2, 2], [2, 2], ceil_mode=1, opset=22),
    average_pool((9, 7), [2, 2], [2, 2], pads=[1, 1, 1, 1], opset=22),
    average_pool((9, 7), [2, 2], [2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1, opset=22),
    average_pool((9, 8), [3, 2], opset=7),
    average_pool((9, 8), [2, 2], [3, 4]),
    average_pool((11,), [3], [2], pads=[1, 1], count_include_pad=1),
    average_pool((11,), [3], [3]),
    average_pool((5, 6, 5), [2, 3, 2], [1, 2, 2], pads=[1, 1, 0, 1, 1, 0]),
    average_pool((5, 6, 5), [2, 2, 2], [2, 2, 2]),
    # Average pools that it does not have.
    *(
        linear_pool(
            "asymmetric pads",
            (9, 8),
            opset,
            kernel_shape=[3, 3],
            strides=[2, 2],
            pads=[0, 1, 2, 0],
            count_include_pad=include,
            ceil_mode=ceil,
        )
        for opset in (11, 19, 22)
        for include in (0, 1)
        for ceil in (0, 1)
    ),
    linear_pool("dilated", (9, 8), 19, kernel_shape=[2, 3], dilations=[2, 2], pads=[1, 0, 1, 0]),
    linear_pool("dilated tiles", (9, 8), 19, kernel_shape=[2, 2], strides=[2, 2], dilations=[2, 2]),
    linear_pool("tiles with pads", (9, 8), kernel_shape=[3, 3], strides=[3, 3], pads=[0, 1, 2, 1], count_include_pad=1),
    *(
        linear_pool("auto_pad", (9, 8), kernel_shape=[k, k], strides=[2, 2], auto_pad=mode, count_include_pad=include)
        for k in (2, 3)
        for mode in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for include in (0, 1)
    ),
    linear_pool("auto_pad", (9, 8), kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
    linear_pool("auto_pad", (9, 8), kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
    # Norms of windows.
    *(
        case(
            f"LpPool p={p} stride {stride}",
            f"y = LpPool <kernel_shape=[2, 3], strides=[{stride}, 3], p={p}> (x)",
            lambda x, p=p, stride=stride: fn.lp_pool2d(x, p, (2, 3), (stride, 3)),
            (3, 9, 8),
            values="positive",
        )
        for p in (1, 2, 3)
        for stride in (1, 2)
    ),
    case(
        "LpPool with pads",
        "y = LpPool <kernel_shape=[3], strides=[2], pads=[1, 0]> (x)",
        lambda x: fn.pad(x, [1, 0]).square().unfold(2, 3, 2).sum(-1).sqrt(),
        (3, 8),
    ),
    case(
        "LpPool of zeros",
        "z = Relu (x); y = LpPool <kernel_shape=[2], strides=[1]> (z)",
        lambda x: torch.linalg.vector_norm(torch.relu(x).unfold(2, 2, 1), 2, -1),
        (3, 20),
    ),
    *(
        case(
            f"GlobalLpPool p={p}",
            f"y = GlobalLpPool <p={p}> (x)",
            lambda x, p=p: x.abs().pow(p).sum((2, 3), keepdim=True).pow(1 / p),
            (3, 4, 5),
        )
        for p in (1, 2, 3)
    ),
    case(
        "GlobalLpPool of zeros",
        "z = Relu (x); y = GlobalLpPool (z)",
        lambda x: torch.linalg.vector_norm(torch.relu(x), 2, 2, True),
        (20, 2),
    ),
]
