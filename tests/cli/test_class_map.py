"""Labels that look shuffled: the command line says so and writes the class map that the model's answers speak for."""

import json
from pathlib import Path

import numpy as np

from tests.cli.conftest import CommandLine
from tests.report.examples import example
from tests.support import even_weights, linear_answers, linear_model, names_in, random_pixels, save, save_images

FAST = ("--preset", "unit", "--method", "weights", "--no-evidence", "--format", "json")


def test_shuffled_labels_are_said_and_the_class_map_corrects_them(tmp_path: Path, command_line: CommandLine) -> None:
    weights, pixels = even_weights(), random_pixels(100, (12, 12, 1))
    model, answers = save(linear_model(weights), tmp_path / "model.onnx"), linear_answers(weights, pixels)
    images = save_images(tmp_path / "images.npz", pixels, np.array(list("jihgfedcba"))[answers])
    options = ("scan", model, "-s", images, *FAST)
    code, out, _ = command_line(*options, "--write-class-map", "map.json")
    findings = {finding["rule"]: finding["message"] for finding in json.loads(out)["findings"]}
    assert code == 3
    assert "label a is class 9" in findings["IM010"]
    written = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    assert written == json.loads(out)["samples"]["class_map"]
    code, out, error = command_line(*options, "--write-class-map", "map.json")
    assert (code, out) == (2, "")
    assert "map.json exists already; name a new file for the class map, or remove it" in error
    out = command_line(*options, "--class-map", "map.json", "--write-class-map", "again.json")[1]
    assert json.loads(out)["samples"]["clean_accuracy"] == 1
    assert "IM010" not in {finding["rule"] for finding in json.loads(out)["findings"]}
    assert names_in(tmp_path) == ["images.npz", "map.json", "model.onnx"]


def test_a_saved_result_gives_its_class_map(tmp_path: Path, command_line: CommandLine) -> None:
    result, file = example(), tmp_path / "result.json"
    assert result.samples is not None
    file.write_text(result.to_json(), encoding="utf-8")
    code, _, error = command_line("report", file, "--write-class-map", "map.json")
    assert (code, error) == (0, "ninspect: map.json was not written: the labels do not look shuffled\n")
    samples = result.samples.model_copy(update={"class_map": {"日本": 1, "b": 0}})
    file.write_text(result.model_copy(update={"samples": samples}).to_json(), encoding="utf-8")
    assert command_line("report", file, "--write-class-map", "map.json")[0] == 0
    assert (tmp_path / "map.json").read_text(encoding="utf-8") == '{\n  "日本": 1,\n  "b": 0\n}\n'
    code, _, error = command_line("report", file, "--write-class-map", "missing/map.json")
    assert code == 2
    assert "missing" in error
