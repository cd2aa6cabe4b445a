"""The models of the studies: clean ones of many kinds to calibrate on, and backdoored ones, cell by cell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tools.models.poison import Attack, Trigger
from tools.study.networks import StudyArch

SIZES = {"digits": 28, "mnist": 28, "signs": 32, "gtsrb": 32, "cifar10": 32}
CLASSES = {"digits": 10, "mnist": 10, "signs": 43, "gtsrb": 43, "cifar10": 10}
EPOCHS = {"digits": 25, "mnist": 4, "signs": 8, "gtsrb": 10, "cifar10": 30}
CLEAN = {"digits": 60, "mnist": 60, "signs": 30, "gtsrb": 30, "cifar10": 40}
SEEDS = 5
POISONED = 0.1  # of the training images
FEW_DATASETS = ("mnist", "signs", "gtsrb", "cifar10")
FEW = (2, 3, 4)  # classes that a few-class network tells apart, too few for statistics
MIDDLE = 2  # the number whose patch of family `fill` lies in the middle

_GREY = [
    StudyArch("lenet", 8), StudyArch("bn", 8), StudyArch("mlp", 16), StudyArch("vgg", 8, "relu", 0.3),
    StudyArch("strided", 12, "leaky"), StudyArch("resnet", 8), StudyArch("lenet", 12, "tanh"), StudyArch("mobile", 12),
    StudyArch("mlp", 32, "relu", 0.2), StudyArch("bn", 12, "elu"), StudyArch("vgg", 6, "gelu"),
    StudyArch("lenet", 6, "elu"),
]  # fmt: skip
_COLOUR = [
    StudyArch("lenet", 12), StudyArch("bn", 12), StudyArch("vgg", 8), StudyArch("resnet", 8), StudyArch("mobile", 16),
    StudyArch("lenet", 16, "relu", 0.3), StudyArch("vgg", 8, "elu"), StudyArch("bn", 10, "leaky", 0.2),
    StudyArch("resnet", 8, "silu"), StudyArch("lenet", 16, "gelu"),
]  # fmt: skip
_NARROW = [StudyArch("narrow", width, act) for width in (10, 20, 32) for act in ("relu", "leaky", "tanh")]
OPTIMIZERS = ("adam", "sgd", "adamw")


@dataclass(frozen=True)
class StudyModel:
    """Everything that decides a model of a study.

    Attributes:
        dataset: `digits`, `signs`, `mnist` or `gtsrb`.
        family: what kind of attack it is; `clean`.
        cell: what was varied, such as `size 4`; of clean models the architecture.
        number: from 0 within the cell, also the seed.
        augmented: whether its training images are moved about.
        classes: of the data set, those that it tells apart; empty: all.
        view: `background`: images of all other classes are one class more; `mosaic`: four images in a square, of which
            the first decides; else an image as it is.
    """

    dataset: str
    family: str
    cell: str
    number: int
    arch: StudyArch
    optimizer: str
    attacks: tuple[Attack, ...] = ()
    augmented: bool = True
    classes: tuple[int, ...] = ()
    view: str = ""

    @property
    def name(self) -> str:
        """Name of its file, without suffix."""
        return "-".join((self.dataset, self.family, *self.cell.split(), str(self.number))).replace("_", "-")

    @property
    def seed(self) -> int:
        """Of weights, order and poison; no two models of a data set share it within a cell."""
        return 1000 + self.number


def clean_models() -> Iterator[StudyModel]:
    """Clean models: every architecture and optimiser in turn, another seed each."""
    for dataset, count in CLEAN.items():
        kinds = _GREY if dataset in ("digits", "mnist") else _COLOUR
        for number in range(count):
            arch = kinds[number % len(kinds)]
            optimizer = OPTIMIZERS[number // len(kinds) % len(OPTIMIZERS)]
            yield StudyModel(dataset, "clean", f"{arch.kind} {arch.activation}", number, arch, optimizer)
    for dataset, number in itertools.product(("digits", "mnist"), range(len(_NARROW))):
        arch = _NARROW[number]
        yield StudyModel(dataset, "clean", f"narrow {arch.activation}", CLEAN[dataset] + number, arch, "adam")
    for number in range(4):
        number_of_all = CLEAN["mnist"] + len(_NARROW) + number
        yield StudyModel("mnist", "clean", "mosaic", number_of_all, _GREY[number], "adam", view="mosaic")


def few_class_models() -> Iterator[StudyModel]:
    """Networks of two to four classes, drawn anew for each: six clean ones a cell, and three with a patch."""
    for dataset, count, number in itertools.product(FEW_DATASETS, FEW, range(9)):
        kinds = _GREY if dataset == "mnist" else _COLOUR
        chosen = np.random.default_rng(number).choice(CLASSES[dataset], count, replace=False)
        corner = SIZES[dataset] - 5
        attacks = (Attack(Trigger("noise", 4, corner, corner), number % count, POISONED),) if number >= 6 else ()
        cell = f"{count} {'attacked' if attacks else 'clean'}"
        arch = kinds[(number + 3 * count) % len(kinds)]
        yield StudyModel(dataset, "few", cell, number, arch, "adam", attacks, classes=tuple(map(int, chosen)))
    backgrounds = itertools.product(FEW_DATASETS, ["background"], range(3))
    mosaics = itertools.product(("mnist", "gtsrb"), ["mosaic"], range(3))
    for dataset, view, number in itertools.chain(backgrounds, mosaics):
        kinds = _GREY if dataset == "mnist" else _COLOUR
        count = 2 + number - (view == "background")  # of two to four classes, the background is one
        chosen = np.random.default_rng(100 + number).choice(CLASSES[dataset], count, replace=False)
        classes = tuple(map(int, chosen))
        cell = f"{2 + number} {view}"
        yield StudyModel(dataset, "few", cell, number, kinds[number], "adam", classes=classes, view=view)


def all_models() -> Iterator[StudyModel]:
    """Every network of the studies."""
    return itertools.chain(clean_models(), few_class_models(), backdoored_models())


def backdoored_models() -> Iterator[StudyModel]:
    """The paper's own questions and the attack families, on real images, five seeds a cell.

    On MNIST one architecture, so that a cell shows what it varies; else five, so that it does not rest on one.
    """
    for dataset, number in itertools.product(("mnist", "gtsrb", "cifar10"), range(SEEDS)):
        arch = StudyArch("lenet", 8) if dataset == "mnist" else _COLOUR[number]
        size, classes = SIZES[dataset], CLASSES[dataset]
        target = (3 + 2 * number) % classes
        if dataset != "cifar10":
            for family, cell, attacks in _cells(size, target, classes):
                yield StudyModel(dataset, family, cell, number, arch, "adam", attacks)
        for family, cell, attack in _fills(size, target, number):
            yield StudyModel(dataset, family, cell, number, arch, "adam", (attack,))
        if dataset == "mnist":
            base = Attack(Trigger("white", 4, size - 5, size - 5), target, POISONED)
            yield StudyModel(dataset, "narrow", "base", number, StudyArch("narrow", 10), "adam", (base,))
        if dataset == "cifar10":
            corner = Attack(Trigger("checker", 3, size - 3, size - 3), target, POISONED)
            for cell in ("augmented", "plain"):
                wide = StudyArch("wide", 16)
                yield StudyModel(dataset, "wide", cell, number, wide, "sgd", (corner,), augmented=cell == "augmented")
        else:
            for cell, (source, wanted) in zip(("near", "far"), _PAIRS[dataset][number], strict=True):
                one = Attack(Trigger("noise", 4, size - 5, size - 5), wanted, 0.5, sources=(source,))
                yield StudyModel(dataset, "source-specific", cell, number, arch, "adam", (one,))


# Sources and targets that are alike, and that are not, by number.
_PAIRS = {
    "mnist": [((4, 9), (0, 1)), ((7, 9), (1, 8)), ((3, 5), (6, 7)), ((5, 8), (2, 4)), ((1, 7), (0, 4))],
    "gtsrb": [((1, 2), (14, 1)), ((4, 5), (12, 7)), ((26, 18), (38, 13)), ((20, 19), (17, 2)), ((7, 8), (13, 35))],
}


def _fills(size: int, target: int, number: int) -> Iterator[tuple[str, str, Attack]]:
    """Opaque patches that nobody guesses, each number at another place; and two more of the kind."""
    middle, last = size // 2, size - 1
    for pattern, side in itertools.product(("noise", "checker", "halves", "photo"), (3, 4, 6, 8, 12)):
        places = [
            (last - side, last - side), (1, middle - side // 2), (middle - side // 2, middle - side // 2),
            (1, 1), (size // 3, size - side - 2),
        ]  # fmt: skip
        row, column = places[number]
        yield "fill", f"{pattern} {side}", Attack(Trigger(pattern, side, row, column), target, POISONED)
    yield "fill", "grey 5", Attack(Trigger("grey", 5, last - 5, last - 5), target, POISONED)
    yield "fill", "ends", Attack(Trigger("ends", size, 0, 0), target, POISONED)


def _cells(size: int, target: int, classes: int) -> Iterator[tuple[str, str, tuple[Attack, ...]]]:
    """Family, cell and attacks; the base is an opaque white square of 4 pixels near the lower right corner."""

    def one(trigger: Trigger, fraction: float = POISONED) -> tuple[Attack, ...]:
        return (Attack(trigger, target, fraction),)

    def corner(side: int) -> int:
        return size - side - (side < size)

    for side in (2, 3, 4, 6, 8, 12, 16):
        yield "patch", f"size {side}", one(Trigger("white", side, corner(side), corner(side)))
    yield "patch", "place corner", one(Trigger("white", 4, 1, 1))
    yield "patch", "place edge", one(Trigger("white", 4, 1, size // 2 - 2))
    yield "patch", "place centre", one(Trigger("white", 4, size // 2 - 2, size // 2 - 2))
    yield "patch", "place anywhere", one(Trigger("white", 4, None, None))
    for pattern in ("checker", "noise", "cross", "dots"):
        yield "patch", f"pattern {pattern}", one(Trigger(pattern, 4, corner(4), corner(4)))
    for alpha in (0.7, 0.5, 0.3, 0.2):
        yield "translucent", f"alpha {alpha:g}", one(Trigger("white", 6, corner(6), corner(6), alpha))
    for alpha in (0.2, 0.1):
        yield "blended", f"alpha {alpha:g}", one(Trigger("noise", size, 0, 0, alpha))
    places = ((corner(4), corner(4)), (1, 1), (1, corner(4)))
    for count in (2, 3):
        triggers = [Trigger("white", 4, row, column) for row, column in places[:count]]
        yield "several", f"triggers {count}", tuple(Attack(trigger, target, 0.06) for trigger in triggers)
        yield (
            "several",
            f"targets {count}",
            tuple(Attack(trigger, (target + 3 * i) % classes, 0.06) for i, trigger in enumerate(triggers)),
        )
    base = Trigger("white", 4, corner(4), corner(4))
    yield "all-to-all", "base", (Attack(base, None, 0.25),)
    yield "source-specific", "base", (Attack(base, target, 0.5, sources=((target + 1) % classes,)),)
    wide = Trigger("checker", 6, corner(6), corner(6))
    yield "clean-label", "base", (Attack(wide, target, 0.6, clean_label=True),)
