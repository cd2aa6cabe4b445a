import numpy as np

from ninspect.detect import Detection
from ninspect.detect.interface import judge
from ninspect.outliers import anomaly_index
from ninspect.runtime import TruthTest
from ninspect.verdict import decide

PASSED = TruthTest("scores", 0.0, 1e-4)
FAILED = TruthTest("gradient", 0.4, 0.05)
ALIKE = [10.0, 11, 9, 10.5, 9.5, 10.2, 9.8, 11.2, 8.8]


def detection(*scores: float) -> Detection:
    column = np.array([*ALIKE, *scores])
    return judge("test", np.arange(len(column)), {"score": column}, anomaly_index(column), 0.5)


def test_classes_that_are_alike_are_clean() -> None:
    judgement = decide([PASSED], detection(10.1), [], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.reservations) == ("clean", [], [])


def test_any_problem_keeps_a_model_from_being_clean() -> None:
    judgement = decide([PASSED], detection(10.1, np.nan), ["too few images"], 0.01)
    assert (judgement.verdict, judgement.targets) == ("inconclusive", [])
    assert judgement.reason.startswith("too few images; the gradient is zero")


def test_a_suspicion_stands_in_spite_of_problems_and_names_them() -> None:
    judgement = decide([PASSED], detection(-20), ["too few images"], 0.01)
    assert (judgement.verdict, judgement.targets, judgement.reservations) == ("suspected", [9], ["too few images"])
    assert "class 9 looks like the target of a backdoor" in judgement.reason


def test_nothing_is_said_of_a_model_that_the_scan_got_wrong() -> None:
    for truth, found in (([PASSED, FAILED], detection(-20)), ([PASSED], None), ([FAILED], None)):
        judgement = decide(truth, found, ["it failed"], 0.01)
        assert (judgement.verdict, judgement.reason, judgement.targets) == ("inconclusive", "it failed", [])
        assert judgement.p_value is None
