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


def group_normalization(opset: int, shape: tuple[int, ...], groups: int, epsilon: float = 1e-5) -> Case:
    channels = shape[0]
    parameters = channels if opset >= 21 else groups

    def function(x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        repeats = channels // parameters
        return fn.group_norm(x, groups, scale.repeat_interleave(repeats), bias.repeat_interleave(repeats), epsilon)

    return case(
        f"GroupNormalization-{opset} of {list(shape)} in {groups}",
        f"y = GroupNormalization <num_groups={groups}, epsilon={epsilon}> (x, scale, bias)",
        function,
        shape,
        opset=opset,
        scale=randn(parameters),
        bias=randn(parameters) + 1,
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
    # Groups of channels: one scale each up to opset 20, one scale a channel from then on.
    *(
        group_normalization(opset, shape, groups)
        for opset in (18, 21)
        for shape in [(6, 4, 5), (6, 7)]
        for groups in (2, 6)
    ),
    group_normalization(21, (4, 3, 3), 1, 0.1),
    *(
        case(
            f"RMSNormalization {attributes}",
            f"y = RMSNormalization {attributes} (x, scale)",
            lambda x, scale, epsilon=epsilon: fn.rms_norm(x, scale.shape, scale, epsilon),
            (3, 4, 5),
            opset=23,
            scale=randn(*normalized),
        )
        for attributes, normalized, epsilon in [("", (5,), 1e-5), ("<axis=2, epsilon=0.1>", (4, 5), 0.1)]
    ),
    *(
        case(
            f"LRN size={size} on {list(shape)}",
            f"y = LRN <size={size}, alpha=0.9, beta=0.6, bias=1.5> (x)",
            lambda x, size=size: fn.local_response_norm(x, size, alpha=0.9, beta=0.6, k=1.5),
            shape,
        )
        for size, shape in [(3, (5, 3, 4)), (5, (7, 3, 2)), (7, (4, 2, 2)), (1, (3, 2, 2))]
    ),
    case("LRN", "y = LRN <size=3> (x)", lambda x: fn.local_response_norm(x, 3), (5, 3, 4)),
    *(
        case(
            f"LpNormalization p={p} axis={axis}",
            f"y = LpNormalization <p={p}, axis={axis}> (x)",
            lambda x, p=p, axis=axis: fn.normalize(x, p, axis),
            (3, 4, 5),
        )
        for p in (1, 2)
        for axis in (1, -1)
    ),
    case(
        "LpNormalization of zeros",
        "z = Relu (x); y = LpNormalization <axis=1> (z)",
        # PyTorch divides by ε where the norm is 0: there only the sum over no pixels has a gradient.
        lambda x: torch.relu(x) / torch.linalg.vector_norm(torch.relu(x), dim=1, keepdim=True).clamp(min=1e-12),
        (2, 20),
    ),
]
