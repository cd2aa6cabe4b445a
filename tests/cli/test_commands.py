import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from PIL import Image

from ninspect.gradient.registry import RULES
from tests import autograd
from tests.cli.conftest import CommandLine
from tests.support import (
    backdoored_weights,
    convolutional_model,
    even_weights,
    linear_answers,
    linear_model,
    names_in,
    ninspect,
    onnx_model,
    random_pixels,
    save,
)

# explain


def test_explain_shows_the_picture_beside_what_the_class_looks_at(tmp_path: Path, command_line: CommandLine) -> None:
    weights = backdoored_weights(7)
    pixels = random_pixels(1, (12, 12, 1))
    save(linear_model(weights), tmp_path / "model.onnx")
    Image.fromarray(np.rint(pixels[0, :, :, 0] * 255).astype(np.uint8)).save(tmp_path / "image.png")
    code, out, err = command_line(
        "explain", "model.onnx", "--image", "image.png", "--class", "7", "-o", "heatmap.png", "--objective", "logit"
    )
    assert (code, err) == (0, "")
    value = (weights[7, 0] * pixels[0, :, :, 0]).sum()
    answer = linear_answers(weights, pixels)[0]
    explained, preprocessing = out.splitlines()
    assert explained == f"heatmap.png: class 7 at image.png, logit {value:.4g}; the model answers {answer}"
    assert preprocessing == "preprocessing: preset unit, the default, since nothing says otherwise"
    with Image.open(tmp_path / "heatmap.png") as picture:
        assert picture.size == (2 * 12 * 19, 12 * 19)
        shown = np.asarray(picture.convert("L"), float)[9::19, 9::19]
    picture_half, heat = shown[:, :12], shown[:, 12:]
    assert np.abs(picture_half - pixels[0, :, :, 0] * 255).max() <= 1
    assert np.unravel_index(heat.argmax(), heat.shape) == np.unravel_index(np.abs(weights[7, 0]).argmax(), (12, 12))
    assert (heat[weights[7, 0] == 0] <= 0.35 * 255 + 1).all()


def test_explain_replaces_the_picture_as_a_whole(tmp_path: Path, command_line: CommandLine) -> None:
    save(linear_model(even_weights()), tmp_path / "model.onnx")
    np.save(tmp_path / "image.npy", np.zeros((1, 12, 12), np.uint8))
    pictures = []
    for label in ("1", "2"):
        command_line("explain", "model.onnx", "--image", "image.npy", "--class", label, "-o", "heatmap.png")
        pictures.append((tmp_path / "heatmap.png").read_bytes())
    assert pictures[0] != pictures[1]
    assert names_in(tmp_path) == ["heatmap.png", "image.npy", "model.onnx"]


# augment


def test_augment_writes_a_standard_model_with_the_gradient(tmp_path: Path, command_line: CommandLine) -> None:
    model = convolutional_model()
    save(model, tmp_path / "model.onnx")
    code, out, err = command_line("augment", "model.onnx", "-o", "gradient.onnx")
    assert (code, err) == (0, "")
    facts = [("input", "x"), ("input", "ninspect/classes")]
    facts += [("output", name) for name in ("y", "ninspect/logits", "ninspect/objective", "ninspect/gradient")]
    assert [tuple(line.split()) for line in out.splitlines()] == [*facts, ("gradient", "exact")]
    augmented = onnx.load(tmp_path / "gradient.onnx")
    onnx.checker.check_model(augmented, full_check=True)
    assert {node.domain for node in augmented.graph.node} == {""}
    session = ort.InferenceSession(tmp_path / "gradient.onnx", providers=["CPUExecutionProvider"])
    core = autograd.convolutional_logits(model)
    for images, explained in ((1, 1), (3, 6), (5, 2)):
        x = np.moveaxis(random_pixels(images, (8, 8, 3)), -1, 1)
        classes = np.arange(explained)
        asked = np.repeat(classes[:, None], images, axis=1)
        y, logits, objective, gradient = session.run(None, {"x": x, "ninspect/classes": asked})
        expected = core(torch.tensor(x).double()).numpy()
        assert np.allclose(y, expected, atol=1e-4)
        assert np.allclose(logits, expected, atol=1e-4)
        assert np.allclose(objective, expected[:, classes].T, atol=1e-4)
        assert np.allclose(gradient, autograd.gradients(core, x, classes), atol=1e-4)


def test_augment_can_take_another_objective_and_output(tmp_path: Path, command_line: CommandLine) -> None:
    weights = even_weights(side=8).reshape(10, 64).T
    model = onnx_model(
        "f = Flatten(x); a = MatMul(f, w); b = MatMul(f, v)",
        y="float[N,10] a, float[N,7] b",
        w=weights,
        v=weights[:, 2:9],
    )
    save(model, tmp_path / "model.onnx")
    arguments = ["--logits", "b", "--objective", "cross_entropy", "--layout", "NCHW", "--size", "8x8"]
    code, _, err = command_line("augment", "model.onnx", "-o", "gradient.onnx", *arguments)
    assert (code, err) == (0, "")
    session = ort.InferenceSession(tmp_path / "gradient.onnx", providers=["CPUExecutionProvider"])
    x = np.moveaxis(random_pixels(2, (8, 8, 1)), -1, 1)
    objective, gradient = session.run(
        ["ninspect/objective", "ninspect/gradient"], {"x": x, "ninspect/classes": np.array([[3, 6]])}
    )

    def losses(images: torch.Tensor) -> torch.Tensor:
        return -(images.flatten(1) @ torch.tensor(weights[:, 2:9]).double()).log_softmax(1)

    for n, label in enumerate((3, 6)):
        assert objective[0, n] == pytest.approx(losses(torch.tensor(x).double())[n, label].item(), rel=1e-4)
        assert np.allclose(gradient[0, n], autograd.gradients(losses, x, np.array([label]))[0, n], atol=1e-5)


def test_augment_names_all_operators_without_a_rule(
    tmp_path: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for operator in ("Relu", "MatMul"):
        monkeypatch.delitem(RULES, operator)
    model = convolutional_model()
    model.graph.node[1].name = "first"
    save(model, tmp_path / "model.onnx")
    code, out, err = command_line("augment", "model.onnx", "-o", "gradient.onnx")
    assert (code, out) == (3, "")
    assert "operator Relu (node 'first') has no gradient rule; without a rule in this model: MatMul, Relu;" in err
    assert names_in(tmp_path) == ["model.onnx"]


# info


def test_info_shows_what_is_understood(tmp_path: Path, command_line: CommandLine) -> None:
    save(linear_model(even_weights(), head="y = Softmax(logits)"), tmp_path / "model.onnx")
    code, out, err = command_line("info", "model.onnx", "--format", "json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert (facts["classes"], facts["logits"], facts["image"]) == (10, "logits", "12x12, 1 channel")
    assert facts["gradient"] == "exact"
    code, out, err = command_line("info", "model.onnx")
    assert (code, err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(rows) == list(facts)
    assert rows["input_shape"] == "N, 1, 12, 12"
    assert rows["operators"] == "Flatten 1, MatMul 1, Softmax 1"


def test_info_of_what_has_no_gradient_says_why_and_fails_as_augment_does(
    tmp_path: Path, command_line: CommandLine
) -> None:
    nodes = "n, m, v = BatchNormalization<training_mode = 1>(x, one, one, one, one); f = Flatten(n); y = MatMul(f, w)"
    save(onnx_model(nodes, w=np.ones((64, 10)), one=np.ones(1)), tmp_path / "model.onnx")
    code, out, err = command_line("info", "model.onnx")
    assert (code, err) == (3, "")
    assert "gradient     none: " in out
    code, out, err = command_line("augment", "model.onnx", "-o", "gradient.onnx")
    assert (code, out) == (3, "")


def test_info_takes_the_size_from_the_file_beside_the_model(tmp_path: Path, command_line: CommandLine) -> None:
    model = onnx_model(
        "p = GlobalAveragePool(x); f = Flatten(p); y = MatMul(f, w)", x="float[N,3,H,W] x", w=np.ones((3, 10))
    )
    save(model, tmp_path / "model.onnx")
    code, _, err = command_line("info", "model.onnx")
    assert code == 2
    assert "say which with --size" in err
    (tmp_path / "preprocess.toml").write_text("size = [20, 30]\n", encoding="utf-8")
    code, out, _ = command_line("info", "model.onnx")
    assert code == 0
    assert "20x30, 3 channels" in out


# All of them


def test_an_unknown_operator_is_refused_wherever_it_is(tmp_path: Path, command_line: CommandLine) -> None:
    """No image gets there, but ONNX Runtime would run it."""
    model = onnx_model("f = Flatten(x); y = MatMul(f, w); aside = com.evil.Op(f)", w=np.ones((64, 10)))
    save(model, tmp_path / "model.onnx")
    for arguments in (["info"], ["augment", "-o", "gradient.onnx"], ["scan"]):
        code, out, err = command_line(arguments[0], "model.onnx", *arguments[1:])
        assert code == 3
        assert "com.evil::Op" in out + err
    assert names_in(tmp_path) == ["model.onnx"]


def test_every_command_as_a_process(tmp_path: Path) -> None:
    save(linear_model(even_weights()), tmp_path / "model.onnx")
    np.save(tmp_path / "image.npy", np.zeros((1, 12, 12), np.uint8))
    for arguments in (
        ["info", "model.onnx"],
        ["explain", "model.onnx", "--image", "image.npy", "--class", "1", "-o", "heatmap.png"],
        ["augment", "model.onnx", "-o", "gradient.onnx"],
    ):
        run = ninspect(*arguments, cwd=tmp_path)
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout
    assert names_in(tmp_path) == ["gradient.onnx", "heatmap.png", "image.npy", "model.onnx"]


@pytest.mark.parametrize("command", ["scan", "explain", "augment", "info"])
def test_the_help_of_every_command_has_an_example(command: str, command_line: CommandLine) -> None:
    code, out, err = command_line(command, "--help")
    assert (code, err) == (0, "")
    assert f"Example: ninspect {command} model.onnx" in out


def test_the_help_says_what_exit_codes_mean(command_line: CommandLine) -> None:
    code, out, _ = command_line("--help")
    assert code == 0
    assert "Exit codes: 0 clean, 1 suspected, 2 usage, 3 inconclusive, 4 internal error" in " ".join(out.split())


def test_the_version(command_line: CommandLine) -> None:
    code, out, err = command_line("--version")
    assert (code, err) == (0, "")
    assert out == f"ninspect {version('ninspect')}\n"
