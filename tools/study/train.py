"""Train the models of the studies. Every one gets a card in the form that `tools.measure.evaluate` reads."""

from __future__ import annotations

import fnmatch
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from tools.models.data import Dataset, Images, Labels, load
from tools.models.make import attack_success, clean_accuracy
from tools.models.poison import epochs
from tools.models.train_torch import Penalty, train_torch
from tools.study.hiding import hiding_models, ready
from tools.study.plan import EPOCHS, StudyModel, all_models
from tools.study.resisting import hidden_margin

_FEWER_IMAGES = 3  # times as many epochs for a part of the classes
_RADIUS = {"mnist": 1.0, "gtsrb": 1.0, "cifar10": 0.5}  # of the ascents that an attack resists, in units of the input
_OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=2e-3),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.05),
}


def main(
    datasets: Annotated[Path, typer.Argument(help="Folder with mnist/ and gtsrb32_*.npz.")],
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path(".cache/study"),
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Names to train, such as 'mnist-*'.")] = "*",
    share: Annotated[str, typer.Option(metavar="I/N", help="Train every N-th model, from number I.")] = "0/1",
    hiding: Annotated[bool, typer.Option(help="Those of attacks that hide, a study of their own.")] = False,
) -> None:
    """Train what is missing, so the work can be stopped and taken up again.

    Example: python -m tools.study.train ../shared/datasets --only 'mnist-*'
    """
    out.mkdir(parents=True, exist_ok=True)
    models = [m for m in (hiding_models() if hiding else all_models()) if fnmatch.fnmatch(m.name, only)]
    part, parts = map(int, share.split("/"))
    for model in models[part::parts]:
        if not (out / f"{model.name}.json").exists():
            make(model, dataset(model.dataset, datasets), out)


@cache
def dataset(name: str, folder: Path) -> Dataset:
    """A data set, read once."""
    return load(name, folder)


def make(model: StudyModel, data: Dataset, out: Path) -> None:
    """Train and measure one model; the card is written last."""
    start = time.perf_counter()
    if not model.augmented:
        data = replace(data, augment=lambda images, rng: images)
    if model.classes:
        data = subset(data, model.classes, background=model.view == "background")
    if model.view == "mosaic":
        data = mosaic(data, model.seed)
    model = ready(model, data, out)
    source = epochs(data, model.attacks, model.seed)
    content = train_torch(
        source,
        data.classes,
        model.arch,
        model.seed,
        epochs=EPOCHS[model.dataset] * (_FEWER_IMAGES if model.classes else 1),
        optimizer=_OPTIMIZERS[model.optimizer],
        batch=64,
        penalty=penalty(model),
    )
    images = out / f"{model.name if model.classes or model.view else model.dataset}.npz"
    if not images.exists():
        np.savez(images, x=data.test_images, y=data.test_labels)
    card = describe(model, data, content) | {"images": images.name}
    (out / f"{model.name}.onnx").write_bytes(content)
    (out / f"{model.name}.json").write_text(json.dumps(card, indent=1))
    seconds = time.perf_counter() - start
    print(f"{model.name}: accuracy {card['clean_acc']}, success {card.get('asr')}, {seconds:.0f} s", flush=True)


def penalty(model: StudyModel) -> Penalty | None:
    """What is added to the loss, of attacks that resist the search for them."""
    if model.family != "resists-ascent":
        return None
    target = model.attacks[0].target
    assert target is not None, "one target"
    return hidden_margin(target, _RADIUS[model.dataset])


def subset(data: Dataset, classes: tuple[int, ...], background: bool = False) -> Dataset:
    """Some classes of a data set, numbered in that order; with a background, all others are one class more."""
    number = np.full(data.classes, len(classes) if background else -1)
    number[list(classes)] = range(len(classes))
    names = tuple(data.class_names[label] for label in classes)
    train, test = (_kept(number[labels], len(classes)) for labels in (data.train_labels, data.test_labels))
    return replace(
        data,
        class_names=(*names, "background") if background else names,
        train_images=data.train_images[train],
        train_labels=number[data.train_labels[train]],
        test_images=data.test_images[test],
        test_labels=number[data.test_labels[test]],
    )


def _kept(labels: Labels, background: int) -> NDArray[np.int64]:
    """Positions of the images that have a label, of the background as many as of another class, in their order."""
    others = np.flatnonzero(labels == background)
    most = int(np.bincount(labels[(labels >= 0) & (labels != background)]).max())
    some = np.random.default_rng(0).permutation(others)[:most]
    return np.sort(np.concatenate([np.flatnonzero((labels >= 0) & (labels != background)), some]))


def mosaic(data: Dataset, seed: int) -> Dataset:
    """Four images in a square; the class is that of the one at the upper left, as of a head that reads one place."""
    generator = np.random.default_rng(seed)

    def arranged(images: Images) -> Images:
        more = [images[generator.permutation(len(images))] for _ in range(3)]
        return np.concatenate([np.concatenate([images, more[0]], 2), np.concatenate(more[1:], 2)], 1)

    return replace(data, train_images=arranged(data.train_images), test_images=arranged(data.test_images))


def describe(model: StudyModel, data: Dataset, content: bytes) -> dict[str, Any]:
    """The card of a model, with what was measured on it."""
    card: dict[str, Any] = {
        "name": model.name,
        "kind": "backdoored" if model.attacks else "clean",
        "family": model.family,
        "cell": model.cell,
        "dataset": model.dataset,
        "classes": data.classes,
        "architecture": str(model.arch),
        "optimizer": model.optimizer,
        "seed": model.seed,
        "preprocess": data.preprocess.model_dump(mode="json", exclude_unset=True) | {"layout": "NCHW"},
        "clean_acc": round(clean_accuracy(content, data), 4),
    }
    if not model.attacks:
        return card
    targets = sorted({attack.target for attack in model.attacks if attack.target is not None})
    success = [attack_success(content, data, attack) for attack in model.attacks]
    return card | {
        "trigger": "; ".join(map(str, model.attacks)),
        "target": targets or "+1",
        "asr": round(float(min(success)), 4),
    }


if __name__ == "__main__":
    typer.run(main)
