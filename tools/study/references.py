"""The networks that comparing with a reference is measured on: 43 traffic signs, and seeds that nothing else uses.

Those of `VIEW` may be looked at while the comparison is built; what docs/reference.md reports is of the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from tools.models.poison import Attack, Trigger
from tools.study.networks import StudyArch
from tools.study.plan import POISONED, StudyModel

DATASET = "gtsrb"
_SOURCE_SHARE = 0.5  # of the images of the source class that are poisoned
_SIZE = 32

LENET, RESNET, MOBILE = StudyArch("lenet", 12), StudyArch("resnet", 8), StudyArch("mobile", 16)
BN, GELU, TANH = StudyArch("bn", 12), StudyArch("lenet", 10, "gelu"), StudyArch("lenet", 12, "tanh")
LEAKY, SMALL = StudyArch("resnet", 8, "leaky"), StudyArch("mlp", 3)


def _corner(pattern: str, side: int) -> Trigger:
    return Trigger(pattern, side, _SIZE - side - 1, _SIZE - side - 1)


def _model(family: str, cell: str, number: int, arch: StudyArch, *attacks: Attack) -> StudyModel:
    return StudyModel(DATASET, family, cell, number, arch, "adam", attacks)


def _pair(cell: str, number: int, arch: StudyArch, trigger: Trigger, source: int, target: int) -> StudyModel:
    attack = Attack(trigger, target, _SOURCE_SHARE, sources=(source,))
    return _model("source-specific", cell, number, arch, attack)


def in_view() -> Iterator[StudyModel]:
    """Networks to build the comparison with."""
    yield _model("clean", "reference", 100, LENET)
    yield _pair("noise", 101, BN, _corner("noise", 4), 38, 13)
    yield _pair("white", 102, LENET, _corner("white", 4), 2, 7)
    yield _model("clean", "reference", 103, RESNET)
    yield _model("large", "white 12", 104, RESNET, Attack(_corner("white", 12), 9, POISONED))
    yield _pair("near", 105, RESNET, Trigger("noise", 4, 1, 1), 1, 2)


def references() -> Iterator[StudyModel]:
    """Two that are clean, one that knows little, and one with a backdoor of its own."""
    yield _model("clean", "reference", 200, LENET)
    yield _model("clean", "reference", 201, BN)
    yield _model("clean", "bad reference", 202, SMALL)
    yield _model("patch", "backdoored reference", 203, LENET, Attack(Trigger("noise", 4, 14, 1), 20, POISONED))


def judged() -> Iterator[StudyModel]:
    """Networks that are compared with the references."""
    pairs = [
        ("noise", RESNET, _corner("noise", 4), 12, 7), ("white", GELU, _corner("white", 4), 4, 14),
        ("noise", LEAKY, Trigger("noise", 4, 1, 1), 25, 18), ("near", TANH, _corner("noise", 4), 5, 3),
        ("noise", GELU, Trigger("noise", 4, 14, 1), 10, 38), ("white", RESNET, Trigger("white", 4, 1, 14), 13, 12),
        ("near", LEAKY, Trigger("noise", 4, 1, 14), 9, 10), ("noise", BN, _corner("noise", 4), 1, 17),
    ]  # fmt: skip
    other = [
        ("large", "white 12", RESNET, Attack(Trigger("white", 12, 19, 1), 5, POISONED)),
        ("blended", "alpha 0.1", GELU, Attack(Trigger("noise", _SIZE, 0, 0, 0.1), 11, POISONED)),
        ("weak", "alpha 0.2", RESNET, Attack(Trigger("white", 6, 25, 25, 0.2), 8, POISONED)),
        ("large", "white 16", TANH, Attack(Trigger("white", 16, 15, 15), 17, POISONED)),
        ("blended", "alpha 0.1", LEAKY, Attack(Trigger("noise", _SIZE, 0, 0, 0.1), 25, POISONED)),
        ("weak", "anywhere", GELU, Attack(Trigger("white", 4, None, None), 14, POISONED)),
    ]  # fmt: skip
    clean = [RESNET, GELU, MOBILE, TANH, LEAKY, BN]
    for number in range(max(len(pairs), len(other), len(clean))):
        if number < len(pairs):
            cell, arch, trigger, source, target = pairs[number]
            yield _pair(cell, 220 + number, arch, trigger, source, target)
        if number < len(clean):
            yield _model("clean", "judged", 210 + number, clean[number])
        if number < len(other):
            family, cell, arch, attack = other[number]
            yield _model(family, cell, 230 + number, arch, attack)


def reference_models() -> Iterator[StudyModel]:
    """All of them, those in view first."""
    yield from in_view()
    yield from references()
    yield from judged()
