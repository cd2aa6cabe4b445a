"""`ninspect screen` as it is typed."""

from pathlib import Path

import pytest

from tests.carriers.files import pictures, screening_files
from tests.cli.conftest import CommandLine
from tests.support import names_in, ninspect, save_images


@pytest.fixture
def files(tmp_path: Path, command_line: CommandLine) -> CommandLine:
    screening_files(tmp_path)
    return command_line


def test_what_is_found_is_ranked_and_the_exit_code_says_so(files: CommandLine, tmp_path: Path) -> None:
    code, out, err = files("screen", "result.json", "--images", "pictures.npz")
    assert (code, err) == (1, "")
    assert out.startswith("FOUND  pictures.npz\n  10 of 80 pictures carry a trigger")
    assert out.index("pictures.npz[3]") < out.index("pictures.npz[7]")
    save_images(tmp_path / "clean.npz", pictures(every=0)[0])
    code, out, _ = files("screen", "result.json", "--images", "clean.npz")
    assert (code, out.startswith("NONE  clean.npz\n  None of 80 pictures was found")) == (0, True)
    assert files("screen", "result.json", "--images", "pictures.npz", "--exit-zero")[0] == 0


def test_every_format_goes_to_its_file_and_nothing_else_is_left(files: CommandLine, tmp_path: Path) -> None:
    starts = {"html": "<!doctype html>", "json": "{", "csv": "rank,", "txt": "FOUND"}
    for ending in starts:
        assert files("screen", "result.json", "--images", "pictures.npz", "-o", f"a.{ending}") == (1, "", "")
    for ending, start in starts.items():
        assert (tmp_path / f"a.{ending}").read_text(encoding="utf-8").startswith(start)
    left = ["a.csv", "a.html", "a.json", "a.txt", "model.onnx", "pictures.npz", "result.json"]
    assert names_in(tmp_path) == left
    code, out, _ = files(
        "screen", "result.json", "--images", "pictures.npz", "--format", "csv", "--format", "html:b.html"
    )
    assert (code, out[:5], (tmp_path / "b.html").exists()) == (1, "rank,", True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent.json", "--images", "pictures.npz"], 2, "absent.json cannot be read"),
        (["pictures.npz", "--images", "pictures.npz"], 2, "is not JSON; give what ninspect scan --format json wrote"),
        (["result.json", "--images", "absent"], 2, "absent does not exist"),
        (["result.json", "--images", "pictures.npz", "--format", "sarif"], 2, "with a format of text, json, csv, html"),
        (["result.json", "--images", "pictures.npz", "-o", "no/such.html"], 2, "no/such.html cannot be written"),
        (["result.json", "--images", "pictures.npz", "--classes", "3"], 2, "holds no trigger of class 3"),
        (["result.json", "--images", "pictures.npz", "--model", "result.json"], 2, "result.json"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_left(
    files: CommandLine, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    got, out, err = files("screen", *arguments)
    assert (got, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert names_in(tmp_path) == ["model.onnx", "pictures.npz", "result.json"]


def test_the_worker_answers_behind_its_lock(tmp_path: Path) -> None:
    screening_files(tmp_path)
    done = ninspect("screen", "result.json", "--images", "pictures.npz", "--format", "csv", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("\n") == 17
