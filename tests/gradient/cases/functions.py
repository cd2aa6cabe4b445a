"""Operators that are expanded into others before they are differentiated."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, case, randn

Tensor = torch.Tensor


def attention(name: str, settings: str = "", inputs: str = "q, k, v", opset: int = 23, **torch_settings: Any) -> Case:
    """Five tokens that attend to each other in two heads of size 4, as PyTorch does."""
    heads = "q_num_heads=2, kv_num_heads=2"

    def function(x: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, **_: Tensor) -> Tensor:
        mask = torch_settings.get("attn_mask")
        settings = torch_settings if mask is None else torch_settings | {"attn_mask": torch.from_numpy(mask)}
        mixed = fn.scaled_dot_product_attention(split(x @ wq), split(x @ wk), split(x @ wv), **settings)
        return mixed.transpose(1, 2).flatten(2)

    weights = {"mask": torch_settings["attn_mask"]} if "attn_mask" in torch_settings else {}
    return case(
        f"Attention-{opset} {name}",
        f"""
        q = MatMul (x, wq); k = MatMul (x, wk); v = MatMul (x, wv)
        y = Attention <{heads}{settings}> ({inputs})
        """,
        function,
        (5, 3),
        opset=opset,
        wq=randn(3, 8),
        wk=randn(3, 8) / 2,
        wv=randn(3, 8) + 1,
        **weights,
    )


def split(x: Tensor) -> Tensor:
    """`[N, tokens, heads · size]` to `[N, heads, tokens, size]`."""
    return x.reshape(len(x), -1, 2, 4).transpose(1, 2)


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Pairs of a number from the first half and one from the second, turned by an angle that grows with the token."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


ANGLES = np.outer(np.arange(5), [1.0, 0.1])

CASES = [
    *(attention("of every token to all", opset=opset) for opset in (23, 24)),
    attention("scaled", ", scale=0.3", scale=0.3),
    attention("to earlier tokens", ", is_causal=1", is_causal=True),
    attention("with a bias", inputs="q, k, v, mask", attn_mask=randn(5, 5)),
    attention("with a mask", inputs="q, k, v, mask", attn_mask=np.tri(5, dtype=bool)),
    case(
        "Attention of heads",
        "t = Tanh (x); e = Sin (x); y = Attention (x, t, e)",
        lambda x: fn.scaled_dot_product_attention(x, x.tanh(), x.sin()),
        (2, 5, 4),
        opset=23,
    ),
    case(
        "Attention of four heads to two",
        "k = Slice (x, zero, two, one); v = Tanh (k); y = Attention (x, k, v)",
        lambda x, **_: fn.scaled_dot_product_attention(x, x[:, :2], x[:, :2].tanh(), enable_gqa=True),
        (4, 5, 3),
        opset=23,
        zero=[0],
        one=[1],
        two=[2],
    ),
    case(
        "Attention with bounded scores",
        "y = Attention <softcap=0.5> (x, x, x)",
        lambda x: (0.5 * torch.tanh(x @ x.mT / 2 / 0.5)).softmax(-1) @ x,
        (2, 5, 4),
        opset=23,
    ),
    case(
        "RotaryEmbedding",
        """
        n = Shape <end=1> (x); s = Concat <axis=0> (n, five); i = Expand (index, s)
        y = RotaryEmbedding (x, cos, sin, i)
        """,
        rotated,
        (2, 5, 4),
        opset=23,
        cos=np.cos(ANGLES),
        sin=np.sin(ANGLES),
        index=np.arange(5),
        five=[5],
    ),
    case(
        "CenterCropPad",
        "y = CenterCropPad <axes=[2, 3]> (x, s)",
        lambda x: fn.pad(x, [1, 1, -1, -2]),
        (2, 6, 3),
        s=[3, 5],
    ),
]
