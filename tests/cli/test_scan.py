import json
import os
import stat
from pathlib import Path

import numpy as np
import onnx
import pytest

from ninspect.report import Result
from ninspect.search.patch import Patch
from tests.cli.conftest import CommandLine
from tests.support import (
    Array,
    backdoored_weights,
    even_weights,
    linear_scan_files,
    names_in,
    ninspect,
    onnx_model,
    random_pixels,
    save,
    save_images,
)


@pytest.mark.parametrize(
    ("weights", "verdict", "code"),
    [
        (even_weights(), "clean", 0),
        (backdoored_weights(7), "suspected", 1),
        (np.zeros((10, 1, 12, 12)), "inconclusive", 3),
    ],
    ids=["clean", "suspected", "inconclusive"],
)
def test_the_exit_code_is_the_verdict_and_stdout_is_the_result_alone(
    tmp_path: Path, weights: Array, verdict: str, code: int
) -> None:
    model, images = linear_scan_files(tmp_path, weights)
    run = ninspect("scan", model, "--samples", images, FORCE_COLOR="")
    assert (run.returncode, run.stderr) == (code, "")
    assert run.stdout.startswith(f"{verdict.upper()}  {model}\n")
    assert "\x1b" not in run.stdout


def test_what_too_few_classes_keep_from_being_judged_is_said_before_the_work(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights(classes=3))
    run = ninspect("scan", model, images, "--no-evidence")
    assert run.returncode == 3
    assert run.stderr.startswith("ninspect: 3 classes can be compared, and outliers among fewer than 5 mean nothing; ")
    assert ninspect("scan", model, images, "--quiet", "--no-evidence").stderr == ""
    skipped = ninspect("scan", model, images, "--no-evidence", "--skip", "one-target")
    assert (skipped.returncode, skipped.stderr) == (3, "")


def test_json_on_stdout_is_the_result(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    run = ninspect("scan", model, "-s", images, "--format", "json")
    assert (run.returncode, run.stderr) == (1, "")
    result = Result.model_validate_json(run.stdout)
    assert (result.verdict, result.targets) == ("suspected", [7])


def test_the_result_can_be_written_to_a_file(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    for format_, start in (("json", '{\n  "schema": "ninspect/result/2"'), ("text", "SUSPECTED  ")):
        assert command_line("scan", model, "-s", images, "--format", format_, "-o", "result") == (1, "", "")
        assert (tmp_path / "result").read_text(encoding="utf-8").startswith(start)
    assert names_in(tmp_path) == ["images.npz", "model.onnx", "result"]


def test_pictures_and_exact_triggers_can_be_written_to_folders(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    code, out, _ = command_line("scan", model, "-s", images, "--pictures", "pictures", "--triggers", "triggers")
    assert code == 1
    assert out.startswith("SUSPECTED")
    assert {"class-7-trigger.png", "class-7-heatmap.png"} <= set(names_in(tmp_path / "pictures"))
    patch = Patch.from_npz((tmp_path / "triggers" / "class-7.npz").read_bytes())
    assert (patch.mask.shape, patch.pattern.shape) == ((12, 12), (12, 12, 1))


def test_class_names_come_from_a_file_that_is_given_or_lies_beside_the_model(
    tmp_path: Path, command_line: CommandLine
) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    scan = ["scan", model, "-s", images, "--format", "json", "--preset", "unit"]
    names = [f"sign {i}" for i in range(10)]
    assert json.loads(command_line(*scan)[1])["class_names"] == []
    proto = onnx.load(model)
    onnx.helper.set_model_props(proto, {"names": str({i: f"metadata {i}" for i in range(10)})})
    save(proto, model)
    assert json.loads(command_line(*scan)[1])["class_names"] == [f"metadata {i}" for i in range(10)]
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {i: f"config {i}" for i in range(10)}}))
    assert json.loads(command_line(*scan)[1])["class_names"] == [f"config {i}" for i in range(10)]
    (tmp_path / "classes.txt").write_text("\n".join(names), encoding="utf-8")
    assert json.loads(command_line(*scan)[1])["class_names"] == names
    (tmp_path / "other.txt").write_text("one\ntwo\n", encoding="utf-8")
    result = json.loads(command_line(*scan, "--class-names", "other.txt")[1])
    assert (result["class_names"], result["verdict"]) == ([], "clean")
    assert "2 class names were given for 10 classes, so classes are shown by number" in [
        finding["message"] for finding in result["findings"]
    ]
    (tmp_path / "other.txt").write_bytes(b"\xff\xfe")
    code, _, error = command_line(*scan, "--class-names", "other.txt")
    assert (code, "other.txt cannot be read (it is not UTF-8)" in error) == (2, True)


def test_the_result_holds_the_command_line(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    arguments = ["scan", str(model), "-s", str(images), "--format", "json"]
    assert json.loads(command_line(*arguments)[1])["command"] == ["ninspect", *arguments]


def test_the_null_device_stays_a_device(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    run = ninspect("scan", model, "-s", images, "-o", os.devnull)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_every_option_reaches_the_result(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7), count=60)
    options = ["--classes", "0-7,9", "--weights", "1,0.5,2", "--threshold", "0.25", "--chained", "--max-images", "55"]
    options += ["--alpha", "0.05", "--seed", "3", "--device", "cpu", "--logits", "y", "--method", "neuroninspect"]
    code, out, _ = command_line("scan", model, "-s", images, "--format", "json", *options)
    assert code == 1
    result = json.loads(out)
    assert result["explained"] == [0, 1, 2, 3, 4, 5, 6, 7, 9]
    assert result["detectors"][0]["settings"] == {"weights": [1, 0.5, 2], "threshold": 0.25, "chained": True}
    assert result["samples"]["count"] == 55
    assert (result["alpha"], result["seed"]) == (0.05, 3)


# Preprocessing


def standardised_scan_files(folder: Path) -> tuple[Path, Path]:
    """A model that is right about (pixels − 0.5) / 0.25."""
    weights, bias = even_weights(), np.arange(10) % 2
    pixels = random_pixels(50, (12, 12, 1))
    logits = np.einsum("kchw,nhwc->nk", weights, (pixels - 0.5) / 0.25) + bias
    model = onnx_model(
        "f = Flatten(x); y = Gemm(f, w, b)", x="float[N,1,12,12] x", w=weights.reshape(10, -1).T, b=bias.astype(float)
    )
    return save(model, folder / "model.onnx"), save_images(folder / "images.npz", pixels, logits.argmax(axis=1))


def test_settings_come_from_the_file_beside_the_model_and_flags_win(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = standardised_scan_files(tmp_path)
    beside = tmp_path / "preprocess.toml"
    beside.write_text("mean = 0.5\nstd = 1.0\n", encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text("mean = 0.25\n", encoding="utf-8")
    runs = {
        f"from {beside}": [],
        f"from {beside} and from the options (std)": ["--std", "0.25"],
        f"from {other}": ["--preprocess", str(other)],
    }
    found = {}
    for source, flags in runs.items():
        _, out, _ = command_line("scan", model, "-s", images, "--format", "json", *flags)
        settings = json.loads(out)["preprocess"]
        assert settings["source"] == source
        found[source] = (settings["mean"], settings["std"])
    assert list(found.values()) == [(0.5, 1.0), (0.5, 0.25), (0.25, 1.0)]


def test_the_right_settings_make_the_accuracy_right(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = standardised_scan_files(tmp_path)
    flags = ["--scale", str(1 / 255), "--mean", "0.5", "--std", "0.25", "--layout", "NCHW", "--color", "gray"]
    flags += ["--size", "12x12", "--resize", "none"]
    _, out, _ = command_line("scan", model, "-s", images, "--format", "json", *flags)
    result = json.loads(out)
    assert result["samples"]["clean_accuracy"] == 1
    assert result["preprocess"]["source"] == "from the options (scale, mean, std, layout, color, size, resize)"
    assert result["preprocess"] | {"source": ""} == {
        "scale": 1 / 255,
        "mean": 0.5,
        "std": 0.25,
        "layout": "NCHW",
        "color": "gray",
        "size": [12, 12],
        "resize": "none",
        "resize_to": None,
        "feed": None,
        "source": "",
    }
