"""Several models on the command line, in processes of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ninspect.report import Result
from tests.fleet.fast import FAST, lines, verdicts, wait_for
from tests.support import backdoored_weights, linear_model, names_in, ninspect, random_pixels, save, save_images


def test_a_folder_gets_a_line_for_each_model_and_the_worst_exit_code(folder: Path) -> None:
    run = ninspect("scan", "models", "images.npz", *FAST, cwd=folder)
    assert run.returncode == 1, run.stderr
    table = [line.split()[:3] for line in run.stdout.splitlines()[3:6]]
    assert table == [
        ["suspected", "models/bad.onnx", "4"],
        ["clean", "models/vendor/fine.onnx", "0.5"],
        ["clean", "models/vendor/good.onnx", "0.74"],
    ]
    assert "Class 4 looks like the target of a backdoor" in run.stdout
    assert run.stdout.endswith("\n3 models: 1 suspected, 2 clean\n")
    assert "ninspect: 1 of 3  " in run.stderr
    assert "ninspect: 3 of 3  " in run.stderr


def test_one_that_cannot_be_read_costs_its_own_result_alone(folder: Path) -> None:
    (folder / "models" / "empty.onnx").write_bytes(b"")
    (folder / "models" / "text.onnx").write_text("no model\n" * 50)
    (folder / "models" / "bad.onnx").unlink()
    run = ninspect("scan", "models", "-s", "images.npz", *FAST, "--format", "json", cwd=folder)
    assert run.returncode == 3, run.stderr
    assert verdicts(run.stdout) == {
        "empty.onnx": "inconclusive",
        "text.onnx": "inconclusive",
        "fine.onnx": "clean",
        "good.onnx": "clean",
    }
    assert "is empty" in lines(run.stdout)[0]["reason"]


def test_what_has_a_result_is_not_scanned_again_and_twins_are_scanned_once(folder: Path) -> None:
    shutil.copy(folder / "models" / "bad.onnx", folder / "models" / "copy.onnx")
    command = ["scan", "models", "-s", "images.npz", *FAST, "--results", "results", "--format", "json"]
    first = ninspect(*command, cwd=folder)
    assert (first.returncode, len(names_in(folder / "results"))) == (1, 3)
    assert "same bytes as another" in first.stderr
    again = ninspect(*command, cwd=folder)
    assert (again.returncode, again.stdout) == (1, first.stdout)
    assert again.stderr.count("(known)") == 3
    dates = {name: (folder / "results" / name).stat().st_mtime_ns for name in names_in(folder / "results")}
    (folder / "results" / min(dates)).write_text("half of a resu")
    forced = ninspect(*command, cwd=folder)
    assert forced.stderr.count("(known)") == 2
    assert all(Result.from_json(path.read_bytes()) for path in (folder / "results").iterdir())
    assert ninspect(*command, "--force", cwd=folder).stderr.count("(known)") == 0


def test_a_scan_that_was_cut_off_is_made_again(folder: Path) -> None:
    command = ["scan", "models/bad.onnx", "-s", "images.npz", *FAST, "--results", "results"]
    run = ninspect(*command, "--max-memory", "1M", cwd=folder)
    assert (run.returncode, len(names_in(folder / "results"))) == (3, 1)
    run = ninspect(*command, cwd=folder)
    assert (run.returncode, "known" in run.stderr, len(names_in(folder / "results"))) == (1, False, 1)


def _started(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ninspect", "scan", "models", "-s", "images.npz", *FAST, "--results", "results"]
    return subprocess.Popen([*command, *more], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _workers(run: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [one for one in psutil.Process(run.pid).children() if "ninspect.worker" in " ".join(one.cmdline())]


def test_a_killed_worker_costs_its_own_result(folder: Path) -> None:
    run = _started(folder, "--jobs", "1", "--format", "json")
    wait_for(lambda: _workers(run))
    _workers(run)[0].kill()
    out, _ = run.communicate(timeout=120)
    assert sorted(verdicts(out.decode()).values()) == ["clean", "clean", "inconclusive"]
    assert "was ended by SIGKILL" in out.decode()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_ended_is_taken_up_where_it_was(folder: Path, number: signal.Signals) -> None:
    run = _started(folder, "--jobs", "1")
    wait_for(lambda: (folder / "results").is_dir() and names_in(folder / "results") and _workers(run))
    workers = _workers(run)
    os.kill(run.pid, number)
    out, err = run.communicate(timeout=120)
    assert run.returncode == (130 if number == signal.SIGINT else -number)
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers)
    if number == signal.SIGINT:
        assert b"stopped by SIGINT; " in err
        assert b"models: " in out or b"1 model: " in out
    done = [name for name in names_in(folder / "results") if name.endswith(".json") and not name.startswith(".")]
    again = ninspect("scan", "models", "-s", "images.npz", *FAST, "--results", "results", cwd=folder)
    assert (again.returncode, again.stderr.count("(known)")) == (1, len(done))


def test_two_runs_into_one_folder_do_each_other_no_harm(folder: Path) -> None:
    runs = [_started(folder), _started(folder)]
    outs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [1, 1]
    assert all(out.endswith(b"3 models: 1 suspected, 2 clean\n") for out in outs)
    assert len(names_in(folder / "results")) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder in which nobody can write")
def test_a_results_folder_that_cannot_be_written_is_said_before_any_scan(folder: Path) -> None:
    run = ninspect("scan", "models", "-s", "images.npz", *FAST, "--results", "/proc", cwd=folder)
    assert (run.returncode, run.stdout) in ((2, ""), (4, ""))
    assert run.stderr.startswith("ninspect: /proc cannot be written: ")
    assert "1 of 3" not in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs ulimit")
def test_a_disk_that_is_full_ends_the_run_and_leaves_no_half_of_a_result(folder: Path) -> None:
    command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "ninspect"]  # no file may grow
    asked = [*command, "scan", "models", "-s", "images.npz", *FAST, "--results", "results"]
    run = subprocess.run(asked, cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert (run.returncode, run.stdout) == (4, "")
    assert run.stderr.endswith(".json cannot be written: File too large\n")
    assert names_in(folder / "results") == []
    assert ninspect("scan", "models", "-s", "images.npz", *FAST, "--results", "results", cwd=folder).returncode == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["models", "images.npz", "--pictures", "p"], "--pictures is for one model"),
        (["models", "--baseline", "b.json"], "b.json cannot be read"),
        (["models", "--baseline", "models"], "there is no result in models"),
        (["models/bad.onnx", "nothing.onnx"], "there is no file nothing.onnx"),
        (["models", "images.npz", "other.npz"], "samples were given twice, images.npz and other.npz"),
        (["models", "--jobs", "2", "--sandbox", "off"], "--jobs needs worker processes"),
        (["models", "--engine", "ray", "--sandbox", "off"], "--engine ray needs worker processes"),
        (["models", "--address", "auto"], "--address belongs to --engine ray"),
        (["models/bad.onnx", "--force"], "--force belongs to --results"),
        (["models", "--results", "images.npz"], "images.npz is a file; give a folder"),
        (["models", "--results", "no/folder"], "no/folder cannot be written"),
    ],
)
def test_what_means_nothing_is_refused_before_any_scan(folder: Path, options: list[str], message: str) -> None:
    run = ninspect("scan", *options, cwd=folder)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr


def test_a_folder_of_results_is_shown_again_in_every_format(folder: Path) -> None:
    scanned = ninspect("scan", "models", "-s", "images.npz", *FAST, "--results", "results", cwd=folder)
    shown = ninspect("report", "results", "-o", "all.html", cwd=folder)
    assert (shown.returncode, shown.stdout) == (0, "")
    assert len(names_in(folder / "all-models")) == 3
    text = ninspect("report", "results", cwd=folder).stdout
    assert text == scanned.stdout
    assert verdicts(ninspect("report", "results", "-o", "all.jsonl", "--format", "json", cwd=folder).stdout) == {}
    assert len(verdicts((folder / "all.jsonl").read_text())) == 3
    sarif = json.loads(ninspect("report", "results", "--format", "sarif", cwd=folder).stdout)
    assert [one["level"] for one in sarif["runs"][0]["results"] if one["level"] == "error"] == ["error"]
    assert ninspect("report", "models", cwd=folder).returncode == 2
    (folder / "results" / "other.json").write_text("{}")
    shown = ninspect("report", "results", cwd=folder)
    assert (shown.stdout, "left out: results/other.json is not a result" in shown.stderr) == (text, True)


def test_each_model_is_held_against_its_own_baseline(folder: Path) -> None:
    command = ["scan", "models", "-s", "images.npz", *FAST]
    ninspect(*command, "--results", "accepted", "--format", "json:all.jsonl", cwd=folder)
    for baseline in ("accepted", "all.jsonl"):
        run = ninspect(*command, "--results", "accepted", "--baseline", baseline, cwd=folder)
        assert (run.returncode, run.stdout.count("suspected")) == (0, 2)
        assert "models/bad.onnx: the verdict is suspected; the baseline says the same of this model" in run.stderr
    shutil.copy(folder / "models" / "bad.onnx", folder / "models" / "moved.onnx")
    run = ninspect("scan", "models/moved.onnx", "-s", "images.npz", *FAST, "--baseline", "all.jsonl", cwd=folder)
    assert run.returncode == 0, run.stderr
    save(linear_model(backdoored_weights(5)), folder / "models" / "bad.onnx")
    save(linear_model(backdoored_weights(6)), folder / "models" / "new.onnx")
    run = ninspect(*command, "--baseline", "accepted", cwd=folder)
    assert run.returncode == 1
    assert "models/bad.onnx: the baseline does not apply: the model is another" in run.stderr
    assert "models/new.onnx: the baseline does not apply: it has no such model" in run.stderr
    assert "models/moved.onnx: the verdict is suspected; the baseline says the same" in run.stderr


def test_a_manifest_and_rules_say_what_differs_between_models(folder: Path) -> None:
    save_images(folder / "dark.npz", random_pixels(100, (12, 12, 1)) * 0.5)
    (folder / "models.csv").write_text("path,samples\nmodels/bad.onnx,images.npz\nmodels/gone.onnx,images.npz\n")
    (folder / "pyproject.toml").write_text(
        "[[tool.ninspect.models]]\npath = 'models/vendor/*.onnx'\nsamples = 'dark.npz'\n"
    )
    command = ["scan", "models/vendor", "--manifest", "models.csv", *FAST, "--format", "json"]
    run = ninspect(*command, cwd=folder)
    assert run.returncode == 1, run.stderr
    found = {Path(one["model"]["path"]).name: one for one in lines(run.stdout)}
    assert {name: one["verdict"] for name, one in found.items()} == {
        "bad.onnx": "suspected",
        "gone.onnx": "inconclusive",
        "fine.onnx": "clean",
        "good.onnx": "clean",
    }
    assert [found[name]["samples"]["count"] for name in ("bad.onnx", "good.onnx")] == [200, 100]
    alone = ninspect("scan", "models/vendor/good.onnx", *FAST, "--format", "json", cwd=folder)
    assert json.loads(alone.stdout)["samples"]["count"] == 100
