"""The terms that a search may add to its loss, against finite differences of what they are the gradients of."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ninspect import Network, load_samples, open_network
from ninspect.runtime import Pixels
from tools.measure.penalties import Tabor, imagined

MODEL, SAMPLES = "models/digits/badnet_torch.onnx", "models/digits/samples"
Array = NDArray[np.float32]
COST = np.array([0.5, 2.0])
CLASSES = np.array([[3] * 4, [5] * 4])


@pytest.fixture(scope="module")
def network() -> Network:
    return open_network(MODEL, preset="unit")


@pytest.fixture(scope="module")
def images() -> Pixels:
    return load_samples(SAMPLES, image_shape=(28, 28, 1), limit=4).unit_pixels


def cross_entropy(network: Network, images: Pixels, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    logits = network.logits(np.asarray(images, np.float32)).astype(np.float64)
    return np.asarray(np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(logits)), classes])


def loss(network: Network, images: Pixels, tabor: Tabor, mask: Array, pattern: Array) -> float:
    """The terms as the docstring of `Tabor` has them, added up over the triggers."""
    total = 0.0
    answers = network.logits(images).argmax(axis=1)
    for m, p, cost, goals in zip(mask, pattern, COST, CLASSES, strict=True):
        b = (1 - m[..., None]) * p
        total += tabor.large * cost * float((m**2).sum() + np.abs(b).sum() + (b**2).sum())
        steps = sum(float((np.diff(value, axis=axis) ** 2).sum()) for value in (m, b) for axis in (0, 1))
        total += tabor.scattered * cost * steps
        total += tabor.blocking * float(cross_entropy(network, (1 - m[..., None]) * images, answers).mean())
        total += tabor.overlaying * float(cross_entropy(network, (m[..., None] * p)[None], goals[:1])[0])
    return total


@pytest.mark.parametrize("name", ["large", "scattered", "blocking", "overlaying"])
def test_gradients_are_those_of_the_formulas(name: str, network: Network, images: Pixels) -> None:
    tabor, generator = Tabor(**{name: 0.7}), np.random.default_rng(0)
    mask = generator.uniform(0.1, 0.9, (2, 28, 28)).astype(np.float32)
    pattern = generator.uniform(0.1, 0.9, (2, 28, 28, 1)).astype(np.float32)
    found = tabor(network, images, CLASSES, mask, pattern, COST)
    for which in range(2):
        for _ in range(3):
            values, step = [mask, pattern], 1e-3
            way = generator.normal(size=values[which].shape).astype(np.float32)
            way /= np.linalg.norm(way)
            above, below = (
                loss(network, images, tabor, *[v + s * step * way if i == which else v for i, v in enumerate(values)])
                for s in (1, -1)
            )
            assert float((found[which] * way).sum()) == pytest.approx((above - below) / (2 * step), rel=0.1, abs=3e-3)


def test_imagined_images_are_what_the_model_takes_for_its_classes(network: Network) -> None:
    pictures = imagined(network, 20, seed=0)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert np.mean(network.logits(pictures).argmax(axis=1) == np.arange(20) % 10) > 0.9
