"""What becomes of a scan whose worker is killed, stopped, hijacked or left alone; with real processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ninspect.report import FORMATS, Result
from tests.support import even_weights, linear_scan_files, names_in, ninspect, onnx_model, save

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the worker in /proc")

SIGNS = Path(__file__).parents[2] / "models" / "signs"
LONG = ["scan", SIGNS / "badnet_torch.onnx", "-s", SIGNS / "samples", "--method", "neural_cleanse", "--format", "json"]


@pytest.fixture(autouse=True)
def _ctrl_c_is_heeded() -> Iterator[None]:
    """Whatever started the tests may have SIGINT ignored, as a shell has for what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def worker_of(parent: int) -> int | None:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(children[0]) if children else None


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until_it_ends(process: int) -> None:
    for _ in range(100):
        if not is_alive(process):
            return
        time.sleep(0.1)
    raise AssertionError(f"process {process} is left over")


@contextmanager
def long_scan(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A scan of minutes, and the process id of its worker, which must not survive it."""
    command = [sys.executable, "-m", "ninspect", *map(str, [*LONG, *arguments])]
    scan = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        while (worker := worker_of(scan.pid)) is None:
            time.sleep(0.01)
        yield scan, worker
        until_it_ends(worker)
    finally:
        scan.kill()
        scan.communicate()


def inconclusive(scan: subprocess.Popen[str]) -> Result:
    out, err = scan.communicate(timeout=60)
    assert err == ""
    result = Result.model_validate_json(out)
    assert (result.verdict, result.targets) == ("inconclusive", [])
    return result


@pytest.mark.parametrize("seed", range(5))
def test_a_worker_that_is_killed_at_any_moment_is_no_verdict(seed: int) -> None:
    with long_scan() as (scan, worker):
        time.sleep(random.Random(seed).uniform(0, 4))
        os.kill(worker, signal.SIGKILL)
        result = inconclusive(scan)
    assert scan.returncode == result.exit_code == 3
    assert result.reason == "the process that read the model was ended by SIGKILL before it had a result"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_scan_that_is_stopped_reports_what_it_knows(number: signal.Signals, code: int) -> None:
    for delay in (0, 1, 2, 4, 8, 16):
        with long_scan() as (scan, _):
            time.sleep(delay)
            scan.send_signal(number)
            result = inconclusive(scan)
        assert scan.returncode == code
        assert result.reason == f"stopped by {number.name}"
        if result.truth_tests:
            break
    assert result.model.sha256 is not None
    assert result.samples is not None
    assert result.isolation is not None
    assert "process" in result.isolation.active


def test_a_scan_without_a_worker_can_be_stopped_too() -> None:
    command = [sys.executable, "-m", "ninspect", *map(str, LONG), "--sandbox", "off"]
    scan = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    time.sleep(4)
    scan.send_signal(signal.SIGINT)
    result = inconclusive(scan)
    assert (scan.returncode, result.reason, result.isolation) == (130, "stopped by SIGINT", None)


def test_a_stopped_scan_writes_its_file_whole(tmp_path: Path) -> None:
    with long_scan("-o", tmp_path / "result.json") as (scan, _):
        time.sleep(2)
        scan.send_signal(signal.SIGTERM)
        assert scan.communicate(timeout=60) == ("", "")
    assert scan.returncode == 143
    assert Result.model_validate_json((tmp_path / "result.json").read_text()).reason == "stopped by SIGTERM"
    assert names_in(tmp_path) == ["result.json"]


def test_another_command_that_is_stopped_leaves_no_file(tmp_path: Path) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights())
    command = [sys.executable, "-m", "ninspect", "augment", str(model), "-o", str(tmp_path / "new.onnx")]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    while (worker := worker_of(run.pid)) is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60) == ("", "ninspect: stopped by SIGINT\n")
    assert run.returncode == 130
    assert names_in(tmp_path) == ["images.npz", "model.onnx"]
    until_it_ends(worker)


def test_a_worker_does_not_outlive_its_parent() -> None:
    with long_scan() as (scan, worker):
        time.sleep(1)
        scan.kill()
        until_it_ends(worker)


def test_a_scan_ends_when_its_time_is_over() -> None:
    with long_scan("--timeout", "2") as (scan, _):
        result = inconclusive(scan)
    assert scan.returncode == 3
    assert result.reason == "it took more than 2 s and was stopped; allow more with --timeout"


def test_an_endless_loop_is_stopped(tmp_path: Path) -> None:
    model = onnx_model(
        """h = Loop (, true, x) <body = step (int64 i, bool go, float[N,1,8,8] v) => (bool on, float[N,1,8,8] next)
             { on = Identity(go)  next = Relu(v) }>
           f = Flatten(h); y = MatMul(f, w)""",
        true=np.array(True),
        w=even_weights(side=8).reshape(10, 64).T,
    )
    run = ninspect("scan", save(model, tmp_path / "model.onnx"), "--timeout", "5")
    assert (run.returncode, run.stderr) == (3, "")
    assert run.stdout.startswith("INCONCLUSIVE")


def test_memory_that_no_shape_tells_of_is_limited(tmp_path: Path) -> None:
    """ConstantOfShape, whose size is computed from the image: 16 GB for any image."""
    model = onnx_model(
        """none = Mul(x, zero); nothing = ReduceSum<keepdims = 0>(none); length = Add(nothing, giga)
           flat = Reshape(length, one); shape = Cast<to = 7>(flat); big = ConstantOfShape(shape)
           sum = ReduceSum<keepdims = 0>(big); f = Flatten(x); l = MatMul(f, w); y = Add(l, sum)""",
        zero=0.0,
        giga=4e9,
        one=np.array([1]),
        w=even_weights(side=8).reshape(10, 64).T,
    )
    run = ninspect("scan", save(model, tmp_path / "model.onnx"), "--max-memory", "1G", "--format", "json")
    assert (run.returncode, run.stderr) == (1, "")  # the size is cut off from the gradient, which is a finding as well
    result = Result.model_validate_json(run.stdout)
    assert "GR001" in [finding.rule for finding in result.findings]
    assert result.samples is None


# A worker that is not what it should be: Python imports `sitecustomize` before anything else.

HIJACKED = "import os, sys, time, threading\nif 'ninspect.worker' in sys.orig_argv:\n    {}\n"
FOREVER = "time.sleep(1000)"
LIES: dict[str, str] = {
    "garbage": rf"os.write(1, b'\x00\xff\n'); {FOREVER}",
    "a line without an end": f"[os.write(1, b' ' * 2**20) for _ in range(80)]; {FOREVER}",
    "deep nesting": rf"os.write(1, b'[' * 50_000 + b'\n'); {FOREVER}",
    "another message": rf"os.write(1, b'{{\"verdict\": \"clean\"}}\n'); {FOREVER}",
    "an answer that is no result": rf"os.write(1, b'{{\"answer\": {{\"verdict\": \"clean\"}}}}\n'); {FOREVER}",
    "not a number": rf"os.write(1, b'{{\"answer\": {{\"alpha\": NaN}}}}\n'); {FOREVER}",
    "progress of what": rf"os.write(1, b'{{\"progress\": [\"\", {{}}]}}\n'); {FOREVER}",
    "progress without end": rf"os.write(1, b'{{\"progress\": [1, 1' + b'0' * 4000 + b']}}\n'); {FOREVER}",
    "a huge file": rf"os.write(1, b'{{\"output\": 1000000000000}}\n'); {FOREVER}",
    "nothing, and ends": "os._exit(0)",
    "nothing, and is silent": f"os.close(1); {FOREVER}",
    "nothing, and crashes": "os.abort()",
}


def hijack(folder: Path, code: str) -> str:
    """A search path for modules with which the worker runs this code first."""
    (folder / "sitecustomize.py").write_text(HIJACKED.format(code), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("lie", LIES)
def test_nonsense_from_the_worker_is_no_verdict(tmp_path: Path, lie: str) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    path = hijack(tmp_path, LIES[lie])
    run = ninspect("scan", model, "-s", images, "--format", "json", PYTHONPATH=path)
    assert (run.returncode, run.stderr) == (3, "")
    result = Result.model_validate_json(run.stdout)
    assert result.verdict == "inconclusive"
    assert result.reason.startswith("the process that read the model ")
    text = ninspect("scan", model, "-s", images, PYTHONPATH=path)
    assert (text.returncode, text.stderr) == (3, "")
    assert "INCONCLUSIVE" in text.stdout
    other = ninspect("info", model, PYTHONPATH=path)
    assert other.returncode in (0, 3)  # facts about a model can be anything
    assert "Traceback" not in other.stderr


def test_every_format_says_that_there_is_no_verdict(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    path = hijack(tmp_path, "os._exit(7)")
    formats = [argument for name in FORMATS for argument in ("--format", f"{name}:{tmp_path / name}")]
    run = ninspect("scan", model, "-s", images, *formats, PYTHONPATH=path)
    assert (run.returncode, run.stdout, run.stderr) == (3, "", "")
    for name in FORMATS:
        assert "ended with exit code 7 before it had a result" in (tmp_path / name).read_text(encoding="utf-8")


def test_the_worker_knows_no_secrets_of_the_environment(tmp_path: Path) -> None:
    path = hijack(tmp_path, "os._exit(7 if 'SECRET_TOKEN' in os.environ else 8)")
    run = ninspect("scan", "model.onnx", cwd=tmp_path, PYTHONPATH=path, SECRET_TOKEN="swordfish")
    assert run.returncode == 3
    assert "ended with exit code 8" in run.stdout


# Layers


def layers(run: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(run.stdout)["isolation"]


def test_the_result_says_which_layers_there_were(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    scan: list[str | Path] = ["scan", model, "-s", images, "--format", "json"]
    found = layers(ninspect(*scan))
    assert {*found["active"], *found["missing"]} == {"process", "memory", "files", "network"}
    assert {"process", "memory"} <= set(found["active"])
    required = ninspect(*scan, "--sandbox", "require")
    assert required.returncode == (2 if found["missing"] else 0)
    assert layers(ninspect(*scan, "--sandbox", "off")) is None


def test_where_the_kernel_has_no_landlock_the_scan_goes_on_and_says_so(tmp_path: Path) -> None:
    """A thread that was started before, as Landlock would not reach it, stands for such a kernel."""
    model, images = linear_scan_files(tmp_path, even_weights())
    thread = hijack(tmp_path, "threading.Thread(target=time.sleep, args=[1000], daemon=True).start()")
    scan: list[str | Path] = ["scan", model, "-s", images]
    found = layers(ninspect(*scan, "--format", "json", PYTHONPATH=thread))
    assert found["active"] == ["process", "memory"]
    assert set(found["missing"]) == {"files", "network"}
    text = ninspect(*scan, PYTHONPATH=thread)
    assert text.returncode == 0
    assert "files is missing: Landlock would not reach threads" in " ".join(text.stdout.split())
    required = ninspect(*scan, "--sandbox", "require", PYTHONPATH=thread)
    assert (required.returncode, required.stdout) == (2, "")
    assert "--sandbox require: this system cannot provide all layers (files: Landlock" in required.stderr


def test_time_cannot_be_limited_without_a_worker(tmp_path: Path) -> None:
    run = ninspect("scan", "model.onnx", "--sandbox", "off", "--timeout", "5", cwd=tmp_path)
    assert run.returncode == 2
    assert "--timeout needs the worker process" in run.stderr


@pytest.mark.parametrize("size", ["8X", "G", "-1", "1.5G", "", "9999999T"])
def test_a_size_that_is_none_is_explained(tmp_path: Path, size: str) -> None:
    run = ninspect("info", "model.onnx", "--max-memory", size, cwd=tmp_path)
    assert run.returncode == 2
    assert f"--max-memory '{size}' is not a size such as 8G or 500M" in run.stderr
