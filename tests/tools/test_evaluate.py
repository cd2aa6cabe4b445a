"""What is measured is kept."""

from pathlib import Path

from tools.measure.evaluate import main
from tools.measure.rows import Row, read_rows, write_rows


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
