"""What is measured is kept."""

from pathlib import Path
from typing import Any

import pytest

from tools.measure.evaluate import main
from tools.measure.rows import Row, read_rows, truth, write_rows


def test_going_on_with_one_method_keeps_the_lines_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    rows = [
        Row("badnet", "default", "one target", "suspected", 1.5, dataset="mnist", target="3", top=3, p_value=1e-4),
        Row("badnet", "weights", "one target", "clean", 0.5, dataset="mnist", target="3", top=1, p_value=0.3),
        Row("badnet", "a method of before", "one target", "clean", 0.5, dataset="mnist", target="3"),
    ]
    write_rows(file, rows)
    main(tmp_path, method=["default"], csv_file=file, resume=True)
    assert read_rows(file) == rows


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "one target"),
        ({"target": "+1"}, "all to all"),
        ({"asr": 0.79}, "left out"),
        ({"kind": "backdoored(instance key)"}, "left out"),  # one memorised picture: there is no trigger to find
        ({"images": None}, "left out"),
        ({"clean_acc": 0.15}, "left out"),
        ({"kind": "clean", "target": None, "asr": None}, "clean"),
    ],
)
def test_the_truth_of_a_model_is_what_its_card_says(changed: dict[str, Any], expected: str) -> None:
    card = {"kind": "backdoored", "classes": 10, "clean_acc": 0.9, "asr": 0.99, "target": 3, "images": "mnist"}
    assert truth(card | changed) == expected
