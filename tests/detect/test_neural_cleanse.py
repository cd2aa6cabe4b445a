from pathlib import Path

import numpy as np
import pytest

from ninspect.detect import Case, NeuralCleanse
from ninspect.measure.outliers import anomaly_index
from ninspect.search.inversion import Inversion, invert, success
from tests.support import bright_rows, open_network, rows_model

SHORT = Inversion(steps=100, batch=20)


def test_the_class_that_takes_the_smallest_mask_is_the_target(tmp_path: Path) -> None:
    network, pixels, classes = open_network(rows_model(target=3), tmp_path), bright_rows(), np.arange(10)
    calls: list[tuple[int, int]] = []
    found = NeuralCleanse(SHORT).examine(Case(network, pixels, classes, 5, lambda *progress: calls.append(progress)))
    expected = invert(network, pixels, classes, SHORT, seed=5)
    assert np.array_equal(found.scores["mask"], expected.norms)
    answers = network.logits(pixels).argmax(axis=1)
    assert np.array_equal(found.scores["success"], success(network, pixels, answers, classes, expected))
    assert found.index == pytest.approx(anomaly_index(expected.norms))
    assert found.targets(0.01) == [3]
    assert found.test == "robust z"
    assert calls[0] == (200, 20_000)
    assert calls[-1] == (20_000, 20_000)


def test_settings_say_what_the_scores_depend_on() -> None:
    settings = {"steps": 100, "batch": 20, "batches": 1, "starts": 1, "rate": 0.1, "success": 0.99, "patience": 25}
    assert NeuralCleanse(SHORT).settings == settings
