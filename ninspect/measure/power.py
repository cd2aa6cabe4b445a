"""How well the methods find what they look for: what a `clean` is worth, in numbers."""

from __future__ import annotations

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
