import pytest

import ninspect
from ninspect.errors import (
    ExitCode,
    InconclusiveError,
    ModelError,
    NinspectError,
    UnsupportedOperatorError,
    UsageError,
    WriteError,
)


def test_every_public_name_can_be_imported() -> None:
    for name in ninspect.__all__:
        assert getattr(ninspect, name).__name__ == name


def test_other_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'ninspect' has no attribute 'scna'"):
        _ = ninspect.scna


def test_exit_codes_are_stable() -> None:
    assert dict(ExitCode.__members__) == {
        "CLEAN": 0,
        "SUSPECTED": 1,
        "USAGE": 2,
        "INCONCLUSIVE": 3,
        "INTERNAL": 4,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NinspectError, 4),
        (WriteError, 4),
        (UsageError, 2),
        (InconclusiveError, 3),
        (ModelError, 3),
        (UnsupportedOperatorError, 3),
    ],
)
def test_errors_stand_for_exit_codes(error: type[NinspectError], code: int) -> None:
    assert error.exit_code == code


def test_unsupported_operators_are_all_named() -> None:
    error = UnsupportedOperatorError([("LRN", "norm 1"), ("com.evil::Op", ""), ("LRN", "norm 2")])
    assert error.operators == ["LRN", "com.evil::Op"]
    assert error.nodes == ["LRN (node 'norm 1')", "com.evil::Op (node '')", "LRN (node 'norm 2')"]
    missing = "LRN, com.evil::Op (a custom operator of com.evil);"
    assert f"LRN (node 'norm 1') has no gradient rule; without a rule in this model: {missing}" in str(error)


def test_what_is_no_network_is_said_to_be_none() -> None:
    error = UnsupportedOperatorError([("ai.onnx.ml::TreeEnsembleClassifier", "forest")])
    assert "(node 'forest') has no gradient rule (decision trees); ninspect audits neural networks" in str(error)
