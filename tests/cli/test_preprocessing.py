"""Preprocessing that nobody spelled out: what a scan makes of it, and what it says of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.cli.conftest import CommandLine
from tests.support import Array, even_weights, ninspect, onnx_model, random_pixels, save, save_images


def notes(result: dict[str, Any]) -> list[str]:
    return [finding["message"] for finding in result["findings"]]


MODELS = Path(__file__).parents[2] / "models"


def ranged_scan_files(folder: Path, scale: float, mean: float, labelled: bool = True) -> tuple[Path, Path]:
    """A model of 3x12x12 pixels that is right about `pixel * scale - mean`, pixel in 0-255, and about nothing else."""
    weights, bias = even_weights(channels=3), np.arange(10) % 2 * 6.0 * 255 * scale
    pixels = random_pixels(100, (12, 12, 3))
    labels = _answers(weights, bias, pixels * 255 * scale - mean)
    model = onnx_model("f = Flatten(x); y = Gemm(f, w, b)", x="float[N,3,12,12] x", w=weights.reshape(10, -1).T, b=bias)
    images = save_images(folder / "images.npz", pixels, labels if labelled else None)
    return save(model, folder / "model.onnx"), images


def _answers(weights: Array, bias: Array, inputs: Array) -> Array:
    return np.asarray((np.einsum("kchw,nhwc->nk", weights, inputs) + bias).argmax(axis=1))


@pytest.mark.parametrize(("name", "preset"), [("signs/clean_keras", "minus1_1"), ("digits/clean_torch", "unit")])
def test_labels_tell_which_preset_a_model_wants(tmp_path: Path, name: str, preset: str) -> None:
    shutil.copy(MODELS / f"{name}.onnx", tmp_path / "model.onnx")  # away from its preprocess.toml
    samples = MODELS / name.partition("/")[0] / "samples"
    run = ninspect("scan", tmp_path / "model.onnx", "-s", samples, "--method", "weights", "--format", "json")
    result = json.loads(run.stdout)
    source = result["preprocess"]["source"]
    assert source.startswith(f"preset {preset}, inferred from the labels, with which so many answers go: unit ")
    accuracy = result["samples"]["clean_accuracy"]
    assert f"{preset} {accuracy:.1%}" in source
    assert accuracy > 0.95


def test_a_choice_that_could_be_otherwise_is_a_warning(tmp_path: Path, command_line: CommandLine) -> None:
    shutil.copy(MODELS / "digits" / "clean_keras.onnx", tmp_path / "model.onnx")
    scan = ["scan", "model.onnx", "-s", MODELS / "digits" / "samples", "--method", "weights", "--format", "json"]
    result = json.loads(command_line(*scan)[1])
    assert result["preprocess"]["scale"] == 1 / 255
    assert any("inferred as unit, and " in text for text in notes(result))
    result = json.loads(command_line(*scan, "--preset", "unit")[1])
    assert result["preprocess"]["source"] == "from the options (preset unit)"
    assert not any("inferred" in text for text in notes(result))


@pytest.mark.parametrize(("scale", "mean", "preset"), [(1 / 127.5, 1, "minus1_1"), (1 / 255, 0, "unit")])
def test_a_clear_choice_is_none(
    tmp_path: Path, command_line: CommandLine, scale: float, mean: float, preset: str
) -> None:
    model, images = ranged_scan_files(tmp_path, scale, mean)
    result = json.loads(command_line("scan", model, "-s", images, "--method", "weights", "--format", "json")[1])
    assert result["samples"]["clean_accuracy"] == 1
    assert result["preprocess"]["source"].startswith(f"preset {preset}, inferred")
    assert not any("inferred" in warning for warning in notes(result))


def test_without_labels_the_default_is_an_assumption(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = ranged_scan_files(tmp_path, 1 / 255, 0, labelled=False)
    result = json.loads(command_line("scan", model, "-s", images, "--method", "weights", "--format", "json")[1])
    assert result["preprocess"]["source"] == "preset unit, the default, since nothing says otherwise"
    assert any("pixel / 255 was assumed; say it with --preset" in warning for warning in notes(result))


def test_the_models_own_metadata_is_followed_unless_something_else_is_said(
    tmp_path: Path, command_line: CommandLine
) -> None:
    model, images = ranged_scan_files(tmp_path, 1, 0)
    proto = onnx.load(model)
    onnx.helper.set_model_props(
        proto, {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"}
    )
    save(proto, model)
    scan = ["scan", model, "-s", images, "--method", "weights", "--format", "json"]

    def preprocess(*flags: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(command_line(*scan, *flags)[1])["preprocess"]
        return found

    settings = preprocess()
    assert (settings["scale"], settings["color"]) == (1, "bgr")
    assert settings["source"] == "from the model's metadata (Image.BitmapPixelFormat, Image.NominalPixelRange)"
    settings = preprocess("--color", "rgb", "--preset", "unit")
    assert (settings["scale"], settings["color"]) == (1 / 255, "rgb")
    assert settings["source"] == "from the options (preset unit, color)"


def test_a_file_of_another_tool_beside_the_model_is_read(tmp_path: Path, command_line: CommandLine) -> None:
    model, images = ranged_scan_files(tmp_path, 1 / 127.5, 1)
    config = {"do_resize": True, "size": {"height": 12, "width": 12}, "resample": 2, "do_rescale": True}
    config |= {"rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config), encoding="utf-8")
    scan = ["scan", model, "-s", images, "--method", "weights", "--format", "json"]
    result = json.loads(command_line(*scan)[1])
    assert result["samples"]["clean_accuracy"] == 1
    assert result["preprocess"]["source"] == f"from {tmp_path / 'preprocessor_config.json'}"
    config["size"] = {"height": 24, "width": 24}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config), encoding="utf-8")
    code, _, error = command_line(*scan)
    assert (code, error) == (2, "ninspect: the model takes images of 12x12 pixels, not 24x24\n")
