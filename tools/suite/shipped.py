"""The coverage suite's models that come with packages: the onnx package's own, and scikit-learn's on its digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from tools.suite import torch_exports
from tools.suite.file import EXPLAINED, Array, Export, Reference
from tools.suite.interpreter import Interpreter

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# Weights of these make files of hundreds of megabytes, and it is the operators that count.
LARGE = ("light_bvlc_alexnet", "light_vgg19", "light_zfnet512")


def exports() -> list[Export]:
    """Everything here."""
    return [*_light(), *_sklearn()]


def interpreted(path: Path, family: str, form: str, x: Array, scores: float = 1e-5, tolerance: float = 1e-4) -> None:
    """A reference from the graph itself, in PyTorch."""
    truth = torch_exports.differentiate(logits_of(path, torch.float64), x)
    Reference(family, form, x, np.array(EXPLAINED), *truth, scores, tolerance).save(path)


def logits_of(path: Path, dtype: torch.dtype) -> Interpreter:
    """A file up to its logits, as a function."""
    model = onnx.load(path)
    last = next(n for n in reversed(model.graph.node) if model.graph.output[0].name in n.output)
    return Interpreter(model, last.input[0] if last.op_type in ("Softmax", "LogSoftmax") else None, dtype)


# The classifiers that ship inside the onnx package.


def _light() -> Iterator[Export]:
    for path in sorted(LIGHT.glob("light_*.onnx")):
        yield Export(f"{path.stem}__shipped", partial(_write_light, path, False))
        if path.stem not in LARGE:
            yield Export(f"{path.stem}__random", partial(_write_light, path, True))


def _write_light(source: Path, random: bool, path: Path) -> None:
    """A file as it ships, with every weight the same, or with random weights."""
    model = onnx.load(source)
    if random:
        _fill(model)
    onnx.save(model, path)
    shape, scale = (1, 3, 224, 224), 64  # as strong as pixels in 0-255
    if random:
        _normalize(path, np.random.default_rng(1).normal(0, scale, shape))
    exact, rounded = (logits_of(path, dtype) for dtype in (torch.float64, torch.float32))
    x, good = torch_exports.clear_of_kinks(exact, [rounded], shape, 0, scale, 10 if random else 1)
    family, form = source.stem.replace("_", " "), "random" if random else "shipped"
    if good:
        interpreted(path, family, form, x)
    else:  # with equal weights, equal values tie in pools
        Reference(family, form, x, np.array(EXPLAINED)).save(path)


def _normalize(path: Path, x: Array) -> None:
    """Give BatchNormalization the statistics of what it gets; with others, signals fade from layer to layer."""
    model = onnx.load(path)
    interpreter = Interpreter(model)
    interpreter.calibrate = True
    with torch.no_grad():
        interpreter(torch.from_numpy(x))
    for tensor in model.graph.initializer:
        if tensor.name in interpreter.statistics:
            array = interpreter.statistics[tensor.name].astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(model, path)


def _fill(model: onnx.ModelProto) -> None:
    """Random weights in place of the nodes that make constant ones."""
    graph = model.graph
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    generated = np.random.default_rng(0)
    variances = {n.input[4] for n in graph.node if n.op_type == "BatchNormalization"}
    scales = {n.input[1] for n in graph.node if n.op_type in ("BatchNormalization", "Mul")}
    kept = []
    made = {}
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        name, shape = node.output[0], weights[node.input[0]].tolist()
        if name in variances | scales or len(shape) < 2:
            low, high = (0.5, 1.5) if name in variances | scales else (-0.2, 0.2)
            made[name] = generated.uniform(low, high, shape)
        else:
            made[name] = generated.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(array.astype(np.float32), name) for name, array in made.items())


# scikit-learn.


def _sklearn() -> Iterator[Export]:
    for form in ("zipmap", "tensor", "scaled"):
        for activation in ("relu", "tanh", "logistic", "identity"):
            yield Export(f"sklearn_mlp_{activation}__{form}", partial(_write_perceptron, form, activation))
    for form in _PREPROCESSORS:
        yield Export(f"sklearn_logistic__{form}", partial(_write_logistic, form))


def _write_perceptron(form: str, activation: str, path: Path) -> None:
    """A perceptron, with a table of dictionaries or of numbers as output."""
    network = MLPClassifier((24, 16), activation=activation, max_iter=5, random_state=0)
    scaler = StandardScaler()
    functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "logistic": torch.sigmoid,
        "identity": torch.nn.Identity(),
    }

    def logits(x: torch.Tensor) -> torch.Tensor:
        if form == "scaled":
            x = (x - torch.from_numpy(scaler.mean_)) / torch.from_numpy(scaler.scale_)
        for index, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
            x = x @ torch.from_numpy(weights).double() + torch.from_numpy(bias).double()
            x = functions[activation](x) if index < len(network.coefs_) - 1 else x
        return x

    model = make_pipeline(scaler, network) if form == "scaled" else network
    _write_digits("scikit-learn MLP", form, model, logits, path)


_PREPROCESSORS: dict[str, tuple[Callable[[], Any], Callable[[torch.Tensor], torch.Tensor]]] = {
    "plain": (FunctionTransformer, lambda x: x),
    "maximum": (lambda: Normalizer("max"), lambda x: x / x.amax(1, keepdim=True)),
    "euclidean": (lambda: Normalizer("l2"), lambda x: x / x.norm(dim=1, keepdim=True)),
}


def _write_logistic(form: str, path: Path) -> None:
    """Logistic regression behind a preprocessor."""
    preprocessor, function = _PREPROCESSORS[form]
    network = LogisticRegression(max_iter=20)

    def logits(x: torch.Tensor) -> torch.Tensor:
        return function(x) @ torch.from_numpy(network.coef_).double().T + torch.from_numpy(network.intercept_).double()

    model = make_pipeline(preprocessor(), network)
    _write_digits("scikit-learn logistic", form, model, logits, path)


def _write_digits(
    family: str, form: str, model: Any, logits: Callable[[torch.Tensor], torch.Tensor], path: Path
) -> None:
    """A model fitted to the digits that come with scikit-learn."""
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32)
    model.fit(images, labels)
    options = {id(model): {"zipmap": form == "zipmap"}}
    path.write_bytes(to_onnx(model, images[:1], options=options, target_opset=17).SerializeToString())
    x = images[:2] + 0.1
    Reference(family, form, x, np.array(EXPLAINED), *torch_exports.differentiate(logits, x)).save(path)
