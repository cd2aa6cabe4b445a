"""Where networks are held back, against NumPy and finite differences."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from ninspect import open_network
from ninspect.errors import ModelError
from ninspect.remedy.activity import activity
from ninspect.remedy.candidates import Candidate, best
from ninspect.remedy.free import FreeNetwork
from ninspect.remedy.proof import Measured
from ninspect.remedy.pruning import nothing, without_dormant, without_steep
from ninspect.remedy.sites import Limits, sites
from ninspect.remedy.threats import Examples
from ninspect.runtime import Network
from tests.support import onnx_model
from tests.support import open_network as opened

GENERATOR = np.random.default_rng(0)
MIDDLE = 6  # channels


@pytest.fixture(scope="module", params=["torch", "keras"])
def free(request: pytest.FixtureRequest) -> FreeNetwork:
    return FreeNetwork(open_network(f"models/digits/badnet_{request.param}.onnx", device="cpu"))


@pytest.fixture(scope="module")
def two_layers(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A convolution to six channels, of which the last is a hundred times as steep and the first never awake."""
    kernel = GENERATOR.normal(size=(MIDDLE, 1, 3, 3))
    kernel[-1] *= 100
    bias = np.zeros(MIDDLE)
    bias[0] = -1000.0
    nodes = """h = Conv<pads = [1, 1, 1, 1]>(x, k, b); r = Relu(h); g = GlobalAveragePool(r); f = Flatten(g)
        y = MatMul(f, w)"""
    model = onnx_model(nodes, k=kernel, b=bias, w=GENERATOR.normal(size=(MIDDLE, 10)))
    return opened(model, tmp_path_factory.mktemp("layers"))


def pictures(network: Network, count: int = 8) -> np.ndarray:
    return np.random.default_rng(1).random((count, *network.input_map.image_shape), dtype=np.float32)


def test_limits_that_change_nothing_change_nothing(free: FreeNetwork) -> None:
    pixels = pictures(free.network)
    logits = free.network.logits(pixels)
    np.testing.assert_array_equal(free.held(nothing(free.places)).logits(pixels), logits)
    np.testing.assert_allclose(free.logits(pixels, nothing(free.places)), logits, rtol=1e-5, atol=1e-5)


def test_free_and_fixed_limits_do_the_same(free: FreeNetwork) -> None:
    pixels, count = pictures(free.network), sum(site.channels for site in free.places)
    seen = activity(free.network, free.places, pixels)
    scales = GENERATOR.random(count).astype(np.float32)
    limits = Limits(scales, (0.5 * seen.largest).astype(np.float32))
    held = free.held(limits).logits(pixels)
    assert np.abs(held - free.network.logits(pixels)).max() > 0.1
    np.testing.assert_allclose(free.logits(pixels, limits), held, rtol=1e-4, atol=1e-4)


def test_the_gradient_is_the_derivative_with_respect_to_the_limits(free: FreeNetwork) -> None:
    pixels, count = pictures(free.network, 40), sum(site.channels for site in free.places)
    classes = np.arange(40) % free.network.classes
    seen = activity(free.network, free.places, pixels)
    start = Limits(np.full(count, 0.8, np.float32), (0.7 * np.maximum(seen.largest, 0.1)).astype(np.float32))
    direction = GENERATOR.normal(size=2 * count) * np.concatenate([start.scales, start.bounds])

    def loss(step: float) -> float:
        scales, bounds = np.split(start.flat + step * direction, 2)
        logits = free.logits(pixels, Limits(scales.astype(np.float32), bounds.astype(np.float32))).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(40), classes]).sum())

    step = 1e-3
    expected = (loss(step) - loss(-step)) / (2 * step)
    gradient = free.gradient(pixels, classes, start)
    assert float(gradient @ direction) == pytest.approx(expected, rel=0.02)


def test_sites_are_what_linear_layers_read_behind_another(two_layers: Network) -> None:
    (site,) = sites(two_layers.classifier)
    assert (site.channels, site.axis, site.rank, site.shape) == (MIDDLE, 1, 2, [1, MIDDLE])


def test_a_bound_is_the_most_that_the_next_layer_gets(two_layers: Network) -> None:
    free, pixels = FreeNetwork(two_layers), pictures(two_layers)
    bounds = np.full(MIDDLE, 0.25, np.float32)
    weights = ir.convenience.get_const_tensor(two_layers.classifier.model.graph.initializers["w"])
    assert weights is not None
    names = [site.name for site in free.places]
    seen = activity(two_layers, free.places, pixels[:1])  # of one image, the largest value is the value
    held = free.held(Limits(np.ones(MIDDLE, np.float32), bounds))
    expected = np.minimum(seen.largest, 0.25) @ weights.numpy()
    np.testing.assert_allclose(held.logits(pixels[:1])[0], expected, rtol=1e-4, err_msg=str(names))


def test_a_model_of_one_layer_cannot_be_held_back(tmp_path: Path) -> None:
    model = onnx_model("f = Flatten(x); y = MatMul(f, w)", w=GENERATOR.normal(size=(64, 10)))
    with pytest.raises(ModelError, match="nothing in it can be bounded"):
        sites(opened(model, tmp_path).classifier)


def test_steep_channels_go_and_no_others(two_layers: Network) -> None:
    places = sites(two_layers.classifier)
    found = {spread: limits.scales for spread, limits in without_steep(two_layers.classifier, places)}
    np.testing.assert_array_equal(found[2.0], [1, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(found[4.0], np.ones(MIDDLE))  # of six values none is so far from their mean


def test_dormant_channels_go_as_long_as_answers_stay(two_layers: Network) -> None:
    free, pixels = FreeNetwork(two_layers), pictures(two_layers, 60)
    fit = Examples(pixels, two_layers.logits(pixels).argmax(axis=1), None)
    limits = without_dormant(free, activity(two_layers, free.places, pixels), fit)
    assert limits.scales[0] == 0  # never awake
    assert limits.scales[-1] == 1  # decides everything
    answers = free.held(limits).logits(pixels).argmax(axis=1)
    assert np.mean(answers != fit.answers) <= 0.01


def candidate(name: str, success: float, drop: float) -> Candidate:
    nowhere = Limits(np.ones(1, np.float32), np.ones(1, np.float32))
    return Candidate(name, nowhere, Measured(1 - drop, None, (success,)), drop)


def test_the_best_fails_triggers_within_what_may_be_lost_and_costs_least() -> None:
    unchanged = candidate("unchanged", 0.99, 0.0)
    gentle, strong, wild = candidate("gentle", 0.04, 0.002), candidate("strong", 0.0, 0.015), candidate("wild", 0, 0.2)
    assert best([unchanged, gentle, strong, wild], 0.02) is gentle
    assert best([unchanged, candidate("half", 0.4, 0.0), strong, wild], 0.02) is strong
    assert best([unchanged, candidate("nearly", 0.09, 0.004), strong, wild], 0.02).name == "nearly"
    assert best([unchanged, wild], 0.02) is unchanged
