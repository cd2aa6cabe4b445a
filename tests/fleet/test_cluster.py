"""Several models on a Ray cluster of two nodes, on this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fleet.fast import FAST, verdicts, wait_for
from tests.support import even_weights, linear_model, names_in, ninspect, save

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs Ray")
SIZE = {"num_cpus": 1, "memory": 2 * 1024**3, "object_store_memory": 80 * 1024**2, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=SIZE)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def second(cluster: Any) -> Iterator[Any]:
    """A node besides the head."""
    node = cluster.add_node(**SIZE)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node)


def command(cluster: Any, *more: str) -> list[str]:
    return ["scan", "models", "-s", "images.npz", *FAST, "--engine", "ray", "--address", cluster.address, *more]


def started(cluster: Any, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    asked = [sys.executable, "-m", "ninspect", *command(cluster, *more)]
    return subprocess.Popen(asked, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def tasks() -> list[tuple[psutil.Process, psutil.Process]]:
    """The processes of Ray that scan, each with the sandboxed one that it has started."""
    scanning = (one for one in psutil.process_iter(["cmdline"]) if "ninspect.worker" in (one.info["cmdline"] or ()))
    pairs = [(one.parent(), one) for one in scanning]
    return [(above, one) for above, one in pairs if above is not None and above.name().startswith("ray::")]


def ended(process: psutil.Process) -> bool:
    """Whether a process is gone, or all of it but the entry that its parent has not asked for."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_cluster_says_what_this_machine_says(cluster: Any, folder: Path) -> None:
    (folder / "models" / "empty.onnx").write_bytes(b"")
    far = ninspect(*command(cluster, "--results", "far", "--format", "json"), cwd=folder)
    assert far.returncode == 1, far.stderr
    near = ninspect("scan", "models", "-s", "images.npz", *FAST, "--results", "near", "--format", "json", cwd=folder)
    assert verdicts(far.stdout) == verdicts(near.stdout)
    assert f"{folder}/models/empty.onnx is empty" in far.stdout
    assert "ninspect-" not in far.stdout.replace(str(folder), "")  # no folder of another machine
    assert names_in(folder / "far") == names_in(folder / "near")
    again = ninspect(*command(cluster, "--results", "near"), cwd=folder)
    assert again.stderr.count("(known)") == 3  # what could not be read is looked at again


def test_what_is_lost_on_the_way_is_begun_again_and_every_model_has_one_result(
    cluster: Any, second: Any, folder: Path
) -> None:
    for seed in range(2, 10):
        save(linear_model(even_weights(seed=seed)), folder / "models" / f"{seed}.onnx")
    run = started(cluster, folder, "--results", "results", "--format", "json")
    above, scanning = wait_for(tasks)[0]
    above.kill()
    wait_for(lambda: ended(scanning))
    wait_for(lambda: names_in(folder / "results"))
    cluster.remove_node(second, allow_graceful=False)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 1, err.decode()
    found = verdicts(out.decode())
    assert (len(found), len(names_in(folder / "results"))) == (11, 11)
    assert {name for name, verdict in found.items() if verdict != "clean"} == {"bad.onnx"}


def test_a_run_that_was_ended_leaves_no_process(cluster: Any, folder: Path) -> None:
    run = started(cluster, folder, "--results", "results")
    (_, scanning), *_ = wait_for(tasks)
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 130
    assert b"stopped by SIGINT; " in err
    wait_for(lambda: not tasks() and ended(scanning))


def test_a_cluster_that_is_not_there_is_said(folder: Path) -> None:
    run = ninspect("scan", "models", *FAST, "--engine", "ray", "--address", "127.0.0.1:1", cwd=folder)
    assert (run.returncode, run.stdout) == (2, "")
    assert "the Ray cluster does not answer" in run.stderr
