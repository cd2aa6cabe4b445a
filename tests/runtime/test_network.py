import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ninspect.errors import ModelError
from ninspect.gradient import Objective
from ninspect.machine import cuda_device_count
from ninspect.preprocess import InputMap, Preprocess
from ninspect.runtime import Network, gradient_model, save_model
from tests import autograd
from tests.support import (
    Array,
    convolutional_model,
    even_weights,
    linear_model,
    onnx_model,
    open_network,
    random_pixels,
    with_budget,
)

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
CLASSES = np.array([0, 2, 5])


def all_gradients(network: Network, pixels: Array, classes: Array, objective: Objective = "logit") -> Array:
    """The pieces put together, `[S, N, H, W, C]`; every class-image pair must be there once."""
    result = np.zeros((len(classes), *pixels.shape), np.float32)
    seen = np.zeros((len(classes), len(pixels)), int)
    for part in network.gradients(pixels, classes, objective):
        result[part.classes, part.images] = part.pixels
        seen[part.classes, part.images] += 1
    assert (seen == 1).all()
    return result


def pixels_for(network: Network, count: int = 5) -> Array:
    return random_pixels(count, network.input_map.image_shape)


def with_input(model: onnx.ModelProto, x: str, node: str, **weights: Any) -> onnx.ModelProto:
    """The model behind one more node, which makes its old input `x` from the new input `image`."""
    front = onnx_model(node, x=x, y="float[N,3,8,8] x", **weights)
    model.graph.node.insert(0, front.graph.node[0])
    model.graph.input[0].CopyFrom(front.graph.input[0])
    model.graph.initializer.extend(front.graph.initializer)
    return model


# From pixels to logits and back


@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "flat"])
def test_logits_and_gradients_of_pixels_are_those_of_pytorch(tmp_path: Path, layout: str, color: str) -> None:
    model = convolutional_model()
    core = autograd.convolutional_logits(model)
    if layout == "NHWC":
        with_input(model, "float[N,8,8,3] image", "x = Transpose<perm = [0, 3, 1, 2]>(image)")
    if layout == "flat":
        with_input(model, "float[N,192] image", "x = Reshape(image, shape)", shape=np.array([-1, 3, 8, 8]))
    network = open_network(model, tmp_path, mean=MEAN, std=STD, scale=1 / 200, color=color)
    assert network.input_map.layout.name == layout

    def logits(pixels: torch.Tensor) -> torch.Tensor:
        ordered = pixels.flip(-1) if color == "bgr" else pixels
        x = (ordered * 255 / 200 - torch.tensor(MEAN)) / torch.tensor(STD)
        # A row of values holds the channels last, and this model reads it as if they came first.
        return core(x.reshape(-1, 3, 8, 8) if layout == "flat" else x.permute(0, 3, 1, 2))

    pixels = pixels_for(network)
    assert np.allclose(network.logits(pixels), logits(torch.tensor(pixels).double()), atol=1e-4)
    expected = autograd.gradients(logits, pixels, CLASSES)
    assert np.allclose(all_gradients(network, pixels, CLASSES), expected, atol=1e-4)


def test_a_grey_image_of_whole_numbers(tmp_path: Path) -> None:
    weights = even_weights(side=8)
    nodes = "f = Cast<to = 1>(x); flat = Flatten(f); y = MatMul(flat, w)"
    model = onnx_model(nodes, x="uint8[N,8,8,1] x", w=weights.reshape(10, 64).T)
    network = open_network(model, tmp_path, scale=1)
    pixels = pixels_for(network)
    assert np.allclose(network.logits(pixels), 255 * pixels.reshape(5, 64) @ weights.reshape(10, 64).T, rtol=1e-4)
    gradient = all_gradients(network, pixels, np.arange(10))
    assert np.allclose(gradient[:, 3, :, :, 0], 255 * weights[:, 0], rtol=1e-4)


@pytest.mark.parametrize(("kind", "tolerance"), [("float16", 1e-2), ("double", 1e-6)])
def test_models_of_other_float_types(tmp_path: Path, kind: str, tolerance: float) -> None:
    dtype = np.dtype({"double": "float64"}.get(kind, kind))
    weights = even_weights(side=8).reshape(10, 64)
    model = onnx_model("flat = Flatten(x); y = Gemm<transB = 1>(flat, w)", x=f"{kind}[N,1,8,8] x", y=f"{kind}[N,10] y")
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights.astype(dtype), "w"))
    network = open_network(model, tmp_path)
    assert network.input_map.dtype == dtype
    pixels = pixels_for(network)
    logits = network.logits(pixels)
    assert logits.dtype == np.float32
    assert np.allclose(logits, pixels.reshape(5, 64) @ weights.T, atol=4 * tolerance)
    gradient = all_gradients(network, pixels, np.arange(10))
    assert np.allclose(gradient, weights.reshape(10, 1, 8, 8, 1), atol=tolerance)


class Residual(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.block = torch.nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.head = torch.nn.Linear(4, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.gelu(self.norm(self.stem(x)))
        x = torch.nn.functional.max_pool2d(x + torch.relu(self.block(x)), 2)
        return torch.softmax(self.head(x.mean(dim=(2, 3))), dim=1)


@pytest.mark.parametrize("free_batch", [True, False])
def test_an_exported_network_answers_and_explains_as_pytorch_does(tmp_path: Path, free_batch: bool) -> None:
    torch.manual_seed(0)
    module = Residual().eval()
    path = tmp_path / "exported.onnx"
    axes = {"x": {0: "batch"}} if free_batch else None
    image = torch.zeros(1, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter itself
        torch.onnx.export(module, (image,), path, input_names=["x"], dynamic_axes=axes, opset_version=17, dynamo=False)
    network = open_network(onnx.load(path), tmp_path)
    assert network.batch == (None if free_batch else 1)
    pixels = pixels_for(network)
    x = np.moveaxis(pixels, -1, 1)
    module = module.double()
    assert np.allclose(network.scores(pixels), module(torch.tensor(x).double()).detach(), atol=1e-5)

    def logits(images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = module(images)
        return scores.log()

    expected = np.moveaxis(autograd.gradients(logits, x, CLASSES), 2, -1)
    assert np.allclose(all_gradients(network, pixels, CLASSES, "logprob"), expected, atol=1e-5)


# Objectives


OBJECTIVES = {
    "logit": lambda z: z,
    "margin": lambda z: z - torch.stack([z.where(torch.arange(6) != c, -torch.inf).amax(1) for c in range(6)], 1),
    "logprob": lambda z: z.log_softmax(1),
    "cross_entropy": lambda z: -z.log_softmax(1),
}


@pytest.mark.parametrize("objective", ["logit", "margin", "logprob", "cross_entropy"])
def test_objectives_and_their_gradients(tmp_path: Path, objective: Objective) -> None:
    model = convolutional_model()
    network = open_network(model, tmp_path)
    core = autograd.convolutional_logits(model)

    def values(pixels: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = OBJECTIVES[objective](core(pixels.permute(0, 3, 1, 2)))
        return result

    pixels = pixels_for(network)
    (part,) = network.gradients(pixels, CLASSES, objective)
    assert np.allclose(part.objective, values(torch.tensor(pixels).double())[:, CLASSES].T, atol=1e-4)
    assert np.allclose(part.pixels, autograd.gradients(values, pixels, CLASSES), atol=1e-4)


@pytest.mark.parametrize("rows", [3, 1000])
def test_one_class_at_each_image(tmp_path: Path, rows: int) -> None:
    network = with_budget(open_network(convolutional_model(), tmp_path), rows=rows)
    pixels, classes = pixels_for(network, 7), np.array([5, 0, 3, 3, 1, 2, 4])
    values, gradient = network.gradients_at(pixels, classes, "margin")
    assert np.allclose(
        gradient, all_gradients(network, pixels, np.arange(6), "margin")[classes, np.arange(7)], atol=1e-5
    )
    logits = network.logits(pixels)
    others = np.where(np.arange(6) == classes[:, None], -np.inf, logits)
    assert np.allclose(values, logits[np.arange(7), classes] - others.max(axis=1), atol=1e-4)


def test_one_class_at_each_image_of_a_fixed_batch(tmp_path: Path) -> None:
    weights = even_weights()
    network = open_network(linear_model(weights, batch=4), tmp_path)
    classes = np.array([5, 0, 3, 3, 9, 8])
    _, gradient = network.gradients_at(pixels_for(network, 6), classes)
    assert np.allclose(gradient, np.moveaxis(weights[classes], 1, -1), atol=1e-5)


# Batches and pieces


RESHAPED = "flat = Reshape(x, one_row); y = MatMul(flat, w)"
CENTRED = (
    "mean = ReduceMean<keepdims = 1>(x, first); centred = Sub(x, mean); flat = Flatten(centred); y = MatMul(flat, w)"
)


@pytest.mark.parametrize(
    ("axis", "nodes", "batch"),
    [
        ("N", "flat = Flatten(x); y = MatMul(flat, w)", None),
        ("1", "flat = Flatten(x); y = MatMul(flat, w)", 1),
        ("4", "flat = Flatten(x); y = MatMul(flat, w)", 4),
        ("N", RESHAPED, 1),
        ("N", CENTRED, 1),
    ],
    ids=["free", "one", "four", "free, with one image fixed inside", "free, with images that influence each other"],
)
def test_the_batch_is_what_the_model_can_really_take(tmp_path: Path, axis: str, nodes: str, batch: int | None) -> None:
    weights = even_weights(side=8).reshape(10, 64)
    shape, first = np.array([1, 64]), np.array([0])
    model = onnx_model(
        nodes, x=f"float[{axis},1,8,8] x", y=f"float[{axis},10] y", w=weights.T, one_row=shape, first=first
    )
    network = open_network(model, tmp_path)
    assert network.batch == batch
    pixels = pixels_for(network, 7)
    gain = 0 if nodes == CENTRED else 1  # an image minus itself
    assert np.allclose(network.logits(pixels), gain * pixels.reshape(7, 64) @ weights.T, atol=1e-4)
    gradient = all_gradients(network, pixels, np.arange(10))
    assert np.allclose(gradient, gain * weights.reshape(10, 1, 8, 8, 1), atol=1e-5)


@pytest.mark.parametrize("rows", [1, 4, 7, 1000])
def test_gradients_do_not_depend_on_the_pieces(tmp_path: Path, rows: int) -> None:
    classes = np.array([5, 0, 3, 3])
    whole = open_network(convolutional_model(), tmp_path)
    pixels = pixels_for(whole, 6)
    expected, logits = all_gradients(whole, pixels, classes), whole.logits(pixels)
    pieces = with_budget(whole, rows=rows)
    assert np.allclose(all_gradients(pieces, pixels, classes), expected, atol=1e-5)
    assert np.allclose(pieces.logits(pixels), logits, atol=1e-5)
    sizes = [part.pixels.shape[0] * part.pixels.shape[1] for part in pieces.gradients(pixels, classes)]
    assert max(sizes) <= rows
    assert len(sizes) == {1: 24, 4: 6, 7: 6, 1000: 1}[rows]


def test_large_activations_make_small_pieces(tmp_path: Path) -> None:
    three = 3 * 6 * 4 * (4 * 8 * 8)  # rows of 4x8x8 floats
    network = with_budget(open_network(convolutional_model(), tmp_path), run=three)
    parts = list(network.gradients(pixels_for(network, 8), np.arange(6)))
    assert max(part.pixels.shape[0] * part.pixels.shape[1] for part in parts) == 3


def test_the_jacobian_is_all_pieces_in_one_array(tmp_path: Path) -> None:
    network = with_budget(open_network(convolutional_model(), tmp_path), rows=4)
    pixels, classes = pixels_for(network, 6), np.array([5, 0, 3])
    assert np.array_equal(network.jacobian(pixels, classes), all_gradients(network, pixels, classes))
    assert network.jacobian(pixels, classes[:0]).shape == (0, *pixels.shape)


def test_other_settings_for_the_pixels_leave_the_network_as_it_is(tmp_path: Path) -> None:
    network = open_network(convolutional_model(), tmp_path)
    pixels = pixels_for(network)
    before = network.logits(pixels)
    half = (pixels / 2).astype(np.float32)
    darker = network.with_preprocess(Preprocess(scale=1 / 510))
    assert np.allclose(darker.logits(pixels), network.logits(half), atol=1e-5)
    assert np.allclose(darker.jacobian(pixels, CLASSES), network.jacobian(half, CLASSES) / 2, atol=1e-5)
    assert np.array_equal(network.logits(pixels), before)


# What cannot be run or written


def test_a_model_that_fails_when_it_runs_is_a_model_error(tmp_path: Path) -> None:
    nodes = """flat = Flatten(x); z = MatMul(flat, w); m = ReduceMax<keepdims = 0>(x); a = Add(m, hundred)
               i = Cast<to = 7>(a); row = Gather(table, i); y = Add(z, row)"""
    weights: dict[str, Any] = {"w": even_weights(side=8).reshape(64, 10), "hundred": 100.0, "table": np.zeros((3, 10))}
    model = onnx_model(nodes, x="float[N,1,8,8] x", **weights)
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot run the model: .*Gather") as error:
        open_network(model, tmp_path)
    assert "\n" not in str(error.value)


def test_a_saved_gradient_model_is_valid_and_keeps_the_scores(tmp_path: Path) -> None:
    network = open_network(linear_model(even_weights(), head="y = Softmax(logits)"), tmp_path)
    stream = io.BytesIO()
    save_model(gradient_model(network.classifier), network.classifier, stream.write)
    saved = onnx.ModelProto.FromString(stream.getvalue())
    onnx.checker.check_model(saved, full_check=True)
    names = ["y", "ninspect/logits", "ninspect/objective", "ninspect/gradient"]
    assert [output.name for output in saved.graph.output] == names


def test_an_invalid_model_is_not_saved(tmp_path: Path) -> None:
    classifier = open_network(linear_model(even_weights()), tmp_path).classifier
    augmented = gradient_model(classifier)
    augmented.graph.outputs[-1].shape = None
    stream = io.BytesIO()
    with pytest.raises(ModelError, match="the augmented model is not valid ONNX: Field 'shape'"):
        save_model(augmented, classifier, stream.write)
    assert stream.getvalue() == b""


@pytest.mark.skipif(cuda_device_count() == 0, reason="needs an NVIDIA GPU")
def test_cuda_agrees_with_the_cpu(tmp_path: Path) -> None:
    cpu = open_network(convolutional_model(), tmp_path)
    cuda = Network(cpu.classifier, InputMap.of(Preprocess(), cpu.classifier.layout), "cuda")
    assert cuda.provider == "CUDAExecutionProvider"
    pixels = pixels_for(cpu, 9)
    assert np.allclose(cuda.logits(pixels), cpu.logits(pixels), atol=1e-2)
    expected = all_gradients(cpu, pixels, CLASSES)
    assert np.allclose(all_gradients(cuda, pixels, CLASSES), expected, atol=1e-2)


@pytest.mark.parametrize("cores", [2, 7])
def test_numbers_do_not_depend_on_the_number_of_cores(
    cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, classes = random_pixels(50, (8, 8, 3)), np.arange(50) % 6
    answers = []
    for count in (1, cores):
        monkeypatch.setattr("ninspect.runtime.network.allowed_cores", lambda count=count: count)
        network = open_network(convolutional_model(), tmp_path)
        values, gradients = network.gradients_at(pixels, classes)
        answers.append((network.logits(pixels), values, gradients, all_gradients(network, pixels, CLASSES)))
    for one, other in zip(*answers, strict=True):
        assert np.array_equal(one, other)
