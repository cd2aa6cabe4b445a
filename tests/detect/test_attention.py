from pathlib import Path

import numpy as np

from ninspect.detect import Case, look, outstanding
from ninspect.detect.examination import Examination, judge
from ninspect.measure.outliers import anomaly_index
from tests.support import backdoored_weights, linear_model, open_network, random_pixels


def case(folder: Path, pixels: np.ndarray | None) -> Case:
    network = open_network(linear_model(backdoored_weights(7)), folder)
    return Case(network, pixels, np.arange(10), 0, lambda done, total: None)


def test_the_heatmap_of_a_target_is_its_trigger(tmp_path: Path) -> None:
    for pixels in (random_pixels(30, (12, 12, 1)), None):
        attention = look(case(tmp_path, pixels), [7, 2])
        assert attention.labels.tolist() == [7, 2]
        assert attention.heatmaps.shape == (2, 12, 12)
        assert attention.heatmaps.max(axis=(1, 2)).tolist() == [1, 1]
        outside = np.ones((12, 12), np.bool_)
        outside[1:4, 1:4] = False
        target, other = attention.heatmaps
        assert target[outside].sum() < 0.5 * target.sum()
        assert other[outside].sum() > 0.8 * other.sum()
        assert attention.starts == 24


def test_the_image_beneath_is_of_a_class_that_is_not_pictured_where_there_is_one(tmp_path: Path) -> None:
    given = case(tmp_path, random_pixels(30, (12, 12, 1)))
    answers = given.network.logits(given.clean(24)).argmax(axis=1)
    first = int(answers[0])
    assert look(given, [first]).answer == answers[answers != first][0]
    assert look(given, range(10)).answer == first


def test_suspects_come_first_and_then_what_stands_out_most() -> None:
    scores = np.array([5.0, 9, 1, 7, 3, 2, 6, 8, np.nan, 4, 11, 12, 13])
    found = judge("test", np.arange(13), {"score": scores}, anomaly_index(scores))
    order = [2, 5, 4, 9, 0, 6, 3, 7, 1, 10]
    assert outstanding([Examination.without_scores("other", np.arange(13), "no images"), found], []) == order
    assert outstanding([found], [12, 2]) == [12, 2, *order[1:9]]
    assert outstanding([], []) == []
