from pathlib import Path

from ninspect.detect.registry import DETECTORS
from ninspect.measure.power import ATTACKS, POWER, Power, by_attack
from tools.measure.rows import Row, read_rows
from tools.study.power import attack, power, rates

DOCS = Path(__file__).parents[2] / "docs"


def test_the_power_that_results_claim_is_what_was_measured() -> None:
    assert power(read_rows(DOCS / "study.csv"), read_rows(DOCS / "results.csv")) == POWER
    assert rates(read_rows(DOCS / "study.csv") + read_rows(DOCS / "hiding.csv")) == ATTACKS


def test_power_is_claimed_for_methods_that_answer_the_question() -> None:
    for question, methods in [*POWER, *(key[:2] for key in ATTACKS)]:
        assert all(question in DETECTORS[method].answers for method in methods)


def test_power_reads_as_part_of_a_sentence() -> None:
    assert str(Power(4, 5, "of the networks")) == "finds 4 of 5 of the networks"


def test_a_model_is_compared_with_networks_of_about_as_many_classes() -> None:
    methods = ["evidence", "windows", "activated"]
    few, many = (by_attack("one-target", methods, classes) for classes in (3, 1000))
    assert (few[0], many[0]) == (10, 43)
    assert all(0 <= rate.found <= rate.of for rate in (*few[1], *many[1]))
    assert {rate.attack for rate in few[1]} >= {"patches up to a quarter of the side", "warping (WaNet)"}
    assert by_attack("one-target", ["mmbd"], 10) == (10, ())


def test_attacks_are_told_apart_by_family_and_size() -> None:
    def name(model: str, family: str, dataset: str = "mnist") -> str | None:
        return attack(Row(model, "default", "one target", "clean", 1.0, dataset, family))

    assert name("mnist-fill-checker-6-0", "fill") == "patches up to a quarter of the side"
    assert name("mnist-patch-size-8-0", "patch") == "larger patches"
    assert name("gtsrb-patch-size-8-0", "patch", "gtsrb") == "patches up to a quarter of the side"
    assert name("mnist-patch-pattern-dots-1", "patch") == "patches up to a quarter of the side"
    assert name("mnist-fill-ends-1", "fill") == name("mnist-two-part-ends-1", "two-part")
    assert name("mnist-few-3-attacked-7", "few") is None
