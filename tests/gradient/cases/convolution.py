"""Conv in every geometry: sizes are chosen so that some strides leave pixels at the end that no window reaches."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, case, randn

CONVOLUTIONS = {1: fn.conv1d, 2: fn.conv2d, 3: fn.conv3d}


def padded(x: torch.Tensor, pads: Sequence[int], value: float = 0.0) -> torch.Tensor:
    """Padding in ONNX's order: the beginning of every spatial axis, then the ends."""
    axes = len(pads) // 2
    return fn.pad(x, [pads[axis + side * axes] for axis in reversed(range(axes)) for side in (0, 1)], value=value)


def attributes(**given: Any) -> str:
    """ONNX text of those attributes that are given."""
    texts = {name: f'"{value}"' if isinstance(value, str) else str(value) for name, value in given.items()}
    return "<" + ", ".join(f"{name}={text}" for name, text in texts.items() if given[name] is not None) + ">"


def conv(
    weight: tuple[int, ...],
    size: tuple[int, ...],
    *,
    group: int = 1,
    strides: list[int] | None = None,
    pads: list[int] | None = None,
    dilations: list[int] | None = None,
    auto_pad: str | None = None,
    same_as: list[int] | None = None,
) -> Case:
    """A convolution with a weight `[Co, Ci/group, *kernel]`; `same_as` are the pads that `auto_pad` stands for."""
    axes = len(size)
    text = attributes(group=group, strides=strides, pads=pads, dilations=dilations, auto_pad=auto_pad)

    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        x = padded(x, pads or same_as or [0] * (2 * axes))
        return CONVOLUTIONS[axes](x, w, stride=strides or 1, dilation=dilations or 1, groups=group)

    channels = weight[1] * group
    return case(
        f"Conv {list(weight)} on {list(size)} {text}",
        f"y = Conv {text} (x, w)",
        function,
        (channels, *size),
        sizes_known=auto_pad in ("SAME_UPPER", "SAME_LOWER") and strides is not None,
        w=randn(*weight),
    )


def conv_transpose(weight: tuple[int, ...], size: tuple[int, ...], *, group: int = 1, **settings: Any) -> Case:
    """A transposed convolution with a weight `[Ci, Co/group, *kernel]`: linear, so it needs no equivalent."""
    text = attributes(group=group, **settings)
    return case(
        f"ConvTranspose {list(weight)} on {list(size)} {text}",
        f"y = ConvTranspose {text} (x, w)",
        None,
        (weight[0], *size),
        sizes_known="output_shape" in settings,
        w=randn(*weight),
    )


def col2im(size: list[int], kernel: list[int], columns: int, **settings: Any) -> Case:
    """Two channels of windows, added up to an image."""
    text = attributes(**settings)
    return case(
        f"Col2Im {size} {kernel} {text}",
        f"y = Col2Im {text} (x, size, kernel)",
        None,
        (2 * math.prod(kernel), columns),
        size=size,
        kernel=kernel,
    )


CASES = [
    # Kernel sizes and strides, with few input channels and with many.
    *(
        conv((4, channels, k, k), (11, 10), strides=[s, s], pads=[k // 2] * 4)
        for channels in (2, 6)
        for k in (1, 2, 3, 5)
        for s in (1, 2, 3)
    ),
    conv((4, 3, 3, 3), (8, 7)),
    conv((4, 6, 3, 3), (8, 7)),
    conv((4, 6, 1, 3), (8, 7), pads=[0, 1, 0, 1]),
    conv((4, 6, 5, 2), (8, 9), strides=[2, 3]),
    conv((4, 3, 7, 7), (12, 12), strides=[2, 2], pads=[3, 3, 3, 3]),
    conv((4, 3, 4, 4), (12, 12), strides=[4, 4]),
    # The stride leaves 2 and 3 pixels over.
    conv((4, 6, 2, 2), (10, 9), strides=[4, 4]),
    conv((4, 6, 1, 1), (9, 11), strides=[4, 3]),
    conv((4, 6, 3, 3), (10, 10), strides=[5, 4], pads=[1, 0, 0, 1]),
    # Asymmetric pads, and pads wider than the kernel.
    conv((4, 6, 3, 3), (8, 7), pads=[0, 0, 1, 1]),
    conv((4, 6, 3, 3), (8, 7), pads=[1, 1, 0, 0]),
    conv((4, 6, 3, 3), (8, 7), pads=[2, 0, 1, 3], strides=[2, 2]),
    conv((4, 6, 3, 3), (8, 7), pads=[0, 2, 2, 0], strides=[3, 1]),
    conv((4, 6, 2, 2), (6, 7), pads=[2, 2, 2, 2]),
    conv((4, 6, 1, 1), (6, 7), pads=[1, 1, 1, 1]),
    conv((4, 6, 2, 2), (6, 7), pads=[3, 3, 4, 4], strides=[2, 2]),
    # Dilation.
    conv((4, 6, 3, 3), (9, 10), dilations=[2, 2], pads=[2, 2, 2, 2]),
    conv((4, 6, 3, 2), (9, 10), dilations=[2, 3]),
    conv((4, 6, 3, 3), (11, 10), dilations=[2, 3], strides=[2, 3], pads=[1, 2, 3, 0]),
    # Groups: two, depthwise, several outputs an input channel.
    conv((4, 3, 3, 3), (8, 7), group=2, pads=[1, 1, 1, 1]),
    conv((6, 2, 3, 3), (8, 7), group=3, strides=[2, 2]),
    conv((6, 1, 3, 3), (8, 7), group=6, pads=[1, 1, 1, 1]),
    conv((6, 1, 3, 3), (8, 7), group=6, pads=[1, 1, 1, 1], strides=[2, 2]),
    conv((6, 1, 3, 3), (8, 7), group=3, pads=[0, 0, 1, 1]),
    conv((4, 1, 5, 5), (9, 9), group=2, pads=[2, 2, 2, 2], dilations=[1, 2]),
    # auto_pad: the odd pixel goes to the end or to the beginning.
    conv((4, 6, 3, 3), (8, 7), auto_pad="VALID", strides=[2, 2]),
    conv((4, 6, 3, 3), (8, 7), auto_pad="NOTSET", pads=[1, 1, 1, 1]),
    conv((4, 6, 3, 3), (8, 7), auto_pad="SAME_UPPER", same_as=[1, 1, 1, 1]),
    conv((4, 6, 2, 2), (8, 7), auto_pad="SAME_UPPER", same_as=[0, 0, 1, 1]),
    conv((4, 6, 2, 2), (8, 7), auto_pad="SAME_LOWER", same_as=[1, 1, 0, 0]),
    conv((4, 6, 3, 3), (8, 7), auto_pad="SAME_UPPER", strides=[2, 2], same_as=[0, 1, 1, 1]),
    conv((4, 6, 3, 3), (8, 7), auto_pad="SAME_LOWER", strides=[2, 2], same_as=[1, 1, 0, 1]),
    conv((4, 6, 1, 1), (8, 7), auto_pad="SAME_UPPER", strides=[3, 3], same_as=[0, 0, 0, 0]),
    # One and three spatial axes.
    conv((4, 6, 3), (11,), pads=[1, 1]),
    conv((4, 6, 3), (11,), strides=[3], pads=[0, 1]),
    conv((4, 3, 3), (12,), strides=[2], dilations=[2]),
    conv((4, 1, 3), (11,), group=4, pads=[1, 1]),
    conv((3, 5, 2, 3, 2), (5, 6, 4), pads=[0, 1, 0, 0, 1, 0]),
    conv((3, 2, 2, 3, 2), (5, 6, 4), strides=[2, 2, 1], pads=[1, 0, 1, 0, 1, 1]),
    # Other ways to write one.
    case(
        "Conv with bias and kernel_shape",
        "y = Conv <kernel_shape=[3, 3]> (x, w, b)",
        lambda x, w, b: fn.conv2d(x, w, b),
        (6, 7, 5),
        w=randn(4, 6, 3, 3),
        b=randn(4),
    ),
    case(
        "Conv with a computed weight",
        "v = Mul (w, two); y = Conv <pads=[1, 1, 1, 1], group=2> (x, v)",
        lambda x, w, two: fn.conv2d(x, w * two, padding=1, groups=2),
        (6, 7, 5),
        w=randn(400, 3, 3, 3),
        two=2.0,
    ),
    # Transposed convolutions.
    *(conv_transpose((4, 3, k, k), (5, 6), strides=[s, s], pads=[k // 2] * 4) for k in (1, 2, 3, 5) for s in (1, 2, 3)),
    conv_transpose((4, 3, 3, 3), (5, 6), strides=[2, 3], output_padding=[1, 2]),
    conv_transpose((4, 3, 3, 3), (5, 6), strides=[2, 3], pads=[0, 2, 1, 0], output_padding=[1, 1]),
    conv_transpose((4, 3, 1, 1), (5, 6), strides=[3, 2], auto_pad="SAME_UPPER"),
    conv_transpose((4, 3, 3, 2), (5, 6), strides=[2, 2], dilations=[2, 1], pads=[2, 1, 1, 0]),
    conv_transpose((4, 3, 3, 3), (5, 6), group=2, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    conv_transpose((4, 1, 3, 3), (5, 6), group=4),
    conv_transpose((4, 3, 3, 3), (5, 6), auto_pad="VALID", strides=[2, 2]),
    *(
        conv_transpose((4, 3, k, k), (5, 6), auto_pad=mode, strides=[s, s])
        for mode in ("SAME_UPPER", "SAME_LOWER")
        for k in (2, 3)
        for s in (1, 2)
    ),
    conv_transpose((4, 3, 3, 3), (5, 6), strides=[2, 2], output_shape=[10, 12]),
    conv_transpose((4, 3, 3, 3), (5, 6), strides=[2, 2], output_shape=[11, 12], auto_pad="SAME_UPPER"),
    conv_transpose((4, 3, 3), (7,), strides=[2], pads=[1, 0]),
    conv_transpose((2, 3, 2, 3, 2), (3, 4, 3), strides=[2, 1, 2], pads=[0, 1, 0, 1, 1, 0]),
    case(
        "ConvTranspose with bias, as PyTorch",
        "y = ConvTranspose <strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1], group=2> (x, w, b)",
        lambda x, w, b: fn.conv_transpose2d(x, w, b, 2, 1, 1, 2),
        (4, 5, 6),
        w=randn(4, 3, 3, 3),
        b=randn(6),
    ),
    # Windows added up to an image.
    case(
        "Col2Im as PyTorch",
        "y = Col2Im <strides=[2, 2], pads=[1, 0, 1, 0]> (x, size, kernel)",
        lambda x, **_: fn.fold(x, (5, 7), (3, 2), padding=(1, 0), stride=2),
        (12, 9),
        size=[5, 7],
        kernel=[3, 2],
    ),
    col2im([5, 6], [2, 3], 16, strides=[1, 1]),
    col2im([6, 7], [2, 2], 25, dilations=[2, 3], pads=[0, 1, 1, 0], strides=[1, 1]),
    col2im([9], [3], 4, strides=[2]),
]
