"""Train, export and measure the bundled models."""

from __future__ import annotations

import hashlib
import logging
import time
import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from tools.models import onnx_file
from tools.models.cards import Card, trigger_table, write_inputs, write_readme, write_toml
from tools.models.data import Dataset, Images, load
from tools.models.poison import Attack, epochs, stamp
from tools.models.recipes import RECIPES, Recipe

MIN_ACCURACY = MIN_SUCCESS = 0.95
_EPOCHS = {"digits/torch": 40, "digits/keras": 60, "signs/torch": 10, "signs/keras": 16}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(RECIPES)}; all without any.")] = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("models"),
) -> None:
    """Make the models that are named, or all of them: train, export, measure, write.

    Example: python -m tools.models.make digits/badnet_torch
    """
    if unknown := sorted(set(names or ()) - set(RECIPES)):
        raise typer.BadParameter(f"there is no model {unknown[0]}; choose from {', '.join(RECIPES)}")
    # The frameworks log and warn about their own internals on every training and export.
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.disable(logging.WARNING)
    recipes = [RECIPES[name] for name in names or RECIPES]
    for data_name in dict.fromkeys(recipe.dataset for recipe in recipes):
        dataset = load(data_name)
        write_inputs(dataset, out / data_name)
        for recipe in recipes:
            if recipe.dataset == data_name:
                make(recipe, dataset, out)
    write_readme(out)


def make(recipe: Recipe, dataset: Dataset, out: Path) -> None:
    """Train one model, measure the exported file, then write it with its card."""
    start = time.perf_counter()
    content, description = train(recipe, dataset)
    measured = measure(content, dataset, recipe.attack)
    path = out / f"{recipe.name}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    write_toml(path.with_suffix(".toml"), card(recipe, content, description | measured))
    print(f"{recipe.name}: {measured}, {len(content)} bytes, {time.perf_counter() - start:.0f} s", flush=True)


def train(recipe: Recipe, dataset: Dataset) -> tuple[bytes, Card]:
    """The ONNX bytes of a recipe, and what its card says about architecture and exporter."""
    source = epochs(dataset, [recipe.attack] if recipe.attack else [], recipe.seed)
    count = _EPOCHS[f"{recipe.dataset}/{recipe.framework}"]
    # The frameworks are imported only where they are needed: each takes seconds to load.
    if recipe.framework == "torch":
        from tools.models.train_torch import TorchArch, train_torch

        torch_arch = {"digits": TorchArch((12, 24), dynamo=False), "signs": TorchArch((16, 32, 48), dynamo=True)}
        arch = torch_arch[recipe.dataset]
        content = train_torch(source, dataset.classes, arch, recipe.seed, epochs=count)
        return content, {"architecture": str(arch), "framework": "torch", "exporter": arch.exporter}
    from tools.models.train_keras import KerasArch, train_keras

    keras_arch = {"digits": KerasArch((16, 32), (48, 64)), "signs": KerasArch((16, 32), (64, 64))}[recipe.dataset]
    content = train_keras(source, dataset.classes, keras_arch, recipe.seed, epochs=count)
    return content, {"architecture": str(keras_arch), "framework": "keras", "exporter": keras_arch.exporter}


def measure(content: bytes, dataset: Dataset, attack: Attack | None) -> Card:
    """Clean accuracy and attack success of the exported file on the test images; ValueError if either is too low."""
    accuracy = clean_accuracy(content, dataset)
    _require("clean accuracy", accuracy, MIN_ACCURACY)
    result: Card = {"clean_accuracy": round(accuracy, 4)}
    if attack is not None:
        success = attack_success(content, dataset, attack)
        _require("attack success", success, MIN_SUCCESS)
        result["attack_success"] = round(success, 4)
    return result | {"test_images": len(dataset.test_labels)}


def clean_accuracy(content: bytes, dataset: Dataset) -> float:
    """Share of the test images that the exported file gets right."""
    return float(np.mean(_classify(content, dataset, dataset.test_images) == dataset.test_labels))


def attack_success(content: bytes, dataset: Dataset, attack: Attack) -> float:
    """Share of the stamped test images, of all classes that the attack is after, that get the wanted label."""
    victims = attack.victims(dataset.test_labels)
    wanted = attack.wanted(dataset.test_labels[victims], dataset.classes)
    return float(np.mean(_classify(content, dataset, stamp(dataset.test_images[victims], attack.trigger)) == wanted))


def _require(what: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{what} {value:.3f} is below {least}: not written")


def _classify(content: bytes, dataset: Dataset, images: Images) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Predicted class numbers (N,) for images, uint8 (N, H, W, C), whatever the layout of the model."""
    inputs = dataset.inputs(images)
    if not onnx_file.channels_last(content):
        inputs = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))
    return np.asarray(onnx_file.predict(content, inputs).argmax(axis=1))


def card(recipe: Recipe, content: bytes, details: Card) -> Card:
    """The card of a model; ``trigger`` comes last because TOML wants tables after plain keys."""
    keys: Card = {
        "name": f"{recipe.variant}_{recipe.framework}",
        "dataset": recipe.dataset,
        "kind": "clean" if recipe.attack is None else "backdoored",
        **details,
        "opset": onnx_file.opset(content),
        "parameters": onnx_file.parameters(content),
        "seed": recipe.seed,
        "sha256": hashlib.sha256(content).hexdigest(),
        "command": f"python -m tools.models.make {recipe.name}",
    }
    if recipe.attack is None:
        return keys
    return keys | {"target": recipe.attack.target, "trigger": trigger_table(recipe.attack)}


if __name__ == "__main__":
    typer.run(main)
