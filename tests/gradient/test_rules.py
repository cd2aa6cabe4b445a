"""Every rule: against PyTorch's autograd in float64, against finite differences, and on what PyTorch cannot express."""

import numpy as np
import pytest
import torch

from ninspect.errors import ModelError
from ninspect.gradient.registry import RULES
from ninspect.graph.convert import EXPANDED
from ninspect.graph.expansions import EXPANSIONS
from tests.gradient.cases import CASES
from tests.gradient.support import (
    EXPLAINED,
    Array,
    Case,
    Dims,
    Explainer,
    autograd,
    relative_error,
    session,
    some_classes,
)

# What a model may say about the axes of its input: numbers, a name for the batch, names for the sizes too, or nothing.
KNOWLEDGE = ["fixed", "batch named", "sizes named", "unknown"]
BATCHES = {"fixed": [2], "batch named": [1, 3], "sizes named": [2], "unknown": [1, 2]}


def dims_of(case: Case, knowledge: str) -> Dims:
    channels, *sizes = case.shape
    known: dict[str, Dims] = {
        "fixed": (2, channels, *sizes),
        "batch named": ("N", channels, *sizes),
        "sizes named": ("N", channels, *(f"D{axis}" for axis, _ in enumerate(sizes))),
        "unknown": (None, channels, *(None for _ in sizes)),
    }
    return known[knowledge]


def applies(case: Case, knowledge: str) -> bool:
    return not case.sizes_known or knowledge in ("fixed", "batch named")


def cases(*, linear: bool) -> list[object]:
    """Every case with everything that a model may say about its axes."""
    return [
        pytest.param(case, knowledge, id=f"{case}, {knowledge}")
        for case in CASES
        for knowledge in KNOWLEDGE
        if applies(case, knowledge) and (case.function is None) == linear
    ]


@pytest.mark.parametrize(("case", "knowledge"), cases(linear=False))
def test_the_gradient_is_that_of_autograd(case: Case, knowledge: str) -> None:
    model = case.model(dims_of(case, knowledge))
    explain, original = Explainer(model), session(model)
    for count in BATCHES[knowledge]:
        images = case.images(count)
        classes = some_classes(images)
        explanation = explain(images, classes)
        logits = case.torch_logits(torch.from_numpy(images).double()).numpy()
        assert relative_error(original.run(None, {"x": images})[0], logits) < case.tolerance
        assert relative_error(explanation.logits, logits) < case.tolerance
        assert relative_error(explanation.gradient, autograd(case.torch_logits, images, classes)) < case.tolerance


@pytest.mark.parametrize("case", [c for c in CASES if c.function is not None and c.values != "grid"], ids=str)
def test_the_gradient_is_the_slope_of_the_function(case: Case) -> None:
    images = case.images(2)
    classes = some_classes(images)
    gradient = Explainer(case.model((2, *case.shape)))(images, classes).gradient.astype(np.float64)
    direction = case.images(2, seed=1).astype(np.float64)
    step = 1e-6 * direction
    slope = (objective(case, images + step, classes) - objective(case, images - step, classes)) / 2e-6
    products = (gradient * direction).reshape(EXPLAINED, -1)
    # Rounding is in proportion to what is summed, not to the sum.
    assert products.sum(1) == pytest.approx(slope, abs=case.tolerance * np.abs(products).sum(1).max())


def objective(case: Case, images: Array, classes: Array) -> Array:
    """Σ_n logits[n, classes[s, n]] for each s in float64, by PyTorch's forward pass alone."""
    logits = case.torch_logits(torch.from_numpy(images)).numpy()
    return np.array([logits[np.arange(len(row)), row].sum() for row in classes])


@pytest.mark.parametrize(("case", "knowledge"), cases(linear=True))
def test_the_gradient_of_a_linear_map_is_its_adjoint(case: Case, knowledge: str) -> None:
    """⟨ȳ, A·x⟩ = ⟨Aᵀ·ȳ, x⟩ for several x."""
    model = case.model(dims_of(case, knowledge))
    explain, original = Explainer(model), session(model)
    for seed in range(4):
        images = case.images(2, seed)
        explanation = explain(images, some_classes(images))
        assert relative_error(explanation.logits, np.asarray(original.run(None, {"x": images})[0])) < case.tolerance
        products = (explanation.gradient.astype(np.float64) * images).reshape(EXPLAINED, -1)
        tolerance = case.tolerance * np.abs(products).sum(1).max()
        assert explanation.objective.sum(1) == pytest.approx(products.sum(1), abs=tolerance)


@pytest.mark.parametrize("case", [c for c in CASES if c.sizes_known], ids=str)
def test_a_rule_that_needs_the_image_size_says_so(case: Case) -> None:
    with pytest.raises(ModelError, match=r"give the size of the images|the shape of tensor '.*' cannot be inferred"):
        Explainer(case.model(dims_of(case, "sizes named")))


def test_every_rule_has_a_case() -> None:
    nodes = [node for case in CASES for node in case.model((1, *case.shape)).graph.node]
    assert {*RULES, *EXPANDED, *EXPANSIONS} <= {node.op_type for node in nodes}
