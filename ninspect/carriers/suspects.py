"""The classes whose triggers are looked for, as a saved result has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ninspect.carriers.spots import Array, covered
from ninspect.errors import InconclusiveError, UsageError
from ninspect.report import Result
from ninspect.report.pictured import TriggerInfo
from ninspect.search.patch import Patch

_NAMED = ("BD004", "BD005")  # findings that name a class without suspecting it


@dataclass(frozen=True, eq=False)
class Suspect:
    """A class that may be the target of a trigger.

    Attributes:
        label: the class.
        source: the only class whose pictures the trigger works on; None where it works on any.
        patches: what was recovered, by what it is called.
    """

    label: int
    source: int | None
    patches: dict[str, Patch]

    @property
    def spots(self) -> dict[str, Array]:
        """Where each of the patches is, `[H, W]`."""
        return {name: covered(patch.mask) for name, patch in self.patches.items()}


def suspects_of(result: Result, classes: Sequence[int] | None, where: str) -> list[Suspect]:
    """The suspected classes with their triggers, those with a source class for themselves.

    Args:
        result: of a scan.
        classes: those to look for instead.
        where: the result is from, for messages.

    Raises:
        InconclusiveError: the result suspects no class, or every one.
        UsageError: it holds no trigger of a class that was asked for.
    """
    wanted = list(dict.fromkeys([*result.targets, *_named(result)])) if classes is None else classes
    known = sorted({*(one.label for _, one in _triggers(result)), *(pair.label for pair in result.pairs)})
    listed = f"; name one with --classes, of which there are triggers: {', '.join(map(str, known))}" if known else ""
    if not wanted:
        raise InconclusiveError(f"{where} suspects no class, so there is no trigger to look for{listed}")
    if classes is not None and (missing := [label for label in classes if label not in known]):
        raise UsageError(f"{where} holds no trigger of class {missing[0]}{listed}")
    if any(found.rule == "BD002" for found in result.findings) and classes is None:
        raise InconclusiveError(
            f"{where} suspects a trigger that sends every class to another, which no scan recovers{listed}"
        )
    return [suspect for label in wanted for suspect in _of(result, label)]


def _named(result: Result) -> Iterator[int]:
    """The targets of findings that suspect nobody; of a pair of classes the last is the target."""
    return (found.classes[-1] for found in result.findings if found.rule in _NAMED and found.classes)


def _of(result: Result, label: int) -> Iterator[Suspect]:
    shared = {name: Patch.from_base64(one.npz) for name, one in _triggers(result) if one.label == label}
    pairs = [pair for pair in result.pairs if pair.label == label]
    if shared or not pairs:
        yield Suspect(label, None, shared)
    yield from (Suspect(label, pair.source, {"trigger": Patch.from_base64(pair.npz)}) for pair in pairs)


def _triggers(result: Result) -> Iterator[tuple[str, TriggerInfo]]:
    yield from (("trigger", one) for one in result.triggers)
    yield from (("window", one) for one in result.stamps)
