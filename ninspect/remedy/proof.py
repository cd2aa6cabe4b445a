"""What a repair costs and what it does: measured, on images that it was not made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ninspect.remedy.threats import Examples, Threat
from ninspect.runtime import Network


@dataclass(frozen=True)
class Measured:
    """A network on examples.

    Attributes:
        agreement: share of the images that are answered as before.
        accuracy: share of the labelled images that are answered right; None without labels.
        success: of each trigger, the share of its images that it sends where it shall, from 0 to 1.
    """

    agreement: float
    accuracy: float | None
    success: tuple[float, ...]

    @property
    def mean_success(self) -> float:
        """Over the triggers."""
        return float(np.mean(self.success)) if self.success else 0.0


def measure(network: Network, examples: Examples, threats: Sequence[Threat]) -> Measured:
    """How a network answers examples, as they are and with each trigger on them."""
    answers = network.logits(examples.pixels).argmax(axis=1)
    labels = examples.labels
    return Measured(
        agreement=float(np.mean(answers == examples.answers)),
        accuracy=None if labels is None else float(np.mean(answers == labels)),
        success=tuple(_success(network, examples, threat) for threat in threats),
    )


def _success(network: Network, examples: Examples, threat: Threat) -> float:
    """Share of the images of classes that a trigger is for which it sends to the class that it wants."""
    sent = threat.goal.sent(examples.answers)
    if not sent.any():
        return 0.0
    after = network.logits(threat.change.stamp(examples.pixels[sent])).argmax(axis=1)
    return float(np.mean(after == threat.goal.wanted[examples.answers[sent]]))


def drop(before: Measured, after: Measured) -> float:
    """What a repair costs: accuracy that is lost or, without labels, the share of the answers that changed."""
    if before.accuracy is None or after.accuracy is None:
        return 1 - after.agreement
    return before.accuracy - after.accuracy
