from pathlib import Path

from ninspect.detect.registry import DETECTORS
from ninspect.measure.power import POWER, Power
from tools.measure.rows import read_rows
from tools.study.power import power

DOCS = Path(__file__).parents[2] / "docs"


def test_the_power_that_results_claim_is_what_was_measured() -> None:
    assert power(read_rows(DOCS / "study.csv"), read_rows(DOCS / "results.csv")) == POWER


def test_power_is_claimed_for_methods_that_answer_the_question() -> None:
    for question, methods in POWER:
        assert all(question in DETECTORS[method].answers for method in methods)


def test_power_reads_as_part_of_a_sentence() -> None:
    assert str(Power(4, 5, "of the networks")) == "finds 4 of 5 of the networks"
