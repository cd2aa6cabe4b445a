from pathlib import Path

import numpy as np

from ninspect.detect.heatmap import explain
from ninspect.measure.features import heatmaps
from tests import autograd
from tests.support import backdoored_weights, convolutional_model, linear_model, open_network, random_pixels


def test_a_heatmap_shows_the_pixels_that_a_class_uses(tmp_path: Path) -> None:
    network = open_network(linear_model(backdoored_weights(target=7)), tmp_path)
    (part,) = explain(network, random_pixels(3, (12, 12, 1)), np.array([2, 7]))
    used = np.zeros((12, 12), bool)
    used[1:4, 1:4] = True
    assert (part.maps[1][:, used] > 0).all()
    assert (part.maps[1][:, ~used] == 0).all()
    assert (part.maps[0][:, ~used] > 0).mean() > 0.9


def test_pieces_cover_every_class_and_image_once(tmp_path: Path) -> None:
    model = convolutional_model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    network = open_network(model, tmp_path)
    pixels, classes = random_pixels(5, (8, 8, 3)), np.array([4, 1])
    maps = np.full((2, 5, 8, 8), np.nan, np.float32)
    for part in explain(network, pixels, classes):
        assert np.isnan(maps[part.classes, part.images]).all()
        maps[part.classes, part.images] = part.maps
    gradients = autograd.gradients(autograd.convolutional_logits(model), np.moveaxis(pixels, -1, 1), classes)
    assert np.allclose(maps, heatmaps(np.moveaxis(gradients, 2, -1)), atol=1e-4)


def test_an_objective_can_be_chosen(tmp_path: Path) -> None:
    network = open_network(convolutional_model(), tmp_path)
    pixels = random_pixels(2, (8, 8, 3))
    (logit,), (margin,) = (list(explain(network, pixels, np.arange(6), name)) for name in ("logit", "margin"))
    assert not np.allclose(logit.maps, margin.maps)
