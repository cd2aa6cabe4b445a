"""What the help looks like, what options may be called, and where a result goes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CommandLine
from tests.report.examples import clean
from tests.support import even_weights, linear_scan_files, onnx_model, save

QUICK = ("--method", "weights", "--no-evidence")


@pytest.fixture
def files(tmp_path: Path, command_line: CommandLine) -> CommandLine:
    """A folder with a model and its images."""
    linear_scan_files(tmp_path, even_weights(), count=20)
    return command_line


def test_the_help_fits_80_columns_and_begins_with_what_everybody_needs(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = command_line("scan", "--help")
    assert (code, max(map(len, out.splitlines())) <= 80) == (0, True)
    headings = re.findall(r"^(\w[\w ]*):$", out, re.MULTILINE)
    assert headings == [
        "Arguments", "Input", "Output", "Gate", "Several models", "Preprocessing", "Questions", "Safety", "Options",
        "Experts",
    ]  # fmt: skip
    assert "scan [OPTIONS] MODEL... [SAMPLES]" in out
    assert not re.search(r"<\w+( range)?>", out)  # no types
    assert "-o, --output, --output-file FILE" in out
    for name in ("--chained", "--threshold", "--weights", "--alpha", "--seed"):
        assert out.index(name) > out.index("Experts:")


def test_every_choice_is_named_once(command_line: CommandLine) -> None:
    out = " ".join(command_line("scan", "--help")[1].split())
    assert "--sandbox auto|require|off" in out
    assert "One of activated, windows, agreement" in out
    assert out.count("minus1_1") == 1


def test_images_may_stand_behind_the_model(files: CommandLine) -> None:
    code, out, _ = files("scan", "model.onnx", "images.npz", *QUICK)
    assert "20 from images.npz" in out
    code, _, err = files("scan", "model.onnx", "images.npz", "-s", "others.npz")
    assert (code, "samples were given twice, images.npz and others.npz" in err) == (2, True)
    code, _, err = files("scan", "model.onnx", "other.onnx")
    assert (code, "there is no file other.onnx" in err) == (2, True)


def test_a_result_goes_to_the_file_in_the_format_of_its_ending(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "saved").write_text(clean().to_json())
    starts = {"html": "<!doctype html>", "json": "{", "sarif": "{", "xml": "<testsuites>", "md": "### ", "txt": "CLEAN"}
    for ending, start in starts.items():
        for option in ("-o", "--output", "--output-file"):
            assert command_line("report", "saved", option, f"a.{ending}") == (0, "", "")
        assert (tmp_path / f"a.{ending}").read_text(encoding="utf-8").startswith(start)


def test_an_explicit_format_wins_over_the_ending_and_a_dash_is_stdout(files: CommandLine, tmp_path: Path) -> None:
    code, out, _ = files("scan", "model.onnx", *QUICK, "--format", "markdown", "-o", "a.html", "--format", "json:-")
    assert (code, out[0]) == (3, "{")
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("### ")
    assert not (tmp_path / "-").exists()


def test_a_link_stays_a_link_to_the_new_result(files: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    files("scan", "model.onnx", *QUICK, "-o", "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text().startswith("{")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that this user cannot write")
@pytest.mark.parametrize("options", [("-o", "closed/a.json"), ("--pictures", "closed/p"), ("--triggers", "closed")])
def test_a_read_only_place_is_refused_before_the_scan(
    files: CommandLine, tmp_path: Path, options: tuple[str, str]
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    code, out, err = files("scan", "absent.onnx", *options)  # that would be exit code 2
    assert (code, out, "its folder is read-only" in err) == (4, "", True)


def test_names_of_before_still_work_and_say_what_they_are_now(files: CommandLine, tmp_path: Path) -> None:
    code, out, err = files("scan", "model.onnx", "images.npz", *QUICK, "--images", "12")
    assert (code, "12 from images.npz" in out) == (3, True)
    assert "--images is now --max-images" in err
    assert "5 from" in files("scan", "model.onnx", "images.npz", *QUICK, "--images=5")[1]
    (tmp_path / "pyproject.toml").write_text("[tool.ninspect.scan]\nimages = 7\n")
    _, out, err = files("scan", "model.onnx", "images.npz", *QUICK)
    assert ("7 from" in out, "images is now max-images" in err) == (True, True)


def test_the_output_of_a_model_has_a_name_that_is_no_file(command_line: CommandLine, tmp_path: Path) -> None:
    w = np.zeros((64, 10), np.float32)
    model = onnx_model("f = Flatten(x); a = MatMul(f, w); y = Identity(a)", w=w, x="float[N,1,8,8] x")
    save(model, tmp_path / "model.onnx")
    for option in ("--logits", "--scores", "--output"):  # the last as before
        code, _, err = command_line("info", "model.onnx", option, "z")
        assert (code, "the model has no output 'z'" in err) == (2, True)
    assert "--output is now --logits" in err


def test_the_project_is_found_from_a_folder_below_it_and_its_paths_are_its_own(
    files: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.ninspect.scan]\nsamples = "images.npz"\n')
    (tmp_path / "below" / "deep").mkdir(parents=True)
    (tmp_path / "below" / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    monkeypatch.chdir(tmp_path / "below" / "deep")
    _, out, err = files("scan", "../../model.onnx", *QUICK)
    assert f"20 from {tmp_path / 'images.npz'}" in " ".join(out.split())
    assert f"options from {tmp_path / 'pyproject.toml'}: samples" in err


def test_quiet_and_verbose_contradict_each_other(files: CommandLine) -> None:
    code, _, err = files("scan", "model.onnx", "-q", "-v")
    assert (code, "--quiet and --verbose contradict each other" in err) == (2, True)


def test_a_shell_completes_formats() -> None:
    program = "import sys; sys.argv = ['ninspect']; from ninspect.cli import main; main()"
    typed = {"COMP_WORDS": "ninspect scan model.onnx --format j", "COMP_CWORD": "4"}
    environment = os.environ | typed | {"_NINSPECT_COMPLETE": "complete_bash"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["json", "junit"]
