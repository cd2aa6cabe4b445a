from pathlib import Path

import numpy as np

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
    assert found.preprocess == Preprocess().preset("minus1_1")
    assert found.doubt is None
    assert np.array_equal(network.logits(pixels), before)
    assert (network.with_preprocess(found.preprocess).logits(pixels).argmax(axis=1) == labels).all()
