"""What a detector is: it asks the network its own question, and says which questions about the model that answers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any, ClassVar

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination
from ninspect.names import Question


@dataclass(frozen=True)
class Needs:
    """What a detector needs before its silence is an answer.

    Attributes:
        images: clean images.
        blind: without them it can look all the same, and accuse, but clears nobody.
    """

    images: bool = True
    blind: bool = False

    def missing(self, case: Case) -> str | None:
        """What the case lacks, or None."""
        return "clean images are needed; give --samples" if self.images and case.pixels is None else None


class Detector(ABC):
    """One way of telling a backdoor's target class from the others. Implementations are frozen dataclasses of settings.

    Attributes:
        name: what `--method` calls it.
        answers: the questions that it can answer by finding nothing. Any detector may accuse.
        needs: what it takes to answer them.
    """

    name: ClassVar[str]
    answers: ClassVar[frozenset[Question]] = frozenset()
    needs: ClassVar[Needs] = Needs()

    @property
    def settings(self) -> dict[str, Any]:
        """What its scores depend on, for the report."""
        return asdict(self) if is_dataclass(self) else {}

    @abstractmethod
    def examine(self, case: Case) -> Examination:
        """Look at every class."""


def examined(detector: Detector, case: Case) -> Examination:
    """What a detector says of a case: timed, and with a gap where the case lacks what it needs."""
    missing = detector.needs.missing(case)
    if missing and not detector.needs.blind:
        return replace(Examination.without_scores(detector.name, case.classes, missing), answers=detector.answers)
    began = time.perf_counter()
    found = detector.examine(case)
    seconds = time.perf_counter() - began
    gap = found.gap or missing or (_unseen(case) if detector.answers else None)
    return replace(found, gap=gap, answers=detector.answers, seconds=seconds)


def _unseen(case: Case) -> str | None:
    """Why no question about the model is answered where only some classes are judged."""
    judged, classes = len(case.classes), case.network.classes
    return None if judged == classes else f"only {judged} of {classes} classes were examined"
