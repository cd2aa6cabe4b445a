"""Inputs as exporters write them: what was made of them is said, and every command agrees about it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

import ninspect
from ninspect import jobs
from ninspect.audit import open as opening
from ninspect.audit.selftest import check_augmented, check_gradient
from ninspect.errors import ModelError, NinspectError, UsageError
from ninspect.isolation import Listener
from ninspect.requests import AugmentRequest, InfoRequest, PreprocessOptions
from ninspect.runtime import Network, augmented_model, save_model
from tests.support import convolutional_model, even_weights, onnx_model, open_network, random_pixels, save

WEIGHTS = even_weights(side=8).reshape(10, 64).T
LINEAR = "f = Flatten(x); y = MatMul(f, w)"


def agreed(model: onnx.ModelProto, folder: Path, kind: str = "exact", **said: Any) -> Network:
    """The network, once info, augment and gradients say the same of it and the gradient is the derivative."""
    path, pieces = save(model, folder / "model.onnx"), list[bytes]()
    facts = jobs.run(InfoRequest(path, **said), Listener())
    told = jobs.run(AugmentRequest(path, **said), Listener(write=pieces.append))
    network = opening.open_network(path, preprocess=PreprocessOptions(**said), device="cpu")
    assert facts["gradient"] == told["gradient"] == network.gradient_kind == kind
    assert facts["remarks"] == told["remarks"] == [*network.remarks]
    assert facts["batch"] == str(network.batch or "any")

    pixels = random_pixels(3, network.input_map.image_shape)
    gradient = ninspect.gradients(network, pixels)
    if kind == "exact":
        step = np.random.default_rng(1).standard_normal(pixels.shape).astype(np.float32) * np.float32(0.01)
        slopes = (network.logits(pixels + step) - network.logits(pixels - step)) / 2
        expected = np.einsum("snhwc,nhwc->ns", gradient, step)
        assert np.allclose(expected, slopes, atol=0.02 * np.abs(slopes).max())

    original, augmented = (ort.InferenceSession(data) for data in (network.classifier.file.original, b"".join(pieces)))
    count = network.batch or 3
    feeds = network.classifier.file_feeds(network.input_map.to_model(pixels[:count]))
    types = {value.name: value.type for value in original.get_inputs()}
    inputs = [value for value in augmented.get_inputs() if value.name in types]
    assert all(value.type == types[value.name] for value in inputs)
    asked = {value.name: feeds[value.name] for value in inputs} | {"ninspect/classes": np.zeros((1, count), np.int64)}
    scores, found = augmented.run(["y", "ninspect/gradient"], asked)
    assert np.allclose(scores, original.run(["y"], feeds)[0], atol=1e-4)
    shaped = found.reshape(1, count, *network.input_map.layout.input_shape)
    assert np.allclose(network.input_map.to_pixels(shaped), gradient[:1, :count], atol=1e-4)
    return network


def refused(model: onnx.ModelProto, folder: Path, error: type[NinspectError], message: str, **said: Any) -> None:
    """Every command says the same."""
    path, pieces = save(model, folder / "model.onnx"), list[bytes]()
    with pytest.raises(error, match=message) as opened:
        opening.open_network(path, preprocess=PreprocessOptions(**said), device="cpu")
    with pytest.raises(error) as augmented:
        jobs.run(AugmentRequest(path, **said), Listener(write=pieces.append))
    assert str(augmented.value) == str(opened.value)
    assert pieces == []


def with_shape(model: onnx.ModelProto, *sizes: int | str) -> onnx.ModelProto:
    """The model with other sizes or names for the axes of its input."""
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, sizes, strict=True):
        dim.Clear()
        if isinstance(size, int):
            dim.dim_value = size
        else:
            dim.dim_param = size
    return model


# Axes that are open


def test_the_layers_tell_what_named_axes_leave_open(tmp_path: Path) -> None:
    smooth = convolutional_model(nodes="a = Tanh(c)")
    network = agreed(with_shape(smooth, "batch_size", "num_channels", "height", "width"), tmp_path)
    assert network.input_map.image_shape == (8, 8, 3)
    assert network.remarks == (
        "the input 'x' [batch_size, num_channels, height, width] leaves its size open, "
        "and the layers behind it take 8x8 pixels of 3 channels",
    )


def test_the_first_convolution_is_found_behind_what_keeps_the_axes(tmp_path: Path) -> None:
    model = onnx_model(
        "s = Sub(x, half); t = Transpose<perm = [0, 3, 1, 2]>(s); c = Conv(t, k); f = Flatten(c); y = MatMul(f, w)",
        x="float[N,height,width,channels] x",
        k=np.random.default_rng(0).standard_normal((2, 3, 3, 3)),
        w=np.random.default_rng(0).standard_normal((2 * 6 * 6, 10)),
        half=0.5,
    )
    layout = agreed(model, tmp_path).input_map.layout
    assert (layout.name, layout.image_shape) == ("NHWC", (8, 8, 3))


def test_of_sides_that_fit_the_roundest_is_meant(tmp_path: Path) -> None:
    patches = onnx_model(
        """p = Conv<strides = [16, 16]>(x, k); s = Shape<end = 2>(p); r = Concat<axis = 0>(s, rest); q = Reshape(p, r)
           t = Add(q, place); f = Flatten(t); y = MatMul(f, w)""",
        x="float[N,channels,height,width] x",
        k=np.full((2, 3, 16, 16), 0.01),
        rest=np.array([-1]),
        place=np.zeros((1, 2, 16)),
        w=np.random.default_rng(0).standard_normal((32, 10)),
    )
    assert agreed(patches, tmp_path).input_map.image_shape == (64, 64, 3)


def test_a_side_shows_in_sizes_that_the_graph_computes_as_transformers_do(tmp_path: Path) -> None:
    model = onnx_model(
        """p = Conv<strides = [8, 8]>(x, k); s = Shape<end = 1>(p); n = Concat<axis = 0>(s, rest)
           l = Shape(n); ones = ConstantOfShape<value = int64[1] {1}>(l); m = Equal(n, ones); o = Where(m, ones, n)
           e = Expand(token, o); r = Reshape(p, flat); t = Transpose<perm = [0, 2, 1]>(r)
           c = Concat<axis = 1>(e, t); a = Add(c, place); f = Flatten(a); y = MatMul(f, w)""",
        x="float[N,channels,height,width] x",
        k=0.01 * np.random.default_rng(0).standard_normal((2, 3, 8, 8)),
        rest=np.array([1, 2]),
        token=np.ones((1, 1, 2)),
        flat=np.array([0, 2, -1]),
        place=np.random.default_rng(1).standard_normal((1, 26, 2)),
        w=np.random.default_rng(2).standard_normal((52, 10)),
    )
    assert agreed(model, tmp_path).input_map.image_shape == (40, 40, 3)


def test_the_channels_show_behind_a_dynamic_quantisation(tmp_path: Path) -> None:
    model = onnx_model(
        """q, s, z = DynamicQuantizeLinear(x); i = ConvInteger(q, k, z, kz); g = Cast<to = 1>(i); h = Mul(g, s)
           f = Flatten(h); y = MatMul(f, w)""",
        x="float[N,channels,height,width] x",
        k=np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3)).astype(np.uint8),
        kz=np.uint8(128),
        w=np.random.default_rng(1).standard_normal((2 * 6 * 6, 10)),
    )
    assert agreed(model, tmp_path, "straight-through").input_map.image_shape == (8, 8, 3)


def test_a_size_that_does_not_fit_is_refused_with_the_one_that_does(tmp_path: Path) -> None:
    model = with_shape(convolutional_model(), "N", 3, "height", "width")
    refused(model, tmp_path, UsageError, "takes images of 8x8 pixels, not 16x16", size=(16, 16))


def test_the_vendors_file_tells_a_size_that_nothing_fixes(tmp_path: Path) -> None:
    model = onnx_model(
        "c = Conv(x, k); p = GlobalAveragePool(c); f = Flatten(p); y = MatMul(f, w)",
        x="float[N,num_channels,height,width] x",
        k=np.random.default_rng(0).standard_normal((2, 3, 3, 3)),
        w=np.random.default_rng(1).standard_normal((2, 10)),
    )
    refused(model, tmp_path, UsageError, "images of any size .* say which with --size")
    config = {"image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 12}, "resample": 2}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**config, "do_normalize": False}), encoding="utf-8")
    assert agreed(model, tmp_path).input_map.image_shape == (12, 12, 3)


def test_channels_that_no_layer_tells_are_said_with_the_color(tmp_path: Path) -> None:
    model = onnx_model(LINEAR, x="float[N,num_channels,height,width] x", w=WEIGHTS)
    refused(model, tmp_path, UsageError, "leaves its channels open.*say with --color")
    assert agreed(model, tmp_path, color="gray").input_map.image_shape == (8, 8, 1)


@pytest.mark.parametrize("size", [-1, 0])
def test_a_batch_axis_that_is_no_number_of_images_is_free(tmp_path: Path, size: int) -> None:
    model = with_shape(convolutional_model(nodes="a = Tanh(c)"), size, 3, 8, 8)
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = size
    assert agreed(model, tmp_path).batch is None


# One image without a batch axis


@pytest.mark.parametrize(
    ("x", "nodes", "layout"),
    [
        ("float[3,8,8] x", "b = Unsqueeze(x, first); p = Identity(b)", "NCHW"),
        ("float[8,8,3] x", "b = Unsqueeze(x, first); p = Transpose<perm = [0, 3, 1, 2]>(b)", "NHWC"),
        ("float[3,height,width] x", "b = Unsqueeze(x, first); p = Identity(b)", "NCHW"),
    ],
)
@pytest.mark.parametrize("y", ["float[1,6] y", "float[6] y"])
def test_an_input_without_a_batch_axis_is_one_image(tmp_path: Path, x: str, nodes: str, layout: str, y: str) -> None:
    generator = np.random.default_rng(0)
    end = "y = MatMul(f, w)" if "1" in y else "z = MatMul(f, w); y = Squeeze(z, first)"
    model = onnx_model(
        f"{nodes}; c = Conv(p, k); a = Tanh(c); f = Flatten(a); {end}",
        x=x,
        y=y,
        k=generator.standard_normal((2, 3, 3, 3)),
        w=generator.standard_normal((2 * 6 * 6, 6)),
        first=np.array([0]),
    )
    network = agreed(model, tmp_path)
    assert (network.batch, network.input_map.layout.name) == (1, layout)
    assert network.input_map.image_shape == (8, 8, 3)
    assert "has no batch axis, so images go through one at a time" in network.remarks[-1]


def test_a_grey_image_without_a_batch_axis_is_told_from_a_batch_by_the_output(tmp_path: Path) -> None:
    nodes = "b = Unsqueeze(x, first); f = Flatten(b); y = MatMul(f, w)"
    assert agreed(onnx_model(nodes, x="float[8,8] x", y="float[1,10] y", w=WEIGHTS, first=np.array([0])), tmp_path)
    batch = onnx_model("y = MatMul(x, w)", x="float[8,64] x", y="float[8,10] y", w=WEIGHTS)
    network = open_network(batch, tmp_path)
    assert (network.batch, network.input_map.image_shape) == (8, (8, 8, 1))


# Whole numbers


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"])
def test_an_image_of_whole_numbers_is_differentiated_as_floats(tmp_path: Path, kind: str) -> None:
    model = onnx_model(
        "c = Cast<to = 1>(x); d = Div(c, range); f = Flatten(d); y = MatMul(f, w)",
        x=f"{kind}[N,8,8,1] x",
        w=WEIGHTS,
        range=255.0,
    )
    network = agreed(model, tmp_path)
    assert network.remarks == (f"the input 'x' takes whole numbers ({kind}), and is differentiated as floats",)
    assert network.input_map.offset.tolist() == [-128 if kind == "int8" else 0]
    assert np.allclose(ninspect.gradients(network, np.zeros((1, 8, 8, 1)), 3)[0, 0].ravel(), WEIGHTS[:, 3], rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "nodes"),
    [
        ("int32", "s = Sub(x, seven); m = Mul(s, seven); c = Cast<to = 1>(m)"),
        ("uint8", "i = Cast<to = 6>(x); s = Sub(i, seven); c = Cast<to = 1>(s)"),
        ("uint8", "t = Transpose<perm = [0, 3, 1, 2]>(x); c = DequantizeLinear(t, step, zero)"),
        ("uint8", "c = DequantizeLinear(x, step)"),
    ],
)
def test_what_is_done_to_whole_numbers_is_done_to_floats(tmp_path: Path, kind: str, nodes: str) -> None:
    model = onnx_model(
        f"{nodes}; f = Flatten(c); y = MatMul(f, w)",
        x=f"{kind}[N,8,8,1] x",
        w=WEIGHTS,
        seven=np.int32(7),
        step=0.5,
        zero=np.uint8(3),
    )
    agreed(model, tmp_path)


def test_a_quantised_network_on_bytes_has_a_gradient_that_is_an_estimate(tmp_path: Path) -> None:
    model = onnx_model(
        """q = QLinearConv(x, xs, xz, k, ks, kz, ys, yz); d = DequantizeLinear(q, ys, yz)
           f = Flatten(d); y = MatMul(f, w)""",
        x="uint8[N,3,8,8] x",
        k=np.random.default_rng(0).integers(-9, 9, (2, 3, 3, 3)).astype(np.int8),
        w=np.random.default_rng(0).standard_normal((72, 10)),
        xs=1 / 255,
        xz=np.uint8(0),
        ks=0.1,
        kz=np.int8(0),
        ys=0.1,
        yz=np.uint8(128),
    )
    network = agreed(model, tmp_path, "straight-through")
    assert check_gradient(network, random_pixels(4, (8, 8, 3)), seed=0).passed


def test_a_division_of_whole_numbers_is_refused_by_name(tmp_path: Path) -> None:
    model = onnx_model(
        "d = Div(x, two); c = Cast<to = 1>(d); f = Flatten(c); y = MatMul(f, w)",
        x="int32[N,8,8,1] x",
        w=WEIGHTS,
        two=np.int32(2),
    )
    refused(model, tmp_path, ModelError, "Div .* computes with the whole numbers of the input 'x'")


# Inputs beside the image


def test_an_input_that_the_scores_do_not_depend_on_is_given_zeros(tmp_path: Path) -> None:
    network = agreed(onnx_model(LINEAR, x="float[N,1,8,8] x, int64[N] label, string[1] note", w=WEIGHTS), tmp_path)
    assert network.remarks == tuple(
        f"the input '{name}' does not reach the scores, so it is given zeros" for name in ("label", "note")
    )


@pytest.mark.parametrize(("x", "text"), [("float[N,3] meta", "meta=0.5,1,0"), ("float[1,3] meta", "meta=1")])
def test_an_input_that_they_depend_on_is_given_what_is_said(tmp_path: Path, x: str, text: str) -> None:
    model = onnx_model(
        "f = Flatten(x); a = MatMul(f, w); b = MatMul(meta, v); s = Add(a, b); y = Tanh(s)",
        x=f"{x}, float[N,1,8,8] x",
        w=WEIGHTS / 20,
        v=np.random.default_rng(0).standard_normal((3, 10)),
    )
    refused(model, tmp_path, UsageError, "the scores depend on 'meta' .* --feed meta=VALUE")
    refused(model, tmp_path, UsageError, "no input 'meat' to feed; its inputs are: 'meta'", feed=("meat=1",))
    refused(model, tmp_path, UsageError, "takes one number, or 3; 2 were given", feed=("meta=1,2",))
    refused(model, tmp_path, UsageError, "is not of the form NAME=VALUE", feed=("1",))
    network = agreed(model, tmp_path, feed=(text,))
    assert network.remarks == (f"the input 'meta' is always given {text[5:].replace(',', ', ')}, as was said",)
    (tmp_path / "preprocess.toml").write_text(f"feed = {{ meta = [{text[5:]}] }}\n", encoding="utf-8")
    assert agreed(model, tmp_path).remarks == network.remarks


def test_a_switch_decides_a_branch(tmp_path: Path) -> None:
    nodes = "f = Flatten(x); z = MatMul(f, w); y = Where(training, zero, z)"
    model = onnx_model(nodes, x="float[N,1,8,8] x, bool training", w=WEIGHTS, zero=0.0)
    refused(model, tmp_path, UsageError, "--feed training=VALUE")
    assert agreed(model, tmp_path, feed=("training=0",)).classes == 10


# Batches


def test_images_that_change_each_other_go_through_one_at_a_time(tmp_path: Path) -> None:
    model = onnx_model(
        "m = ReduceMean<keepdims = 1>(x, first); h = Mul(m, half); d = Sub(x, h); f = Flatten(d); y = MatMul(f, w)",
        w=WEIGHTS,
        first=np.array([0]),
        half=0.5,
    )
    network = agreed(model, tmp_path)
    assert network.batch == 1
    assert network.remarks == ("images of a batch change each other's scores, so they go through one at a time",)
    refused(with_shape(model, 4, 1, 8, 8), tmp_path, ModelError, "the 4 images of a batch change each other's scores")


def test_rows_that_are_not_images_are_refused(tmp_path: Path) -> None:
    model = onnx_model("b = Concat<axis = 0>(x, x); f = Flatten(b); y = MatMul(f, w)", y="float[M,10] y", w=WEIGHTS)
    refused(model, tmp_path, ModelError, "rows are not images")


# One way for all commands


def test_info_says_why_there_is_no_gradient(tmp_path: Path) -> None:
    nodes = "n, m, v = BatchNormalization<training_mode = 1>(x, one, one, one, one); f = Flatten(n)"
    model = onnx_model(f"{nodes}; y = MatMul(f, w)", w=WEIGHTS, one=np.ones(1))
    refused(model, tmp_path, ModelError, "BatchNormalization")
    with pytest.raises(ModelError) as error:
        opening.open_network(tmp_path / "model.onnx", device="cpu")
    facts = jobs.run(InfoRequest(tmp_path / "model.onnx"), Listener())
    assert facts["gradient"] == f"none: {error.value}"


def test_an_augmented_model_that_answers_otherwise_is_not_written(tmp_path: Path) -> None:
    network = open_network(convolutional_model(), tmp_path)
    changed = augmented_model(network)
    weights = changed.graph.initializers["w"]
    assert weights.const_value is not None
    weights.const_value = ir.tensor(weights.const_value.numpy() * np.float32(1.1))
    pieces: list[bytes] = []
    save_model(changed, network.classifier, pieces.append)
    with pytest.raises(ModelError, match="does not answer as the file does in ONNX Runtime in the output 'y'"):
        check_augmented(b"".join(pieces), network)
