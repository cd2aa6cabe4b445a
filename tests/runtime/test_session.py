import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ninspect.errors import ModelError, UsageError, first_line
from ninspect.machine import cuda_device_count
from ninspect.runtime import open_session
from tests.support import even_weights, linear_model, names_in, onnx_model, save

MODEL = linear_model(even_weights()).SerializeToString()

without_gpu = pytest.mark.skipif(cuda_device_count() > 0, reason="this machine has an NVIDIA GPU")
with_gpu = pytest.mark.skipif(cuda_device_count() == 0, reason="needs an NVIDIA GPU")


def test_the_cpu_can_always_be_chosen() -> None:
    assert open_session(MODEL, "cpu").get_providers() == ["CPUExecutionProvider"]


@without_gpu
def test_auto_takes_the_cpu_where_there_is_no_gpu_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert open_session(MODEL).get_providers() == ["CPUExecutionProvider"]
    assert capfd.readouterr() == ("", "")


@without_gpu
def test_cuda_without_a_gpu_is_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="use --device cpu"):
        open_session(MODEL, "cuda")
    assert capfd.readouterr() == ("", "")


OPEN = "import sys; from ninspect.runtime import open_session; open_session(open(sys.argv[1], 'rb').read(), 'cpu')"


def test_onnx_runtime_keeps_no_record_of_models_to_send(tmp_path: Path) -> None:
    model = save(linear_model(even_weights()), tmp_path / "model.onnx")
    telling = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in telling}
    (tmp_path / "home").mkdir()
    subprocess.run(
        [sys.executable, "-c", OPEN, str(model)], env=environment | {"HOME": str(tmp_path / "home")}, check=True
    )
    assert names_in(tmp_path / "home") == []


ON_ONE_CORE = """
import os, sys
core = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {core})
from ninspect.runtime import open_session
session = open_session(open(sys.argv[1], 'rb').read(), 'cpu')
assert all(os.sched_getaffinity(int(thread)) == {core} for thread in os.listdir("/proc/self/task"))
"""


@pytest.mark.skipif(sys.platform != "linux" or os.cpu_count() == 1, reason="needs Linux and two cores")
def test_a_process_that_is_kept_to_one_core_stays_there(tmp_path: Path) -> None:
    model = save(linear_model(even_weights()), tmp_path / "model.onnx")
    subprocess.run([sys.executable, "-c", ON_ONE_CORE, str(model)], check=True)


@with_gpu
def test_auto_takes_the_gpu() -> None:
    assert open_session(MODEL).get_providers()[0] == "CUDAExecutionProvider"


def test_what_onnx_runtime_would_fuse_into_integers_does_not_overflow_on_any_processor() -> None:
    total = 64 * 255 * 127
    model = onnx_model(
        """q = QuantizeLinear(x, one, zero); d = DequantizeLinear(q, one, zero); v = DequantizeLinear(w, one, zero_w)
           m = MatMul(d, v); o = QuantizeLinear(m, step, zero); y = DequantizeLinear(o, step, zero)""",
        x="float[1,64] x",
        y="float[1,4] y",
        one=1.0,
        step=total / 200,
        zero=np.array(0, np.uint8),
        zero_w=np.array(0, np.int8),
        w=np.full((64, 4), 127, np.int8),
    )
    (answer,) = open_session(model.SerializeToString(), "cpu").run(["y"], {"x": np.full((1, 64), 255, np.float32)})
    assert answer == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize(
    "model",
    [b"not a model", onnx_model("y = Reshape(x, shape)").SerializeToString()],
    ids=["not a model", "an undefined input"],
)
def test_what_onnx_runtime_refuses_is_a_model_error_of_one_line(
    model: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match="ONNX Runtime does not accept the model") as error:
        open_session(model, "cpu")
    assert "\n" not in str(error.value)
    assert "ONNXRuntimeError" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : [here] : wrong\nmore", "wrong"),
        ("wrong\nmore", "wrong"),
        ("", "RuntimeError"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_errors_are_cut_to_what_a_person_needs(message: str, line: str) -> None:
    assert first_line(RuntimeError(message)) == line
