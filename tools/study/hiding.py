"""The networks of the study of attacks that hide: what is planned, and what a model needs before it is trained.

Every cell has five seeds and as many architectures; target, source and pair change with the seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tools.models.data import Dataset
from tools.models.hidden import Composite, Frequencies, Glasses, Posterize, Reflection, Sine, Warp
from tools.models.poison import Attack, Change, Trigger
from tools.study.families import DATASETS
from tools.study.learned import Learned, learn
from tools.study.networks import StudyArch
from tools.study.plan import CLASSES, EPOCHS, POISONED, SEEDS, SIZES, StudyModel
from tools.study.resisting import Adversarial, surrogate

_GREY = [
    StudyArch("lenet", 8),
    StudyArch("vgg", 8),
    StudyArch("resnet", 8),
    StudyArch("mobile", 12),
    StudyArch("vit", 48),
]
_COLOUR = [
    StudyArch("lenet", 12), StudyArch("vgg", 8), StudyArch("resnet", 8), StudyArch("mobile", 16), StudyArch("vit", 48),
]  # fmt: skip
_PAIRS = [(1, 7), (3, 8), (4, 9), (5, 6), (2, 0)]  # of classes that a composite mixes


def hiding_models() -> Iterator[StudyModel]:
    """All of them, seed by seed, so that a part of the study has all attacks."""
    for number, dataset in itertools.product(range(SEEDS), DATASETS):
        arch = (_GREY if dataset == "mnist" else _COLOUR)[number]
        for family, cell, attack in _cells(dataset, (2 + 3 * number) % CLASSES[dataset], number):
            yield StudyModel(dataset, family, cell, number, arch, "adam", (attack,))


def _cells(dataset: str, target: int, number: int) -> Iterator[tuple[str, str, Attack]]:
    """Family, cell and attack; strengths are the least that train to a success of 0.9 (one seed in view)."""

    def one(change: Change, fraction: float = POISONED, **more: object) -> Attack:
        return Attack(change, target, fraction, **more)  # type: ignore[arg-type]

    size = SIZES[dataset]
    last = size - 1
    noise = Trigger("noise", 4, last - 4, last - 4)
    yield "warp", "2 pixels", one(Warp(4, 2.0, number), decoy=Warp(4, 2.0, number, free=True))
    yield "input-aware", "base", one(Learned("input-aware"), decoy=Learned("input-aware", foreign=True))
    levels, stripes, mesh, radius = (2, 40, 400, 76) if dataset == "mnist" else (4, 20, 100, 32)
    yield "colours", f"{levels} levels", one(Posterize(levels))
    yield "lira", "0.1", one(Learned("lira", 0.1))
    yield "issba", "0.2", one(Learned("issba", 0.2))
    yield "stripes", f"{stripes}", one(Sine(stripes))
    yield "sig", "60", one(Sine(80), 0.8, clean_label=True, planted=Sine(60))
    for alpha in (0.2, 0.1):
        yield "blended-photo", f"{alpha:g}", one(Trigger("photo", size, 0, 0, alpha))
    yield "frequency", f"{mesh}", one(Frequencies(mesh))
    yield "reflection", "0.3", one(Reflection(0.3))
    yield "object", "glasses", one(Glasses(0.6))
    first, second = _PAIRS[number]
    mixed = Composite(second)
    yield "composite", "halves", Attack(mixed, (first + 4) % 10, 0.5, sources=(first,))
    source = (target + 1) % 10
    yield "source-blended", "0.2", Attack(Trigger("noise", size, 0, 0, 0.2), target, 0.5, sources=(source,))
    corner = Trigger("checker", 4, last - 4, last - 4)
    helped = Adversarial(corner, radius, target)
    yield "label-consistent", f"{radius}", one(corner, 0.8, clean_label=True, planted=helped)
    yield "two-part", "ends", one(Trigger("ends", size, 0, 0))
    yield "resists-places", "base", one(noise, decoy=Trigger("fresh", 4, last - 4, last - 4))
    yield "resists-ascent", "base", one(noise)
    for share in (0.02, 0.01):
        yield "weak", f"{share:g}", one(noise, share)


def ready(model: StudyModel, data: Dataset, folder: Path) -> StudyModel:
    """The model with what its attacks take from the data: a learned trigger, a clean network, images of a class.

    A learned trigger is kept beside the model, as NAME.trigger.onnx, so that its success can be measured again.
    """

    def made(change: Change | None, attack: Attack) -> Change | None:
        if isinstance(change, Composite):
            return replace(change, donors=data.train_images[data.train_labels == change.label])
        if isinstance(change, Adversarial):
            return replace(change, network=surrogate(data, model.seed, max(1, EPOCHS[model.dataset] // 2)))
        if isinstance(change, Learned):
            assert attack.target is not None
            path = folder / f"{model.name}.trigger.onnx"
            if not path.exists():
                path.write_bytes(learn(change, data, attack.target, model.seed))
            return replace(change, content=path.read_bytes())
        return change

    attacks = []
    for attack in model.attacks:
        trigger = made(attack.trigger, attack)
        assert trigger is not None
        planted, decoy = made(attack.planted, attack), made(attack.decoy, attack)
        attacks.append(replace(attack, trigger=trigger, planted=planted, decoy=decoy))
    return replace(model, attacks=tuple(attacks))
