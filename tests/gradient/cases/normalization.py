"""Normalisations at inference: with recorded statistics, or with those of each image alone."""

from typing import Any

import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, case, randn

PARAMETERS: dict[str, Any] = {
    "scale": randn(3),
    "bias": randn(3) + 1,
    "mean": randn(3) - 1,
    "var": abs(randn(3)) + 0.3,
}


def batch_normalization(opset: int, shape: tuple[int, ...], attributes: str = "", epsilon: float = 1e-5) -> Case:
    def function(
        x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, mean: torch.Tensor, var: torch.Tensor
    ) -> torch.Tensor:
        return fn.batch_norm(x, mean, var, scale, bias, eps=epsilon)

    return case(
        f"BatchNormalization-{opset} {attributes} on {list(shape)}",
        f"y = BatchNormalization {attributes} (x, scale, bias, mean, var)",
        function,
        shape,
        opset=opset,
        **PARAMETERS,
    )


def layer_normalization(attributes: str, normalized: tuple[int, ...], epsilon: float = 1e-5) -> Case:
    return case(
        f"LayerNormalization {attributes}",
        f"y = LayerNormalization {attributes} (x, scale, bias)",
        lambda x, scale, bias: fn.layer_norm(x, normalized, scale, bias, epsilon),
        (3, 4, 5),
        scale=randn(*normalized),
        bias=randn(*normalized) + 1,
    )


CASES = [
    *(
        batch_normalization(opset, shape)
        for opset in (7, 9, 14, 15)
        for shape in [(3,), (3, 5), (3, 4, 5), (3, 2, 3, 2)]
    ),
    batch_normalization(15, (3, 4, 5), "<epsilon=0.1>", 0.1),
    batch_normalization(15, (3, 4, 5), "<training_mode=0, momentum=0.5>"),
    layer_normalization("", (5,)),
    layer_normalization("<axis=-2>", (4, 5)),
    layer_normalization("<axis=1, epsilon=0.01>", (3, 4, 5), 0.01),
    case(
        "LayerNormalization without bias",
        "y = LayerNormalization (x, scale)",
        lambda x, scale: fn.layer_norm(x, (5,), scale),
        (3, 5),
        scale=randn(5),
    ),
    case(
        "InstanceNormalization",
        "y = InstanceNormalization <epsilon=0.01> (x, scale, bias)",
        lambda x, scale, bias: fn.instance_norm(x, weight=scale, bias=bias, eps=0.01),
        (3, 4, 5),
        scale=randn(3),
        bias=randn(3) + 1,
    ),
    case(
        "InstanceNormalization of a signal",
        "y = InstanceNormalization (x, scale, bias)",
        lambda x, scale, bias: fn.instance_norm(x, weight=scale, bias=bias),
        (3, 6),
        scale=randn(3),
        bias=randn(3) + 1,
    ),
    case(
        "MeanVarianceNormalization",
        "y = MeanVarianceNormalization <axes=[2, 3]> (x)",
        lambda x: (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), correction=0, keepdim=True),
        (3, 4, 5),
    ),
    case(
        "MeanVarianceNormalization over everything",
        "y = MeanVarianceNormalization <axes=[1, 2, 3]> (x)",
        lambda x: (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), correction=0, keepdim=True),
        (3, 4, 5),
    ),
]
