"""All ways to repair a network, each with what it does to images that it was not made with; and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ninspect.remedy.activity import activity
from ninspect.remedy.free import FreeNetwork
from ninspect.remedy.proof import Measured, drop, measure
from ninspect.remedy.pruning import nothing, without_dormant, without_steep
from ninspect.remedy.sites import Limits
from ninspect.remedy.threats import Examples, Threat
from ninspect.remedy.unlearn import Unlearning, unlearn
from ninspect.search.patch import Patch

_AS_GOOD = 0.05  # in success of the triggers; of candidates that are as good, the one that costs least is taken
_HELPS = 0.1  # success of the triggers at which a candidate is good enough
UNCHANGED = "as it is"


@dataclass(frozen=True, eq=False)
class Candidate:
    """Limits, and what they do.

    Attributes:
        name: how they were made.
        limits: of the channels.
        measured: on the images that candidates are chosen by.
        drop: what they cost there.
    """

    name: str
    limits: Limits
    measured: Measured
    drop: float


def candidates(
    free: FreeNetwork,
    fit: Examples,
    choice: Examples,
    threats: Sequence[Threat],
    settings: Unlearning,
    seed: int,
    progress: Callable[[int], None] = lambda gradients: None,
) -> Iterator[Candidate]:
    """Every candidate, the network as it is first.

    Args:
        free: the network.
        fit: images that limits are made with.
        choice: images that one of them is chosen by.
        threats: the triggers that the network has.
        settings: of the search for limits.
        seed: of all random choices.
        progress: called with the number of gradients computed since the last call.
    """
    patches = [
        threat for threat in threats if isinstance(threat.change, Patch)
    ]  # faint patterns work on clean ones too
    before = measure(free.network, choice, patches)
    yield Candidate(UNCHANGED, nothing(free.places), before, 0.0)
    for name, limits in _limits(free, fit, threats, settings, seed, progress):
        after = measure(free.held(limits), choice, patches)
        yield Candidate(name, limits, after, drop(before, after))


def _limits(
    free: FreeNetwork,
    fit: Examples,
    threats: Sequence[Threat],
    settings: Unlearning,
    seed: int,
    progress: Callable[[int], None],
) -> Iterator[tuple[str, Limits]]:
    seen = activity(free.network, free.places, fit.pixels)
    yield "bounds at the largest clean values", Limits(np.ones_like(seen.largest), seen.largest)
    yield "dormant channels pruned", without_dormant(free, seen, fit)
    for spread, limits in without_steep(free.network.classifier, free.places):
        yield f"channels pruned, steeper than {spread:g} standard deviations", limits
    found = unlearn(free, seen.largest, fit, threats, settings, seed, progress)
    for weight, limits in zip(settings.weights, found, strict=True):
        yield f"bounds and scales, triggers with weight {weight:g}", limits


def best(found: Sequence[Candidate], max_drop: float) -> Candidate:
    """The candidate under which triggers fail most; of those that are as good, the one that costs least.

    What costs more than half of what it may is taken only if nothing else helps: on other images it may cost more.

    Args:
        found: candidates, the network as it is among them.
        max_drop: what a repair may cost.
    """
    cheap, affordable = (_best([one for one in found if one.drop <= most]) for most in (max_drop / 2, max_drop))
    return cheap if cheap.measured.mean_success <= _HELPS else affordable


def _best(found: Sequence[Candidate]) -> Candidate:
    least = min(one.measured.mean_success for one in found)
    return min((one for one in found if one.measured.mean_success <= least + _AS_GOOD), key=lambda one: one.drop)
