"""Models and images as objects."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ninspect
from ninspect.api.calls import _on_paths
from ninspect.api.images import save_samples
from ninspect.errors import UsageError
from ninspect.report import load_result
from ninspect.requests import PreprocessOptions
from ninspect.requests.named import scan_request
from ninspect.samples import Samples, load_samples
from tests.report.examples import PATCH, example
from tests.support import even_weights, linear_answers, linear_model, names_in, random_pixels, save

PIXELS = random_pixels(20, (12, 12, 3))
BYTES = np.rint(PIXELS * 255).astype(np.uint8)
LABELS = np.arange(20) % 5


def loaded(samples: Any, folder: Path) -> Samples:
    return load_samples(save_samples(samples, folder, 200), image_shape=(12, 12, 3))


class Rows:
    """A data set as PyTorch has them."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return np.moveaxis(PIXELS[index], -1, 0), int(LABELS[index])


def batches(channels_first: bool = True) -> Iterator[tuple[Any, Any]]:
    images = np.moveaxis(PIXELS, -1, 1) if channels_first else PIXELS
    for start in range(0, 20, 6):
        yield images[start : start + 6], LABELS[start : start + 6]


@pytest.mark.parametrize(
    "make",
    [
        lambda: (BYTES, LABELS),
        lambda: (PIXELS, LABELS.tolist()),
        lambda: (np.moveaxis(BYTES, -1, 1), np.eye(5)[LABELS]),
        batches,
        lambda: batches(channels_first=False),
        Rows,
        lambda: [{"image": Image.fromarray(image), "label": k} for image, k in zip(BYTES, LABELS, strict=True)],
        lambda: [(image, k) for image, k in zip(BYTES, LABELS, strict=True)],
    ],
)
def test_images_and_labels_of_any_kind_are_those_that_were_given(tmp_path: Path, make: Any) -> None:
    samples = loaded(make(), tmp_path)
    assert samples.labels is not None
    order = np.lexsort((samples.pixels.reshape(20, -1).sum(axis=1), samples.labels))
    expected = np.lexsort((BYTES.reshape(20, -1).astype(int).sum(axis=1), LABELS))
    assert (samples.pixels[order] == BYTES[expected]).all()
    assert (samples.labels[order] == LABELS[expected]).all()


@pytest.mark.parametrize("make", [lambda: BYTES, lambda: list(BYTES), lambda: [(image,) for image in PIXELS]])
def test_images_need_no_labels(tmp_path: Path, make: Any) -> None:
    samples = loaded(make(), tmp_path)
    assert samples.labels is None
    assert (samples.pixels == BYTES).all()


def test_tensors_with_a_gradient_and_loaders_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    images = torch.tensor(np.moveaxis(PIXELS, -1, 1)).requires_grad_()
    data = torch.utils.data.TensorDataset(images.detach(), torch.tensor(LABELS))
    for number, samples in enumerate([(images, torch.tensor(LABELS)), torch.utils.data.DataLoader(data, batch_size=7)]):
        (folder := tmp_path / str(number)).mkdir()
        read = loaded(samples, folder)
        assert read.labels is not None
        assert (read.pixels == BYTES).all()
        assert (read.labels == LABELS).all()


def test_an_endless_loader_ends_when_there_is_enough(tmp_path: Path) -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield PIXELS, LABELS

    path = save_samples(endless(), tmp_path, 10)
    assert len(load_samples(path, image_shape=(12, 12, 3)).pixels) == 60


def test_a_data_set_in_the_order_of_its_classes_gives_images_of_all(tmp_path: Path) -> None:
    class Sorted(Rows):
        def __len__(self) -> int:
            return 1000

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return BYTES[0], index // 100

    samples = load_samples(save_samples(Sorted(), tmp_path, 20), image_shape=(12, 12, 3))
    assert samples.labels is not None
    assert set(samples.labels.tolist()) == set(range(10))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (3, "samples are of type int; give a path, an array"),
        ({"x": BYTES}, "samples are of type dict"),
        (["a.png"], "samples hold str"),
        ([], "samples gave no image"),
        ([np.zeros((8, 8, 3)), np.zeros((9, 9, 3))], "of several sizes"),
        ([(BYTES[0], 1), (BYTES[1],)], "some of the samples have labels and some have none"),
    ],
)
def test_samples_of_the_wrong_kind_are_one_sentence(tmp_path: Path, samples: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        save_samples(samples, tmp_path, 200)


@pytest.mark.parametrize("model", [[], {}, 3, None, object(), np.zeros(3)])
def test_what_is_no_model_is_one_sentence(model: Any) -> None:
    for call in (ninspect.scan, ninspect.open_network):
        with pytest.raises(UsageError, match=r"the model is of type .*; give the path of an ONNX file, its bytes"):
            call(model)


@pytest.mark.parametrize("form", ["bytes", "proto", "path", "text"])
def test_a_model_may_be_an_object(tmp_path: Path, form: str) -> None:
    weights = even_weights()
    proto = linear_model(weights)
    path = save(proto, tmp_path / "model.onnx")
    model = {"bytes": proto.SerializeToString(), "proto": proto, "path": path, "text": str(path)}[form]
    network = ninspect.open_network(model, preset="unit", device="cpu")
    pixels = random_pixels(5, (12, 12, 1))
    assert (network.logits(pixels).argmax(axis=1) == linear_answers(weights, pixels)).all()
    assert ninspect.gradients(model, pixels[:2], 3, preset="unit").shape == (1, 2, 12, 12, 1)


def test_a_module_of_pytorch_is_exported_and_left_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.Dropout(), torch.nn.Flatten(), torch.nn.Linear(200, 7)
    )
    network = ninspect.open_network(module, size=(12, 12), preset="unit", device="cpu")
    assert module.training
    expected = module.eval()(torch.tensor(np.moveaxis(PIXELS, -1, 1))).detach().numpy()
    np.testing.assert_allclose(network.logits(PIXELS), expected, atol=1e-4)
    with pytest.raises(UsageError, match="does not say how large its images are; give samples as an array, or size"):
        ninspect.open_network(module)
    with pytest.raises(UsageError, match=r"the model cannot be exported \(.*\); give the path"):
        ninspect.open_network(module, size=(13, 13))


def test_a_model_of_keras_is_exported_by_its_own_means() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(7)])
    network = ninspect.open_network(model, preset="unit", device="cpu")
    np.testing.assert_allclose(network.logits(PIXELS), np.asarray(model(PIXELS)), atol=1e-4)


def test_a_scan_of_objects_is_made_behind_the_sandbox_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    weights, steps = even_weights(), []
    pixels = random_pixels(60, (12, 12, 1))
    options: Any = {"preset": "unit", "method": "weights", "max_images": 50, "evidence": False}
    result = ninspect.scan(
        linear_model(weights).SerializeToString(),
        (pixels, linear_answers(weights, pixels)),
        progress=lambda done, total: steps.append(done),
        **options,
    )
    assert result.isolation is not None
    assert "process" in result.isolation.active
    assert result.samples is not None
    assert (result.samples.count, result.samples.clean_accuracy) == (50, 1.0)
    assert (result.model.path, result.samples.source) == ("model.onnx", "images.npz")
    assert str(tmp_path) not in result.to_json()
    assert names_in(tmp_path) == []
    assert len(repr(result)) < 400


def test_messages_do_not_name_temporary_files() -> None:
    with pytest.raises(UsageError, match=r"^the image array in samples ranges from -1 to 0; give pixels"):
        ninspect.scan(linear_model(even_weights()), PIXELS[..., :1] - 1, sandbox="off")


def test_detectors_are_objects_of_this_process() -> None:
    with pytest.raises(UsageError, match="name methods instead, or give sandbox='off'"):
        ninspect.scan("m.onnx", detectors=[ninspect.Activated()], sandbox="require")
    with pytest.raises(UsageError, match="sandbox is 'on'; give auto, require or off"):
        ninspect.scan("m.onnx", sandbox="on")  # type: ignore[arg-type]


def test_options_have_the_names_of_fields_and_of_the_command_line(tmp_path: Path) -> None:
    request = _on_paths("m.onnx", "images", {"method": "mmbd", "max_images": 9, "mean": np.array([1, 2, 3])}, tmp_path)
    assert (request.methods, request.images, request.preprocess.mean) == (("mmbd",), 9, (1.0, 2.0, 3.0))
    same = scan_request("m.onnx", "images", {"methods": ["mmbd"], "images": 9, "preprocess": {"mean": [1, 2, 3]}})
    assert request == same
    for preprocess, expected in (
        ("imagenet", PreprocessOptions(preset="imagenet")),
        ("p.toml", PreprocessOptions(file=Path("p.toml"))),
        (PreprocessOptions(std=2.0), PreprocessOptions(std=2.0)),
        (ninspect.Preprocess(std=2.0), None),
    ):
        got = scan_request("m.onnx", None, {"preprocess": preprocess}).preprocess
        assert (got == expected) if expected else (got.std == 2.0)
    for options, message in (
        ({"preprocess": 3}, "preprocess is of type int"),
        ({"images": 3, "max_images": 4}, "images was given twice"),
        ({"alhpa": 1}, "scan has no option 'alhpa'; there are alpha, "),
        ({"preset": "magic"}, "wrong in preprocess.preset"),
    ):
        with pytest.raises(UsageError, match=message):
            scan_request("m.onnx", None, options)


def test_a_result_is_saved_in_the_format_of_the_ending(tmp_path: Path) -> None:
    result = example()
    result.save(tmp_path / "r.json")
    assert load_result(tmp_path / "r.json") == result
    result.save(str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    result.save(tmp_path / "r", format="markdown")
    assert (tmp_path / "r").read_text(encoding="utf-8").startswith("### ")
    for name, format_ in (("r.pdf", None), ("r.html", "pdf")):
        with pytest.raises(UsageError, match="give one of text, json, "):
            result.save(tmp_path / name, format=format_)  # type: ignore[arg-type]
    assert names_in(tmp_path) == ["r", "r.html", "r.json"]


def test_a_trigger_is_two_arrays() -> None:
    mask, pattern = example().trigger(7).arrays()
    assert (mask == PATCH.mask).all()
    assert (pattern == PATCH.pattern).all()
    with pytest.raises(UsageError, match="there is no trigger for class 1; there are for: 7"):
        example().trigger(1)
    assert len(repr(example().triggers)) < 1000


def test_a_notebook_can_complete_the_names() -> None:
    assert {"scan", "gradients", "Result", "__version__"} <= set(dir(ninspect))
    assert ninspect.__version__.count(".") == 2


def test_no_other_library_is_imported_for_objects() -> None:
    program = (
        "import sys, numpy, ninspect\n"
        "try: ninspect.scan(b'', numpy.zeros((2, 8, 8, 3)), sandbox='off')\n"
        "except ninspect.NinspectError: pass\n"
        "assert not {'torch', 'keras', 'tensorflow', 'IPython'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_words_are_labels_and_inputs_are_fed_by_name() -> None:
    weights = even_weights()
    pixels = random_pixels(60, (12, 12, 1))
    words = [f"digit {label}" for label in linear_answers(weights, pixels)]
    options: Any = {"preset": "unit", "method": "weights", "evidence": False, "sandbox": "off"}
    names = tuple(f"digit {label}" for label in range(10))
    result = ninspect.scan(linear_model(weights), (pixels, words), class_names=names, **options)
    assert result.samples is not None
    assert result.samples.clean_accuracy == 1.0
    with pytest.raises(UsageError, match="'age'"):
        ninspect.open_network(linear_model(weights), feed={"age": [0.5, 1]})
