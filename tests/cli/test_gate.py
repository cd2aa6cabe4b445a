"""Exit codes that pipelines ask for, and options that do not stand on the command line."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.cli.conftest import CommandLine
from tests.support import backdoored_weights, even_weights, linear_model, random_pixels, save

SCAN = ("scan", "model.onnx", "--samples", "images.npy", "--method", "neuroninspect")


@pytest.fixture
def suspect(tmp_path: Path, command_line: CommandLine) -> CommandLine:
    """A folder with a model that is suspected."""
    save(linear_model(backdoored_weights(7)), tmp_path / "model.onnx")
    np.save(tmp_path / "images.npy", np.rint(random_pixels(60, (12, 12, 1)) * 255).astype(np.uint8))
    return command_line


def test_a_suspicion_fails_unless_it_shall_not(suspect: CommandLine) -> None:
    assert suspect(*SCAN)[0] == 1
    code, out, err = suspect(*SCAN, "--exit-zero")
    assert (code, "SUSPECTED" in out) == (0, True)
    assert "the verdict is suspected; the exit code is 0, as was asked for" in err
    assert suspect(*SCAN, "--exit-zero", "--quiet")[2] == ""
    assert suspect(*SCAN, "--fail-on", "suspected")[0] == 1


def test_what_is_inconclusive_fails_unless_it_shall_not(suspect: CommandLine, tmp_path: Path) -> None:
    save(linear_model(even_weights(classes=3)), tmp_path / "model.onnx")
    assert suspect(*SCAN)[0] == 3
    assert suspect(*SCAN, "--fail-on", "suspected")[0] == 0


def test_a_mistake_fails_whatever_was_asked_for(suspect: CommandLine) -> None:
    assert suspect("scan", "absent.onnx", "--exit-zero")[0] == 2


def test_a_baseline_lets_pass_what_it_says_of_the_same_file(suspect: CommandLine, tmp_path: Path) -> None:
    suspect(*SCAN, "--format", "json:known.json")
    code, out, err = suspect(*SCAN, "--baseline", "known.json")
    assert (code, "SUSPECTED" in out) == (0, True)
    assert "the baseline says the same of this model" in err
    known = json.loads((tmp_path / "known.json").read_text())
    for finding in known["findings"]:
        finding["classes"] = [3] if finding["rule"] == "BD001" else []
    (tmp_path / "other.json").write_text(json.dumps(known))
    code, _, err = suspect(*SCAN, "--baseline", "other.json")
    assert (code, "does not apply: it does not say what this scan found (BD001)" in err) == (1, True)
    save(linear_model(backdoored_weights(7) * np.float32(1.01)), tmp_path / "model.onnx")
    code, _, err = suspect(*SCAN, "--baseline", "known.json")
    assert (code, "does not apply: the model is another (model.onnx)" in err) == (1, True)


def test_a_baseline_does_not_hold_for_weights_that_were_swapped(suspect: CommandLine, tmp_path: Path) -> None:
    model = linear_model(backdoored_weights(7))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    suspect(*SCAN, "--format", "json:known.json")
    assert suspect(*SCAN, "--baseline", "known.json")[0] == 0
    data = bytearray((tmp_path / "model.onnx.data").read_bytes())
    data[:1000] = data[1000:2000]
    (tmp_path / "model.onnx.data").write_bytes(data)
    code, _, err = suspect(*SCAN, "--baseline", "known.json")
    assert (code, "does not apply: the model is another (model.onnx.data)" in err) == (1, True)


def test_a_baseline_holds_for_the_images_and_the_options_that_it_was_made_with(
    suspect: CommandLine, tmp_path: Path
) -> None:
    suspect(*SCAN, "--format", "json:known.json")
    code, _, err = suspect(*SCAN, "--alpha", "0.05", "--baseline", "known.json")
    assert (code, "it was scanned with other options (alpha)" in err) == (1, True)
    np.save(tmp_path / "images.npy", np.rint(random_pixels(60, (12, 12, 1), seed=1) * 255).astype(np.uint8))
    code, _, err = suspect(*SCAN, "--baseline", "known.json")
    assert (code, "it was scanned with other images" in err) == (1, True)


def test_a_baseline_holds_for_the_preprocessing_that_it_was_made_with(suspect: CommandLine, tmp_path: Path) -> None:
    settings = tmp_path / "preprocess.toml"  # beside the model: no option names it
    settings.write_text("std = 1.0")
    suspect(*SCAN, "--format", "json:known.json")
    assert suspect(*SCAN, "--baseline", "known.json")[0] == 0
    settings.write_text("std = 0.5")
    code, _, err = suspect(*SCAN, "--baseline", "known.json")
    assert (code, "it was scanned with other preprocessing" in err) == (1, True)


def test_the_project_may_accept_a_finding_by_name(suspect: CommandLine, tmp_path: Path) -> None:
    save(linear_model(even_weights()), tmp_path / "model.onnx")
    np.save(tmp_path / "images.npy", np.rint(random_pixels(9, (12, 12, 1)) * 255).astype(np.uint8))
    options = (*SCAN, "--skip", "every-class", "--format", "json")
    assert suspect(*options)[0] == 3
    (tmp_path / "pyproject.toml").write_text('[tool.ninspect.scan]\nignore = ["IM002"]\n')
    code, out, _ = suspect(*options)
    assert (code, json.loads(out)["verdict"]) == (0, "clean")
    assert [(f["rule"], f["ignored"]) for f in json.loads(out)["findings"] if f["rule"] == "IM002"] == [("IM002", True)]
    code, _, err = suspect(*options, "--ignore", "CV")
    assert (code, "leave the question out with --skip" in err) == (2, True)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schema": "ninspect/result/0"}', b"\xff"])
def test_a_baseline_that_is_none_is_refused_before_the_scan(
    suspect: CommandLine, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "known.json").write_bytes(content)
    code, out, err = suspect(*SCAN, "--baseline", "known.json")
    assert (code, out, "known.json" in err) == (2, "", True)
    code, out, err = suspect(*SCAN, "--baseline", "knwon.json")
    assert (code, out, "knwon.json cannot be read" in err) == (2, "", True)


def test_options_come_from_the_project_a_file_or_the_environment(
    suspect: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alpha(*arguments: str) -> float:
        return float(json.loads(suspect(*arguments, "--format", "json")[1])["alpha"])

    (tmp_path / "pyproject.toml").write_text("[tool.ninspect.scan]\nalpha = 0.02\nexit-zero = true\n")
    (tmp_path / "mine.toml").write_text("[scan]\nalpha = 0.03\n")
    code, _, err = suspect(*SCAN)
    assert code == 0
    assert "ninspect: options from pyproject.toml: alpha, exit-zero" in err
    assert alpha(*SCAN) == 0.02
    assert alpha("--config", "mine.toml", *SCAN) == 0.03
    monkeypatch.setenv("NINSPECT_SCAN_ALPHA", "0.04")
    assert alpha("--config", "mine.toml", *SCAN) == 0.04
    assert alpha(*SCAN, "--alpha", "0.05") == 0.05


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[scan]\nalpah = 1", "mine.toml: scan has no option 'alpah'; there are address, alpha, "),
        ("[scna]\nalpha = 1", "mine.toml: 'scna' is not a command; there are "),
        ("scan = 1", "must have a table for each command"),
        ("[scan", "mine.toml is not TOML"),
    ],
)
def test_settings_that_mean_nothing_are_refused(suspect: CommandLine, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(content)
    code, _, err = suspect("--config", "mine.toml", *SCAN)
    assert (code, said in err) == (2, True), err


def test_a_variable_with_a_slip_in_its_name_is_refused(suspect: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINSPECT_SCAN_STRCT", "1")
    code, out, err = suspect(*SCAN)
    assert (code, out, "NINSPECT_SCAN_STRCT is set, and scan has no such option" in err) == (2, "", True)
    assert suspect("rules")[0] == 0


def test_a_file_where_a_folder_should_be_is_found_out_before_the_scan(suspect: CommandLine) -> None:
    for option in ("--pictures", "--triggers"):
        code, out, err = suspect(*SCAN, option, "images.npy")
        assert (code, out, "images.npy is a file; give a folder" in err) == (2, "", True)


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_what_is_being_done_is_told_on_stderr(suspect: CommandLine, sandbox: str) -> None:
    code, out, err = suspect(*SCAN, "--verbose", "--sandbox", sandbox)
    assert (code, "ninspect:" in out) == (1, False)
    lines = [line.removeprefix("ninspect: ") for line in err.splitlines()]
    said = [line for line in lines if not line.startswith("step ")]  # a slow machine shows progress
    assert said[0].startswith("self-test: scores 0.0e+00, gradient ")
    assert said[1] == "neuroninspect: begins"
    assert said[2].startswith("neuroninspect: smallest p ")
    assert said[3] == "evidence: begins"
    assert said[4].startswith("evidence: 3 triggers, ")
