from pathlib import Path

import numpy as np
import pytest

from ninspect.detect import Case, Examination, NeuronInspect
from ninspect.measure.features import heatmaps, smooth
from tests.support import Array, backdoored_weights, convolutional_model, linear_model, open_network, random_pixels


def examine(weights: Array, folder: Path, detector: NeuronInspect, images: int = 12) -> Examination:
    network = open_network(linear_model(weights), folder)
    pixels = random_pixels(images, network.input_map.image_shape)
    classes = np.arange(len(weights))
    return detector.examine(Case(network, pixels, classes, 0, lambda done, total: None))


def test_the_features_of_a_linear_model_are_those_of_its_weights(tmp_path: Path) -> None:
    weights = backdoored_weights(target=7)
    found = examine(weights, tmp_path, NeuronInspect(weights=(1, 2, 3)))
    maps = heatmaps(np.moveaxis(weights, 1, -1))
    assert list(found.scores) == ["sparse", "smooth", "persistent", "score"]
    assert np.allclose(found.scores["sparse"], maps.sum(axis=(1, 2)), rtol=1e-4)
    assert np.allclose(found.scores["smooth"], smooth(maps), rtol=1e-4)
    assert np.allclose(found.scores["persistent"], 0)  # its gradient is the same at every image
    assert np.allclose(found.scores["score"], found.scores["sparse"] + 2 * found.scores["smooth"])


def test_a_heatmap_shows_the_pixels_that_a_class_uses(tmp_path: Path) -> None:
    network = open_network(linear_model(backdoored_weights(target=7)), tmp_path)
    maps = heatmaps(network.jacobian(random_pixels(3, (12, 12, 1)), np.array([2, 7])))
    used = np.zeros((12, 12), bool)
    used[1:4, 1:4] = True
    assert (maps[1][:, used] > 0).all()
    assert (maps[1][:, ~used] == 0).all()
    assert (maps[0][:, ~used] > 0).mean() > 0.9


def test_a_class_that_looks_at_a_patch_is_the_target(tmp_path: Path) -> None:
    found = examine(backdoored_weights(target=3), tmp_path, NeuronInspect())
    assert found.name == "neuroninspect"
    assert found.targets(0.01) == [3]
    assert found.gap is None


def test_a_weight_of_zero_switches_a_feature_off(tmp_path: Path) -> None:
    found = examine(backdoored_weights(target=3), tmp_path, NeuronInspect(weights=(0, 0, 1)))
    assert np.allclose(found.scores["score"], 0)
    assert found.targets(0.01) == []
    assert found.gap is not None


def test_threshold_and_chain_change_persistence_only(tmp_path: Path) -> None:
    network = open_network(convolutional_model(), tmp_path)
    case = Case(network, random_pixels(7, (8, 8, 3)), np.arange(6), 0, lambda done, total: None)
    usual, low, chained = (
        NeuronInspect(threshold=threshold, chained=chained).examine(case).scores
        for threshold, chained in ((0.5, False), (0.2, False), (0.5, True))
    )
    for other in (low, chained):
        assert np.array_equal(usual["sparse"], other["sparse"])
        assert np.array_equal(usual["smooth"], other["smooth"])
        assert (usual["persistent"] != other["persistent"]).all()
    assert np.array_equal(chained["persistent"], np.rint(chained["persistent"]))


def test_progress_counts_pairs_of_class_and_image(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    network = open_network(linear_model(backdoored_weights(target=3), batch=1), tmp_path)
    case = Case(
        network, random_pixels(5, (12, 12, 1)), np.array([1, 4, 8]), 0, lambda done, total: calls.append((done, total))
    )
    NeuronInspect().examine(case)
    assert calls == [(3, 15), (6, 15), (9, 15), (12, 15), (15, 15)]


@pytest.mark.parametrize("chained", [False, True])
def test_settings_say_what_the_scores_depend_on(chained: bool) -> None:
    detector = NeuronInspect((1, 0.5, 2), 0.25, chained)
    assert detector.settings == {"weights": (1, 0.5, 2), "threshold": 0.25, "chained": chained}
