"""What a backdoor is believed to do, as a scan's result says it: where it sends the images of each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.report import Result
from ninspect.search.patch import Patch

_TARGETS, _PERMUTATION, _PAIR = ("BD001", "BD005"), "BD002", "BD004"
_MOST_PAIRS = 10  # of a model in which more stand out, the first are taken


@dataclass(frozen=True, eq=False)
class Goal:
    """Where the images of each class are sent.

    Attributes:
        name: in words.
        wanted: `[K]`, the class that the images of each class are sent to; a class of its own is left alone.
        patches: triggers that a scan has recovered.
        natural: size in pixels of the triggers that other classes need; not a number where that is not known.

    >>> goal = Goal("class 1 to class 2", np.array([0, 2, 2]))
    >>> goal.sent(np.array([0, 1, 2, 1])).tolist()
    [False, True, False, True]
    """

    name: str
    wanted: NDArray[np.int64]
    patches: tuple[Patch, ...] = ()
    natural: float = float("nan")

    def sent(self, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which images, of the classes `[N]`, are to be sent elsewhere."""
        return np.asarray(self.wanted[answers] != answers)


def goals_of(result: Result, classes: Sequence[int] | None = None) -> list[Goal]:
    """What the suspected classes, pairs and permutations of a result stand for.

    Args:
        result: of a scan.
        classes: targets to repair in place of the suspected ones; None: those.

    Raises:
        UsageError: the scan did not come to know the classes of the model, or has no such class.
    """
    if result.classes is None:
        raise UsageError(
            f"the scan of {result.model.path} ended before its classes were known; nothing can be repaired"
        )
    count = result.classes
    if classes is not None and (outside := [label for label in classes if not 0 <= label < count]):
        raise UsageError(f"class {outside[0]} is out of range; the model has the classes 0 to {count - 1}")
    found = [_to_one(result, label, count) for label in (_targets(result) if classes is None else classes)]
    if classes is None:
        found += [*_pairs(result, count), *_permutations(result, count)]
    return found


def _targets(result: Result) -> list[int]:
    """Classes that are suspected, or nearly."""
    return [label for finding in result.findings if finding.rule in _TARGETS for label in finding.classes]


def _to_one(result: Result, label: int, count: int) -> Goal:
    known = [one for one in (*result.triggers, *result.stamps) if one.label == label]
    sizes = [one.control_size for one in known if one.control_size]
    patches = tuple(Patch.from_base64(one.npz) for one in known)
    wanted = np.full(count, label, np.int64)
    return Goal(f"any image to class {label}", wanted, patches, sizes[0] if sizes else float("nan"))


def _pairs(result: Result, count: int) -> Iterator[Goal]:
    accused = [tuple(finding.classes) for finding in result.findings if finding.rule == _PAIR]
    for pair in [one for one in result.pairs if (one.source, one.label) in accused][:_MOST_PAIRS]:
        wanted = np.arange(count)
        wanted[pair.source] = pair.label
        patch, size = Patch.from_base64(pair.npz), pair.control_size
        yield Goal(f"class {pair.source} to class {pair.label}", wanted, (patch,), size or float("nan"))


def _permutations(result: Result, count: int) -> Iterator[Goal]:
    if not any(finding.rule == _PERMUTATION for finding in result.findings):
        return
    for detector in result.detectors:
        if detector.name == "all-to-all":
            wanted = np.arange(count)
            for label, source in zip(result.explained, detector.scores["from"], strict=True):
                if source is not None:
                    wanted[int(source)] = label
            yield Goal("each class to another", wanted)
