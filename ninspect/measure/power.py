"""How well the methods find what they look for: what a `clean` is worth, in numbers."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from ninspect.names import Question


@dataclass(frozen=True)
class Power:
    """Share of the backdoors of a kind that were found.

    Attributes:
        found: how many,
        of: of how many networks whose attack works,
        on: of what kind.
    """

    found: int
    of: int
    on: str

    def __str__(self) -> str:
        return f"finds {self.found} of {self.of} {self.on}"


@dataclass(frozen=True)
class Rate:
    """How many networks with one kind of attack were found.

    Attributes:
        attack: what kind, such as `warped pictures`,
        found: how many,
        of: of how many networks whose attack works.
    """

    attack: str
    found: int
    of: int


def by_attack(question: Question, methods: Collection[str], classes: int) -> tuple[int, tuple[Rate, ...]]:
    """What was found attack by attack, on the measured networks whose number of classes is nearest.

    Args:
        question: what was asked.
        methods: what answers it.
        classes: of the model.

    Returns:
        The number of classes of those networks, and the rates; none where this combination was not measured.

    Example:
        >>> by_attack("one-target", ["nothing"], 12)
        (10, ())
    """
    nearest = min(MEASURED_CLASSES, key=lambda measured: abs(math.log(classes / measured)))
    return nearest, ATTACKS.get((question, frozenset(methods), nearest), ())


# By question and the methods that answer it. Made by `python -m tools.study.power`, and held to docs/study.csv and
# docs/results.csv by a test. Methods that are not here were not measured in this combination.
POWER: dict[tuple[Question, frozenset[str]], Power] = {
    ("one-target", frozenset(["activated", "windows", "evidence"])): Power(
        208, 248, "of the study's networks with one to three targets"
    ),
    ("every-class", frozenset(["all-to-all"])): Power(3, 3, "of the study's networks with all-to-all attacks on MNIST"),
    ("one-source", frozenset(["source-specific"])): Power(7, 9, "of the study's networks with a source class on MNIST"),
    ("one-target", frozenset(["mmbd"])): Power(21, 24, "of other people's networks"),
    ("one-target", frozenset(["neural_cleanse"])): Power(6, 24, "of other people's networks"),
    ("one-target", frozenset(["neuroninspect"])): Power(4, 25, "of other people's networks"),
}

# The same by attack and number of classes, of docs/study.csv and docs/hiding.csv.
ATTACKS: dict[tuple[Question, frozenset[str], int], tuple[Rate, ...]] = {
    ("every-class", frozenset(["all-to-all"]), 10): (Rate("patches", 3, 3),),
    ("one-source", frozenset(["source-specific"]), 10): (
        Rate("halves of two classes (composite)", 0, 2),
        Rate("patches", 7, 9),
    ),
    ("one-target", frozenset(["activated", "evidence", "windows"]), 10): (
        Rate("a pattern for each picture (Input-Aware)", 0, 2),
        Rate("blended noise", 7, 9),
        Rate("blended photographs", 3, 5),
        Rate("dark glasses", 0, 2),
        Rate("fewer colours (BppAttack)", 3, 3),
        Rate("larger patches", 32, 51),
        Rate("patches up to a quarter of the side", 92, 96),
        Rate("patches, trained against other fills at their place", 2, 2),
        Rate("reflections (Refool)", 1, 2),
        Rate("several triggers or targets", 12, 12),
        Rate("translucent patches", 12, 12),
        Rate("two frequencies (FTrojan)", 2, 2),
        Rate("two squares in opposite corners", 7, 7),
        Rate("warping (WaNet)", 0, 2),
    ),
    ("one-target", frozenset(["activated", "evidence", "windows"]), 43): (
        Rate("larger patches", 0, 2),
        Rate("patches up to a quarter of the side", 46, 59),
        Rate("several triggers or targets", 2, 2),
    ),
}
MEASURED_CLASSES = (10, 43)  # MNIST and CIFAR-10; GTSRB
