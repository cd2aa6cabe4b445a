"""What is differentiated: values and gradients of every objective against PyTorch."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from torch.nn import functional as fn

from ninspect.gradient import OBJECTIVES, Objective
from tests.gradient.support import CLASS_COUNT, Array, Explainer, parse, randn, relative_error

WEIGHT = randn(6, CLASS_COUNT)
IMAGES = randn(3, 6)
# Every class of every image.
CLASSES = np.tile(np.arange(CLASS_COUNT)[:, None], (1, len(IMAGES)))


def margin(logits: torch.Tensor, c: int) -> torch.Tensor:
    others = torch.arange(CLASS_COUNT) != c
    return logits[:, c] - logits[:, others].max(1).values


EQUIVALENTS: dict[Objective, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "logit": lambda z, c: z[:, c],
    "margin": margin,
    "logprob": lambda z, c: z.log_softmax(1)[:, c],
    "cross_entropy": lambda z, c: fn.cross_entropy(z, torch.full((len(z),), c), reduction="none"),
}


def expected(objective: Objective, images: Array) -> tuple[Array, Array]:
    """Values `[S, N]` and gradients `[S, *images]` in float64."""
    x = torch.from_numpy(images).double().requires_grad_()
    logits = x @ torch.from_numpy(WEIGHT).double()
    values = [EQUIVALENTS[objective](logits, c) for c in range(CLASS_COUNT)]
    gradients = [torch.autograd.grad(value.sum(), x, retain_graph=True)[0] for value in values]
    return torch.stack(values).detach().numpy(), torch.stack(gradients).numpy()


@pytest.mark.parametrize("objective", get_args(Objective))
@pytest.mark.parametrize("scale", [1, 100])
def test_value_and_gradient_are_those_of_pytorch(objective: Objective, scale: float) -> None:
    """Also where the softmax has rounded to 0 and 1."""
    images = IMAGES * np.float32(scale)
    model = parse("y = MatMul (x, w)", ("N", 6), {"w": WEIGHT})
    explanation = Explainer(model, objective=objective, of="y")(images, CLASSES)
    values, gradient = expected(objective, images)
    assert relative_error(explanation.objective, values) < 1e-5
    assert relative_error(explanation.gradient, gradient) < 1e-5


def test_the_margin_of_equal_rivals_is_measured_to_the_first() -> None:
    model = parse("y = Identity (x)", ("N", 4), {})
    explanation = Explainer(model, objective="margin", of="y")(
        np.array([[1, 2, 2, 2]], np.float32), np.array([[0], [1], [3]])
    )
    assert explanation.objective.tolist() == [[-1], [0], [0]]
    assert explanation.gradient.tolist() == [[[1, -1, 0, 0]], [[0, 1, -1, 0]], [[0, -1, 0, 1]]]


def test_every_objective_is_tested() -> None:
    assert set(EQUIVALENTS) == set(OBJECTIVES)
