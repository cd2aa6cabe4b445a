import gzip
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CommandLine
from tests.support import (
    even_weights,
    linear_model,
    linear_scan_files,
    names_in,
    ninspect,
    onnx_model,
    random_pixels,
    save,
    save_images,
)

WEIGHTS = even_weights(side=8).reshape(10, 64).T


def bytes_of(nodes: str, opset: int = 18, x: str = "float[N,1,8,8] x") -> bytes:
    return bytes(onnx_model(nodes, opset=opset, x=x, w=WEIGHTS).SerializeToString())


MODEL = bytes_of("f = Flatten(x); y = MatMul(f, w)")

NOT_MODELS = {
    "empty": (b"", "is empty; download or export it again"),
    "text": (b"hello world\n" * 50, "is a text file, not a model"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
    "compressed": (gzip.compress(MODEL), "is gzip-compressed; decompress it first"),
    "a pickle": (pickle.dumps([1]), "is a Python pickle, which can run code"),
    "a web page": (b"<!DOCTYPE html>", "is a web page or XML"),
    "truncated": (MODEL[:-100], "is not an ONNX model, or is truncated"),
    "random": (np.random.default_rng(0).bytes(4096), "is not an ONNX model, or is truncated"),
    "without nodes": (bytes_of(""), "has no nodes or no outputs"),
    "of the future": (bytes_of("f = Flatten(x); y = MatMul(f, w)", opset=9999), "uses opset 9999, newer than"),
    "a video network": (bytes_of("f = Flatten(x); y = MatMul(f, w)", x="float[N,1,1,8,8] x"), "no single input"),
    "of an unknown operator": (
        bytes_of("l = Det(x); f = Flatten(x); h = Mul(f, l); y = MatMul(h, w)"),
        "operator Det .node ''. has no gradient rule; export the model without",
    ),
    "of an unknown domain": (
        bytes_of("f = Flatten(x); h = com.evil.Op(f); y = MatMul(h, w)"),
        "operator com.evil::Op .node ''. has no gradient rule",
    ),
}


def is_one_line(text: str) -> bool:
    return text.startswith("ninspect: ") and text.endswith("\n") and text.count("\n") == 1


# Files. Where a process of its own adds nothing, the command line is called from this one.


PLAINLY_OTHER = ["empty", "text", "a Git LFS pointer", "compressed", "a web page"]


@pytest.mark.parametrize("kind", PLAINLY_OTHER)
def test_what_plainly_is_no_model_is_a_wrong_path_and_no_verdict(
    tmp_path: Path, kind: str, command_line: CommandLine
) -> None:
    content, reason = NOT_MODELS[kind]
    (tmp_path / "model.onnx").write_bytes(content)
    code, out, err = command_line("scan", "model.onnx", "--fail-on", "suspected")
    assert (code, out) == (2, "")
    assert is_one_line(err)
    assert re.search(reason, err)


def test_a_folder_without_models_is_a_wrong_path(tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "fleet").mkdir()
    code, out, err = command_line("scan", "fleet")
    assert (code, out, err) == (2, "", "ninspect: there is no .onnx file in fleet or below; give the path of a model\n")
    code, out, err = command_line("info", "fleet")
    assert (code, out, err) == (2, "", "ninspect: fleet is a folder; give the path of an .onnx file in it\n")


@pytest.mark.parametrize("kind", [kind for kind in NOT_MODELS if kind not in PLAINLY_OTHER])
def test_a_file_that_cannot_be_judged_is_inconclusive(tmp_path: Path, kind: str, command_line: CommandLine) -> None:
    content, reason = NOT_MODELS[kind]
    (tmp_path / "model.onnx").write_bytes(content)
    save_images(tmp_path / "images.npz", random_pixels(20, (8, 8, 1)))
    code, out, err = command_line("scan", "model.onnx", "--samples", "images.npz")
    assert (code, err) == (3, "")
    assert out.startswith("INCONCLUSIVE  model.onnx\n")
    assert re.search(reason, " ".join(out.split()), re.IGNORECASE)
    assert names_in(tmp_path) == ["images.npz", "model.onnx"]


def test_what_libraries_log_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(NOT_MODELS["of an unknown domain"][0])
    run = ninspect("info", "model.onnx", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (3, "")
    assert is_one_line(run.stderr)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.onnx")
    run = ninspect("scan", "model.onnx", "--samples", tmp_path, cwd=tmp_path)
    assert (run.returncode, run.stderr) == (3, "")
    assert "model.onnx is not a regular file" in " ".join(run.stdout.split())


def test_other_commands_say_what_is_wrong_in_one_line_and_leave_nothing(
    tmp_path: Path, command_line: CommandLine
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    np.save(tmp_path / "image.npy", np.zeros((8, 8), np.uint8))
    for arguments in (
        ["info", "model.onnx"],
        ["augment", "model.onnx", "-o", "new.onnx"],
        ["explain", "model.onnx", "--image", "image.npy", "--class", "1", "-o", "new.png"],
    ):
        empty = "ninspect: model.onnx is empty; download or export it again\n"
        assert command_line(*arguments) == (2, "", empty)
    assert names_in(tmp_path) == ["image.npy", "model.onnx"]


PUBLISHED = ["scan", "model.onnx", "-s", "images.npz", "--method", "neuroninspect"]

# Requests


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scan", "missing.onnx", "-s", "images.npz"], "there is no file missing.onnx"),
        (["scan", "model.onnx", "-s", "missing"], "missing does not exist"),
        (["scan", "model.onnx", "-s", "model.onnx"], "model.onnx holds no images"),
        (["scan", "model.onnx", "-s", "images.npz", "--classes", "3,12"], "class 12 is out of range"),
        (["scan", "model.onnx", "-s", "images.npz", "--classes", "3-"], "--classes '3-' is not a list of classes"),
        (["scan", "model.onnx", "-s", "images.npz", "--classes", "7-3"], "--classes '7-3' is not a list of classes"),
        (["scan", "model.onnx", "-s", "images.npz", "--classes", "0-9999999"], "more classes than any model has"),
        (["scan", "model.onnx", "-s", "images.npz", "--weights", "1,2,3"], "belong to --method neuroninspect"),
        (["scan", "model.onnx", "-s", "images.npz", "--chained"], "belong to --method neuroninspect"),
        (
            ["scan", "model.onnx", "-s", "images.npz", "--method", "mmbd", "--threshold", "0.4"],
            "not belong to --method",
        ),
        ([*PUBLISHED, "--weights", "1,2"], "is not a list of three numbers"),
        ([*PUBLISHED, "--weights", "1,nan,1"], "is not a number or a list"),
        ([*PUBLISHED, "--weights", ""], "--weights '' is not a number or a list"),
        (["scan", "model.onnx", "-s", "images.npz", "--mean", "a"], "--mean 'a' is not a number or a list"),
        (["scan", "model.onnx", "-s", "images.npz", "--mean", "1,2,3"], "mean has 3 numbers"),
        (["scan", "model.onnx", "-s", "images.npz", "--std", "0"], "std"),
        (["scan", "model.onnx", "-s", "images.npz", "--scale", "nan"], "scale"),
        (["scan", "model.onnx", "-s", "images.npz", "--color", "rgb"], "color is rgb"),
        (["scan", "model.onnx", "-s", "images.npz", "--size", "12"], "--size '12' is not of the form HEIGHTxWIDTH"),
        (["scan", "model.onnx", "-s", "images.npz", "--size", "9x9"], "takes images of 12x12 pixels, not 9x9"),
        (["scan", "model.onnx", "-s", "images.npz", "--logits", "z"], "the model has no output 'z'"),
        (["scan", "model.onnx", "-s", "images.npz", "--preprocess", "no.toml"], "no.toml is not a file"),
        (["scan", "model.onnx", "-s", "images.npz", "-o", "no/result"], "no/result cannot be written: No such file"),
        (["scan", "model.onnx", "-s", "images.npz", "-o", "."], "cannot be written: Is a directory"),
        (
            ["explain", "model.onnx", "--image", "images.npz", "--class", "10", "-o", "n.png"],
            "class 10 is out of range",
        ),
        (["explain", "model.onnx", "--image", "images.npz", "--class", "1", "-o", "no/n.png"], "cannot be written"),
        (["augment", "model.onnx", "-o", "no/new.onnx"], "no/new.onnx cannot be written"),
        (
            ["explain", "model.onnx", "--image", "images.npz", "--class", "1", "-o", "n.jpg"],
            "n.jpg would be a PNG with another ending",
        ),
        (["info", "https://example.org/m.onnx"], "https://example.org/m.onnx is an address; download the file"),
        (["info", "missing.onnx"], "there is no file missing.onnx"),
        (["info", "x" * 300 + "/model.onnx"], "File name too long"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(
    tmp_path: Path, arguments: list[str], message: str, command_line: CommandLine
) -> None:
    linear_scan_files(tmp_path, even_weights())
    code, out, err = command_line(*arguments)
    assert (code, out) == (2, "")
    assert is_one_line(err)
    assert message in err
    assert names_in(tmp_path) == ["images.npz", "model.onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scan"], "scan needs a model: give the path of an .onnx file"),
        (["scan", "model.onnx", "-s", "x", "--alpha", "nan"], "should be"),
        (["scan", "model.onnx", "-s", "x", "--alpha", "0.7"], "should be less than or equal to 0.5"),
        (["scan", "model.onnx", "-s", "x", "--threshold", "nan"], "should be"),
        (["scan", "model.onnx", "-s", "x", "--max-images", "0"], "should be greater than or equal to 1"),
        (["scan", "model.onnx", "-s", "x", "--method", "magic"], "'magic' is not"),
        (["sacn", "model.onnx"], "No such command 'sacn'"),
    ],
)
def test_an_impossible_option_is_explained(arguments: list[str], message: str, command_line: CommandLine) -> None:
    code, out, err = command_line(*arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert "Traceback" not in err


# Accidents


BROKEN = """
import sys
import ninspect.audit.stages

def scan(*arguments, **options):
    raise RuntimeError("two\\nlines")

ninspect.audit.stages.scan = scan
from ninspect.cli import main
sys.argv = ["ninspect", "scan", "model.onnx", "--samples", "images", "--sandbox", "off"]
main()
"""


@pytest.mark.parametrize("traceback", [False, True])
def test_an_internal_error_has_its_exit_code_and_a_traceback_on_request_only(traceback: bool) -> None:
    environment = os.environ | ({"NINSPECT_TRACEBACK": "1"} if traceback else {})
    run = subprocess.run(
        [sys.executable, "-c", BROKEN], env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert run.stdout == ""
    assert ("Traceback" in run.stderr) == traceback
    if not traceback:
        assert run.returncode == 4
        assert is_one_line(run.stderr)
        assert "internal error, please report it: RuntimeError: two\\u000alines" in run.stderr


@pytest.mark.parametrize("command", ["scan", "info"])
def test_a_reader_that_has_left_is_no_verdict_and_no_traceback(tmp_path: Path, command: str) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    reader, writer = os.pipe()
    os.close(reader)
    samples = ["-s", str(images)] if command == "scan" else []
    run = subprocess.run(
        [sys.executable, "-m", "ninspect", command, str(model), *samples],
        stdout=writer,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (run.returncode, run.stderr) == (4, "")


def test_a_full_disk_is_one_sentence_with_an_exit_code_of_its_own(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "ninspect"]  # no file may grow
    np.save(tmp_path / "image.npy", np.zeros((1, 12, 12), np.uint8))
    before = names_in(tmp_path)
    for arguments in (
        ["scan", model, "-s", images, "-o", "new"],
        ["explain", model, "--image", "image.npy", "--class", "1", "-o", "new"],
        ["augment", model, "-o", "new"],
    ):
        run = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        expected = (4, "", "ninspect: new cannot be written: File too large\n")
        assert (run.returncode, run.stdout, run.stderr) == expected
    assert names_in(tmp_path) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_a_result_that_stdout_does_not_take_is_one_sentence(tmp_path: Path) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights())
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "ninspect", "info", str(model)],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    expected = (4, "ninspect: stdout cannot be written: No space left on device\n")
    assert (run.returncode, run.stderr) == expected


def test_a_read_only_folder_keeps_what_it_holds(tmp_path: Path) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights())
    folder = tmp_path / "folder"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write anywhere, but not mount a read-only folder")
    try:
        run = ninspect("augment", model, "-o", folder / "new.onnx")
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)
    assert (run.returncode, run.stdout) == (4, "")
    assert is_one_line(run.stderr)
    assert "new.onnx cannot be written: " in run.stderr
    assert names_in(folder) == []


def test_any_console_can_show_the_result(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    run = ninspect("scan", model, "-s", images, PYTHONIOENCODING="ascii")
    assert (run.returncode, run.stderr) == (0, "")
    assert "(pixel * 0.003922 - 0) / 1" in run.stdout
    assert "\\u" not in run.stdout


def test_names_from_a_model_are_shown_and_never_obeyed(tmp_path: Path, command_line: CommandLine) -> None:
    hostile = "\x1b[31m\u202e[/]\n"
    model = linear_model(even_weights())
    model.graph.input[0].name = model.graph.node[0].input[0] = hostile
    model.producer_name = hostile
    save(model, tmp_path / "model.onnx")
    save_images(tmp_path / "images.npz", random_pixels(200, (12, 12, 1)))
    for command, *options in (["scan", "-s", "images.npz"], ["info"], ["augment", "-o", "new.onnx"]):
        code, out, err = command_line(command, "model.onnx", *options)
        assert (code, err) == (0, "")
        assert "\\u001b[31m\\u202e[/]\\u000a" in out
        assert "\x1b" not in out


def test_a_file_name_that_is_not_utf_8_is_no_obstacle(tmp_path: Path, command_line: CommandLine) -> None:
    model, _ = linear_scan_files(tmp_path, even_weights())
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/\xff.onnx"))
    model.rename(odd)
    for format_ in ("text", "json"):
        code, out, err = command_line("scan", odd, "-s", "images.npz", "--format", format_)
        assert (code, err) == (0, "")
        assert "\\udcff.onnx" in out
