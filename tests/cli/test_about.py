"""What the commands about ninspect itself say."""

import json
import os
import sys
from pathlib import Path

import pytest

from ninspect.findings import RULES
from ninspect.gradient.registry import RULES as GRADIENTS
from tests.cli.conftest import CommandLine
from tests.support import ninspect


def test_selftest_tells_the_bundled_pair_apart(tmp_path: Path) -> None:
    done = ninspect("selftest", cwd=tmp_path)
    first, second = done.stdout.splitlines()
    assert first.startswith("ok     badnet_keras.onnx  suspected in ")
    assert "class 3 looks like the target of a backdoor" in first
    assert second.startswith("ok     clean_keras.onnx   clean in ")
    assert done.returncode == 0


@pytest.mark.parametrize("format_", ["text", "json"])
def test_doctor_names_versions_devices_and_layers(tmp_path: Path, format_: str) -> None:
    done = ninspect("doctor", "--format", format_, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    facts = json.loads(done.stdout) if format_ == "json" else {line[:13].rstrip(): line[13:].strip() for line in lines}
    assert {"onnxruntime", "python", "providers", "GPU", "memory limit"} <= set(facts)
    assert facts["sandbox"].startswith("process")
    assert "CPU" in facts["providers"]
    assert ("CUDA" in facts["providers"]) <= (not facts["GPU"].startswith("none"))
    allowed, count = len(os.sched_getaffinity(0)), os.cpu_count()
    kept = f"{allowed} of {count}, which this process is kept to"
    assert facts["processors"] == (str(count) if allowed == count else kept)


def test_version_and_help_are_commands_too(command_line: CommandLine) -> None:
    assert command_line("version") == command_line("--version")
    assert command_line("help") == command_line("--help")
    assert command_line("help", "scan") == command_line("scan", "--help")
    code, _, errors = command_line("help", "sacn")
    assert (code, errors) == (2, "ninspect: there is no command 'sacn'; ninspect help lists them\n")


def test_rules_say_what_a_finding_means_and_what_to_do(command_line: CommandLine) -> None:
    code, out, err = command_line("rules", "--format", "json")
    assert (code, err) == (0, "")
    assert [rule["id"] for rule in json.loads(out)] == list(RULES)
    code, text, _ = command_line("rules")
    assert code == 0
    for rule in RULES.values():
        assert f"{rule.id}  {rule.title}" in text
        assert " ".join(rule.advice.split()) in " ".join(text.split())


def test_operators_are_those_of_the_registry(command_line: CommandLine) -> None:
    code, out, err = command_line("operators")
    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()} >= set(GRADIENTS)
    assert "Floor" in out
    relu = json.loads(command_line("operators", "--format", "json")[1])["Relu"]
    assert (relu["how"], set(relu)) == ("rule", {"how", "formula"})


def installed(folder: Path, *names: str) -> Path:
    """A folder for Python's path in which distributions of these names seem to be installed."""
    for name in names:
        info = folder / f"{name.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    return folder


def test_doctor_says_that_two_packages_of_onnx_runtime_clash(tmp_path: Path) -> None:
    path = os.pathsep.join([str(installed(tmp_path, "onnxruntime", "onnxruntime-gpu")), *sys.path])
    facts = json.loads(ninspect("doctor", "--format", "json", PYTHONPATH=path).stdout)
    assert facts["clash"].startswith("onnxruntime 1.2.3 and onnxruntime-gpu 1.2.3 are installed; uninstall ")


@pytest.mark.parametrize("arguments", [["doctor"], ["info", "model.onnx"], ["info", "model.onnx", "--sandbox", "off"]])
def test_a_broken_onnx_runtime_is_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "onnxruntime").mkdir()  # what is left after one of the two was uninstalled
    (tmp_path / "onnxruntime" / "__init__.py").touch()
    done = ninspect(*arguments, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ninspect: ONNX Runtime is broken or missing; uninstall onnxruntime and ")
    assert done.stderr.count("\n") == 1
