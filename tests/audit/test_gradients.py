from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ninspect
from ninspect import PreprocessOptions, UsageError
from tests.support import linear_model, random_pixels, save

WEIGHTS = np.random.default_rng(0).standard_normal((5, 1, 6, 6)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(linear_model(WEIGHTS), tmp_path / "model.onnx")


def test_gradients_of_a_linear_model_are_its_weights(model: Path) -> None:
    found = ninspect.gradients(model, random_pixels(3, (6, 6, 1)), [4, 1])
    assert found.shape == (2, 3, 6, 6, 1)
    assert np.array_equal(ninspect.gradients(model, random_pixels(3, (6, 6, 1)), 1), found[1:])
    assert np.allclose(found, WEIGHTS[[4, 1], None].transpose(0, 1, 3, 4, 2), rtol=1e-5)


def test_they_are_per_pixel_whatever_the_model_input_is(model: Path) -> None:
    options = PreprocessOptions(std=0.5)
    pixels = np.zeros((1, 6, 6, 1), np.uint8)
    assert np.allclose(ninspect.gradients(str(model), pixels, preprocess=options)[:, 0, :, :, 0], 2 * WEIGHTS[:, 0])


def test_an_open_network_serves_several_calls(model: Path) -> None:
    network = ninspect.open_network(model)
    pixels = random_pixels(2, (6, 6, 1))
    assert np.array_equal(ninspect.gradients(network, pixels), ninspect.gradients(model, pixels))


@pytest.mark.parametrize(
    ("images", "classes", "said"),
    [
        (np.zeros((2, 1, 6, 7)), None, r"\[2, 1, 6, 7\], and \[N, 6, 6, 1\] is needed"),
        (np.full((2, 6, 6, 1), 200.0), None, "outside 0 to 1"),
        (np.full((2, 6, 6, 1), np.nan), None, "outside 0 to 1"),
        (np.zeros((2, 6, 6, 1)), [5], "classes 0 to 4"),
        (np.zeros((2, 6, 6, 1)), [-1], "classes 0 to 4"),
        (np.zeros((2, 6, 6, 1)), [], "no class was chosen; name one"),
    ],
)
def test_what_does_not_fit_is_said(model: Path, images: Any, classes: list[int] | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ninspect.gradients(model, images, classes)
