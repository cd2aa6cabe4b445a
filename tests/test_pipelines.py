"""What brings ninspect into other people's pipelines does there what it says."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "models" / "digits"


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": scripts + os.pathsep + os.environ["PATH"], **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def steps() -> dict[str, Any]:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    return {step["name"]: step for step in action["runs"]["steps"] if "name" in step}


def run_hook(folder: Path, *files: str | Path) -> subprocess.CompletedProcess[str]:
    """The hook as pre-commit runs it: with names of changed files, relative to the repository, of those that match."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    matching = [str(file) for file in files if re.search(hook.get("files", ""), str(file))]
    return run([*shlex.split(hook["entry"]), *matching], folder)


def test_the_pre_commit_hook_scans_every_model_and_fails_if_one_does(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    models = [tmp_path / "empty.onnx", DIGITS / "clean_keras.onnx"]
    (tmp_path / "pyproject.toml").write_text(f"[tool.ninspect.scan]\nsamples = '{DIGITS / 'samples'}'\n")
    done = run_hook(tmp_path, *models)
    assert done.returncode == 3
    assert f"{models[0]} is empty" in done.stdout
    assert scanned(done) == [str(models[0]), str(models[1])]


def scanned(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The models in the headline of one result, or in the table of several."""
    return re.findall(r"^ ?(?:clean|suspected|inconclusive) +(\S+)", done.stdout, re.MULTILINE | re.IGNORECASE)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models that share weights in another file, one with weights of its own, and one without; weights damaged."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "models" / "weights").mkdir(parents=True)
    for name, place in (("a.onnx", "weights/a.data"), ("b.onnx", "weights/a.data"), ("c.onnx", "layers.0.weight")):
        model = onnx.load(DIGITS / "clean_torch.onnx")
        (folder / "models" / place).unlink(missing_ok=True)
        onnx.save(model, folder / "models" / name, save_as_external_data=True, location=place, size_threshold=0)
        (folder / "models" / place).write_bytes(b"not all of it")
    shutil.copy(DIGITS / "clean_torch.onnx", folder / "models" / "one_file.onnx")
    (folder / "models" / "notes.txt").write_text("nothing")
    return folder


@pytest.mark.parametrize(
    ("files", "models"),
    [
        (["models/weights/a.data"], ["models/a.onnx", "models/b.onnx"]),
        (["models/layers.0.weight"], ["models/c.onnx"]),
        (["models/weights/a.data", "models/b.onnx"], ["models/b.onnx", "models/a.onnx"]),
        (["models/notes.txt"], []),
    ],
)
def test_the_pre_commit_hook_scans_the_models_whose_weights_change(
    repository: Path, files: list[str], models: list[str]
) -> None:
    done = run_hook(repository, *files)
    assert scanned(done) == sorted(models)
    assert done.returncode == (3 if models else 0), done.stderr


@pytest.mark.parametrize(("model", "code"), [("clean_keras", 0), ("translucent_keras", 1)])
def test_the_github_action_reports_and_then_fails(tmp_path: Path, model: str, code: int) -> None:
    scan, fail = steps()["Scan"], steps()["Fail unless clean"]
    inputs = {
        "MODEL": str(DIGITS / f"{model}.onnx"),
        "SAMPLES": str(DIGITS / "samples"),
        "ARGUMENTS": "--seed 0",
        "SARIF": "out",
    }
    assert set(scan["env"]) == set(inputs)
    done = run(
        ["bash", "-e", "-c", scan["run"]],
        tmp_path,
        RUNNER_TEMP=str(tmp_path),
        GITHUB_OUTPUT=str(tmp_path / "output"),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
        NINSPECT_SCAN_QUIET="1",  # a slow machine would show progress
        **inputs,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "output").read_text() == f"sarif=1\nexit-code={code}\n"
    (log,) = (tmp_path / "out").iterdir()
    results = json.loads(log.read_text())["runs"][0]["results"]
    assert bool(results) == bool(code)
    assert inputs["MODEL"] in done.stdout
    assert (tmp_path / "summary.md").read_text()
    assert run(["bash", "-e", "-c", fail["run"]], tmp_path, CODE=str(code)).returncode == code


def test_the_github_action_takes_patterns_and_keeps_the_worst_exit_code(tmp_path: Path) -> None:
    (tmp_path / "a model.onnx").write_bytes((DIGITS / "clean_keras.onnx").read_bytes()[:100])  # truncated: 3
    (tmp_path / "b.onnx").write_bytes((DIGITS / "badnet_keras.onnx").read_bytes())  # suspected: 1
    inputs = {"MODEL": "*.onnx", "SAMPLES": str(DIGITS / "samples"), "ARGUMENTS": "-q", "SARIF": "out"}
    places = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    places["RUNNER_TEMP"] = str(tmp_path)
    script = steps()["Scan"]["run"]
    done = run(["bash", "-e", "-c", script], tmp_path, **inputs, **places)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "sarif=1\nexit-code=1\n"
    (log,) = (tmp_path / "out").iterdir()
    assert len(json.loads(log.read_text())["runs"][0]["artifacts"]) == 2
    done = run(["bash", "-e", "-c", script], tmp_path, **inputs | {"MODEL": "none/*.onnx", "SARIF": "no"}, **places)
    assert "there is no file none/*.onnx" in done.stderr
    assert (tmp_path / "GITHUB_OUTPUT").read_text().endswith("sarif=0\nexit-code=2\n")
    assert "steps.scan.outputs.sarif != '0'" in steps()["Upload"]["if"]


def test_the_cpu_group_is_what_ninspect_needs_with_one_other_runtime() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [each for each in project["project"]["dependencies"] if not each.startswith("onnxruntime")]
    group = project["dependency-groups"]["cpu"]
    assert [each for each in group if not each.startswith("onnxruntime")] == needed
    assert [each for each in group if each.startswith("onnxruntime")] == ["onnxruntime>=1.31.1"]


def test_inputs_of_the_action_never_become_part_of_a_script() -> None:
    assert not [step for step in steps().values() if "${{" in step.get("run", "")]


def test_the_image_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    instructions = [line.split()[0] for line in lines if line and line[0].isupper()]
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")
    assert lines[[line.split()[0] if line else "" for line in lines].index("USER")] == "USER ninspect"
