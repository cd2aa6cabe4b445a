import json
from pathlib import Path

import pytest

from ninspect.report import FORMATS, Result
from tests.cli.conftest import CommandLine
from tests.report.examples import example
from tests.support import even_weights, linear_scan_files, names_in


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    (tmp_path / "result.json").write_text(example().to_json(), encoding="utf-8")
    return tmp_path / "result.json"


def test_a_scan_writes_several_formats_at_once(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    formats = ["--format", "text", "--format", "sarif:log.sarif", "--format", "json:result.json"]
    code, out, error = command_line("scan", model, "-s", images, *formats)
    assert (code, error) == (0, "")
    assert out.startswith("CLEAN  ")
    assert json.loads((tmp_path / "log.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert Result.from_json((tmp_path / "result.json").read_text(encoding="utf-8")).verdict == "clean"
    assert names_in(tmp_path) == ["images.npz", "log.sarif", "model.onnx", "result.json"]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_saved_result_is_shown_in_any_format(saved: Path, command_line: CommandLine, format_: str) -> None:
    code, out, error = command_line("report", saved, "--format", format_)
    assert (code, error) == (0, "")
    assert command_line("report", saved, "--format", f"{format_}:report") == (0, "", "")
    assert (saved.parent / "report").read_text(encoding="utf-8") == out
    assert command_line("report", saved, "--format", format_, "-o", "other") == (0, "", "")
    assert (saved.parent / "other").read_text(encoding="utf-8") == out


def test_the_pictures_of_a_saved_result_can_be_written(saved: Path, command_line: CommandLine) -> None:
    assert command_line("report", saved, "--pictures", "pictures")[0] == 0
    assert "class-7-heatmap.png" in names_in(saved.parent / "pictures")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--format", "pdf"], "--format 'pdf' is not FORMAT or FORMAT:PATH, with a format of text, json, "),
        (["--format", "json:"], "--format 'json:' is not FORMAT or FORMAT:PATH"),
        (["--format", "json", "--format", "text"], "json and text both go to stdout; give one a path"),
        (["--format", "json:x", "--format", "text:x"], "json and text both go to x"),
        (["--format", "json", "--format", "text", "-o", "x"], "json and text both go to x"),
        (["--format", "json:x", "-o", "y"], "--output y is left without a format"),
        (["--format", "json:missing/x"], "missing/x cannot be written: No such file or directory"),
    ],
)
def test_outputs_that_make_no_sense_are_refused_before_anything_is_done(
    saved: Path, command_line: CommandLine, options: list[str], fault: str
) -> None:
    for command in (["report", str(saved)], ["scan", "no model"]):
        code, out, error = command_line(*command, *options)
        assert (code, out) == (2, "")
        assert error.startswith("ninspect: ")
        assert fault in error
    assert names_in(saved.parent) == ["result.json"]


def test_a_result_that_cannot_be_read_is_a_usage_error(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    assert command_line("report", "broken.json") == (
        2,
        "",
        "ninspect: broken.json is not JSON; give what ninspect scan --format json wrote\n",
    )
    code, _, error = command_line("report", "missing.json")
    assert (code, error) == (2, "ninspect: missing.json cannot be read: No such file or directory\n")
