"""The benchmarks say what they ran on."""

import onnxruntime
import pytest

pytest.importorskip("torch")


def test_the_machine_is_named_with_any_build_of_onnxruntime() -> None:
    from tools.bench.gradient import machine

    assert f"onnxruntime {onnxruntime.__version__}" in machine()
