"""Train the models of the studies: ``python tools/train_study.py DATASETS --out .cache/study [--only clean]``.

DATASETS is the folder that holds MNIST and GTSRB. Every model gets a card in the form that ``tools/evaluate.py`` reads.
What is there already is kept, so the work can be stopped and taken up again.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import time
from collections.abc import Callable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets import Dataset, load
from make_models import attack_success, clean_accuracy
from poison import epochs
from study import EPOCHS, StudyModel, backdoored_models, clean_models
from train_torch import train_torch

_OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=2e-3),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.05),
}


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, help="folder with mnist/ and gtsrb32_*.npz")
    parser.add_argument("--out", type=Path, default=Path(".cache/study"))
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names to train, such as 'mnist-*'")
    parser.add_argument("--share", default="0/1", metavar="I/N", help="train every N-th model, from number I")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    models = [m for m in chain(clean_models(), backdoored_models()) if fnmatch.fnmatch(m.name, arguments.only)]
    part, parts = map(int, arguments.share.split("/"))
    for model in models[part::parts]:
        if not (arguments.out / f"{model.name}.json").exists():
            make(model, dataset(model.dataset, arguments.datasets), arguments.out)


@cache
def dataset(name: str, folder: Path) -> Dataset:
    """A data set, read once."""
    return load(name, folder)


def make(model: StudyModel, data: Dataset, out: Path) -> None:
    """Train and measure one model; the card is written last."""
    start = time.perf_counter()
    source = epochs(data, model.attacks, model.seed)
    content = train_torch(
        source,
        data.classes,
        model.arch,
        model.seed,
        epochs=EPOCHS[model.dataset],
        optimizer=_OPTIMIZERS[model.optimizer],
        batch=64,
    )
    images = out / f"{model.dataset}.npz"
    if not images.exists():
        np.savez(images, x=data.test_images, y=data.test_labels)
    card = describe(model, data, content) | {"images": images.name}
    (out / f"{model.name}.onnx").write_bytes(content)
    (out / f"{model.name}.json").write_text(json.dumps(card, indent=1))
    seconds = time.perf_counter() - start
    print(f"{model.name}: accuracy {card['clean_acc']}, success {card.get('asr')}, {seconds:.0f} s", flush=True)


def describe(model: StudyModel, data: Dataset, content: bytes) -> dict[str, Any]:
    """The card of a model, with what was measured on it."""
    prep = data.preprocess
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
        "preprocess": {"scale": prep.scale, "mean": list(prep.mean), "std": list(prep.std), "layout": "NCHW"},
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
    main()
