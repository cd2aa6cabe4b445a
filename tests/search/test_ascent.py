from pathlib import Path

import numpy as np
import pytest

from ninspect.search import Ascent, alike, ascend, each
from tests.support import Array, even_weights, linear_model, open_network, random_pixels, with_budget

WEIGHTS = even_weights(classes=6)
CLASSES = np.array([4, 0, 1])
STARTS = random_pixels(5, (12, 12, 1))


def run(folder: Path, steps: int, length: float, *, shared: bool = False, **budget: int) -> list[Ascent]:
    network = with_budget(open_network(linear_model(WEIGHTS), folder), **budget)
    return list(ascend(network, STARTS, CLASSES, steps, length, lambda gradients: None, alike if shared else each))


def margins_and_gradients(points: Array, label: int) -> tuple[Array, Array]:
    """Of a linear model, `[M]` and `[M, H, W, C]`."""
    logits = np.einsum("kchw,nhwc->nk", WEIGHTS, points)
    rivals = np.where(np.arange(6) == label, -np.inf, logits).argmax(axis=1)
    margins = logits[:, label] - logits[np.arange(len(points)), rivals]
    return margins, np.moveaxis(WEIGHTS[label] - WEIGHTS[rivals], 1, -1)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("steps", "length"), [(0, 1.0), (1, 1.0), (4, 0.3), (8, 5.0)])
def test_points_climb_the_margin_by_steps_of_one_length_inside_the_pixel_range(
    tmp_path: Path, steps: int, length: float, shared: bool
) -> None:
    (part,) = run(tmp_path, steps, length, shared=shared)
    epsilon = length * np.sqrt(144 / 784)
    for row, label in enumerate(CLASSES):
        points = STARTS.astype(np.float64)
        margins, gradients = margins_and_gradients(points, label)
        for _ in range(steps):
            directions = gradients.mean(axis=0, keepdims=True) if shared else gradients
            norms = np.sqrt((directions**2).sum(axis=(1, 2, 3), keepdims=True))
            points = np.clip(points + epsilon * directions / norms, 0, 1)
            margins, gradients = margins_and_gradients(points, label)
        assert np.allclose(part.margin[row], margins, atol=1e-3)
        assert np.allclose(part.gradient[row], gradients, atol=1e-4)
        assert np.allclose(part.points[row], points, atol=1e-4)


def test_a_class_without_gradient_stays_where_it_is(tmp_path: Path) -> None:
    network = open_network(linear_model(np.zeros((6, 1, 12, 12))), tmp_path)
    (part,) = ascend(network, STARTS, CLASSES, 3, 1.0, lambda gradients: None)
    assert (part.margin == 0).all()
    assert (part.gradient == 0).all()


def test_the_pieces_do_not_matter(tmp_path: Path) -> None:
    (whole,) = run(tmp_path, 3, 1.0)
    pieces = run(tmp_path, 3, 1.0, search=2 * STARTS.nbytes + 1)
    assert [(part.classes.start, part.classes.stop) for part in pieces] == [(0, 2), (2, 3)]
    assert np.allclose(np.concatenate([part.margin for part in pieces]), whole.margin, atol=1e-4)
    assert np.allclose(np.concatenate([part.gradient for part in pieces]), whole.gradient, atol=1e-5)
