from pathlib import Path

import numpy as np
import pytest

from ninspect.audit.infer import infer_preset
from ninspect.preprocess import Preprocess
from ninspect.samples import Samples
from tests.support import even_weights, linear_answers, linear_model, open_network, random_pixels


def test_the_preset_is_found_and_the_network_stays_as_it_is(tmp_path: Path) -> None:
    """The classes of images from −1 to 1, told by a model whose weights do not sum to zero."""
    weights = even_weights() + np.linspace(-0.5, 0.5, 10).reshape(10, 1, 1, 1)
    network, pixels = open_network(linear_model(weights), tmp_path), random_pixels(200, (12, 12, 1))
    labels = linear_answers(weights, 2 * pixels - 1)
    samples = Samples(np.rint(255 * pixels).astype(np.uint8), labels, ("",) * 200, "images", "npz")
    before = network.logits(pixels)
    found = infer_preset(network, samples, Preprocess())
    assert found.preprocess == Preprocess().with_preset("minus1_1")
    assert found.doubt is None
    assert np.array_equal(network.logits(pixels), before)
    assert (network.with_preprocess(found.preprocess).logits(pixels).argmax(axis=1) == labels).all()


@pytest.mark.parametrize("step", [0, 1, 5])
def test_the_numbers_of_the_labels_do_not_choose_the_preset(tmp_path: Path, step: int) -> None:
    weights = even_weights() + np.linspace(-0.5, 0.5, 10).reshape(10, 1, 1, 1)
    network, pixels = open_network(linear_model(weights), tmp_path), random_pixels(200, (12, 12, 1))
    labels = (linear_answers(weights, 2 * pixels - 1) + step) % 10
    samples = Samples(np.rint(255 * pixels).astype(np.uint8), labels, ("",) * 200, "images", "npz")
    assert infer_preset(network, samples, Preprocess()).preprocess == Preprocess().with_preset("minus1_1")


def test_a_tie_is_unit(tmp_path: Path) -> None:
    """The weights sum to zero, so all presets give the same answers; some of the labels are wrong."""
    weights, pixels = even_weights(), random_pixels(200, (12, 12, 1))
    network, labels = open_network(linear_model(weights), tmp_path), linear_answers(weights, pixels)
    labels[:20] = 0
    samples = Samples(np.rint(255 * pixels).astype(np.uint8), labels, ("",) * 200, "images", "npz")
    found = infer_preset(network, samples, Preprocess())
    assert found.preprocess == Preprocess().with_preset("unit")
    assert found.doubt is not None
    assert "--mean and --std" in found.doubt
