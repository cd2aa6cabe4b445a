"""One small network written for every operator set, and shapes computed as exporters write them."""

import numpy as np
import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, case, randn


def network(opset: int) -> Case:
    """The operators whose form changed most: axes and bounds were attributes, and Softmax took all trailing axes."""
    clip = "c = Clip (b, low, high)" if opset >= 11 else "c = Clip <min=0.0, max=6.0> (b)"
    unsqueeze = "u = Unsqueeze (f, two)" if opset >= 13 else "u = Unsqueeze <axes=[2]> (f)"
    mean = "m = ReduceMean <keepdims=0> (u, two)" if opset >= 18 else "m = ReduceMean <axes=[2], keepdims=0> (u)"
    return case(
        f"a network of opset {opset}",
        f"""
        a = Conv <kernel_shape=[3, 3], pads=[1, 1, 1, 1]> (x, w)
        b = BatchNormalization (a, scale, bias, mean, var)
        {clip}
        p = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (c)
        d = Dropout (p)
        f = Flatten (d)
        {unsqueeze}
        {mean}
        y = Softmax <axis=1> (m)
        """,
        lambda x, w, scale, bias, mean, var, low, high: (
            fn.max_pool2d(fn.batch_norm(fn.conv2d(x, w, padding=1), mean, var, scale, bias).clamp(low, high), 2)
            .flatten(1)
            .softmax(1)
        ),
        (3, 6, 6),
        opset=opset,
        w=randn(4, 3, 3, 3),
        scale=randn(4),
        bias=randn(4),
        mean=randn(4),
        var=abs(randn(4)) + 0.5,
        low=0.0,
        high=6.0,
        two=[2],
    )


def old_network(opset: int) -> Case:
    """What ONNX Runtime still loads of the operator sets before 7, which it does not promise to support."""
    return case(
        f"a network of opset {opset}",
        """
        a = Conv <kernel_shape=[3, 3], pads=[1, 1, 1, 1]> (x, w)
        p = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (a)
        t = Transpose <perm=[0, 2, 3, 1]> (p)
        m = ReduceMean <axes=[1, 2], keepdims=0> (t)
        y = Softmax (m)
        """,
        lambda x, w: fn.max_pool2d(fn.conv2d(x, w, padding=1), 2).mean((2, 3)).softmax(1),
        (3, 6, 6),
        opset=opset,
        w=randn(4, 3, 3, 3),
    )


CASES = [
    *(old_network(opset) for opset in range(1, 7)),
    *(network(opset) for opset in range(7, 27)),
    case(
        "a network in half precision",
        """
        h = Cast <to=10> (x); hw = Cast <to=10> (w); hv = Cast <to=10> (v); hs = Cast <to=10> (s)
        a = Conv <pads=[1, 1, 1, 1]> (h, hw)
        b = BatchNormalization (a, hs, hs, hs, hs)
        c = LeakyRelu (b)
        d = MaxPool <kernel_shape=[3, 3], strides=[2, 2]> (c)
        e = AveragePool <kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]> (d)
        f = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (e)
        g = Flatten (f); i = Gemm (g, hv); j = Softmax (i)
        y = Cast <to=1> (j)
        """,
        lambda x, w, v, s: (
            fn.max_pool2d(
                fn.avg_pool2d(
                    fn.max_pool2d(
                        fn.leaky_relu(fn.batch_norm(fn.conv2d(x, w, padding=1), s, s, s, s)),
                        3,
                        2,
                    ),
                    3,
                    2,
                    1,
                    count_include_pad=False,
                ),
                2,
            ).flatten(1)
            @ v
        ).softmax(1),
        (3, 17, 17),
        tolerance=2e-2,
        w=randn(4, 3, 3, 3) / 4,
        v=randn(16, 5) / 4,
        s=abs(randn(4)) + 0.5,
    ),
    # TorchScript: x.view(x.size(0), -1)
    case(
        "Reshape as TorchScript writes it",
        """
        t = Tanh (x)
        s = Shape (t)
        zero = Constant <value = int64 {0}> ()
        n = Gather <axis=0> (s, zero)
        first = Constant <value = int64[1] {0}> ()
        u = Unsqueeze (n, first)
        rest = Constant <value = int64[1] {-1}> ()
        target = Concat <axis=0> (u, rest)
        y = Reshape (t, target)
        """,
        lambda x: torch.tanh(x).flatten(1),
        (3, 4, 5),
    ),
    # tf2onnx: sizes pass through int32, and Slice picks them.
    case(
        "Reshape as tf2onnx writes it",
        """
        t = Tanh (x)
        s = Shape (t)
        i = Cast <to=6> (s)
        n = Slice (i, zero, one, zero)
        rest = Concat <axis=0> (n, sixty)
        target = Cast <to=7> (rest)
        y = Reshape (t, target)
        """,
        lambda x: torch.tanh(x).flatten(1),
        (3, 4, 5),
        zero=[0],
        one=[1],
        sixty=np.array([60], np.int32),
    ),
    case(
        "Reshape to a product of sizes",
        """
        s = Shape (x)
        hw = Slice (s, two, four)
        area = ReduceProd <keepdims=1> (hw)
        head = Slice (s, zero, two)
        target = Concat <axis=0> (head, area)
        r = Reshape (x, target)
        y = Softmax <axis=-1> (r)
        """,
        lambda x: x.flatten(2).softmax(-1),
        (3, 4, 5),
        zero=[0],
        two=[2],
        four=[4],
    ),
    case(
        "Expand to a computed batch",
        """
        s = Shape <start=0, end=1> (x)
        target = Concat <axis=0> (s, rest)
        token = Expand (w, target)
        y = Concat <axis=1> (token, x)
        """,
        lambda x, w: torch.cat([w.expand(len(x), -1, -1), x], 1),
        (4, 5),
        rest=[1, 5],
        w=randn(1, 1, 5),
    ),
    case(
        "Slice of a weight by the batch size",
        "n = Shape <end=1> (x); p = Slice (w, zero, n, zero); m = ReduceMean <keepdims=0> (p); y = Mul (x, m)",
        lambda x, w: x * w[: len(x)].mean(),
        (4, 5),
        zero=[0],
        w=randn(7),
    ),
]
