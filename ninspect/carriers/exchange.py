"""Does the answer to a picture go with a spot of it? The spot is exchanged with pictures that have other answers.

    y' = y + s · (x − y)      a partner with the spot of the picture: is it answered as the picture was?
    x' = x − s · (x − y)      the picture with the spot of the partner: is it answered otherwise?

    score = moved · (1 + left) / 2,   moved = mean_y p(y'),  left = 1 − mean_y p(x'),   p: probability of x's answer

A picture with a trigger takes its answer along with the spot that the trigger is in, and loses it; a natural one does
not. Where the answer is the true class as well it is not lost, so moving counts for itself. Moving a spot to other
pictures is SentiNet's question (Chou, Tramèr, Pellegrino, 2020), covering it that of occlusion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninspect.runtime import Network, Pixels

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Partners:
    """Pictures that spots are exchanged with.

    Attributes:
        pixels: `[M, H, W, C]` float32 in [0, 1].
        answers: `[M]`, the classes that the model gives them.
    """

    pixels: Pixels
    answers: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Exchanged:
    """What became of N pictures and their partners.

    Attributes:
        moved: `[N]` in [0, 1], mean probability of the picture's answer for partners with its spot.
        kept: `[N]` in [0, 1], mean probability of that answer for the picture with the spot of a partner.
    """

    moved: NDArray[np.float64]
    kept: NDArray[np.float64]

    @property
    def score(self) -> NDArray[np.float64]:
        """`[N]` in [0, 1]: how far the answer goes with the spot."""
        return self.moved * (2 - self.kept) / 2


def exchange(
    network: Network, pictures: Pixels, answers: NDArray[np.int64], partners: Partners, spots: Array
) -> Exchanged:
    """Exchange a spot of every picture with every partner that has another answer.

    Args:
        network: the classifier.
        pictures: `[N, H, W, C]` float32 in [0, 1].
        answers: `[N]`, the classes that the model gives them.
        partners: M of them.
        spots: `[H, W]`, or one for each picture, `[N, H, W]`; 1 inside, 0 outside.

    Returns:
        The means; not a number for a picture without such a partner.
    """
    spots = np.broadcast_to(spots, pictures.shape[:3])
    found = np.empty((len(pictures), 2, len(partners.answers)))
    for part in network.plan.goals(len(pictures), 2 * partners.pixels.nbytes):
        difference = spots[part, None, ..., None] * (pictures[part, None] - partners.pixels)
        rows = np.stack([partners.pixels + difference, pictures[part, None] - difference], axis=1)
        logits = network.logits(rows.reshape(-1, *pictures.shape[1:]))
        wanted = np.repeat(answers[part], 2 * len(partners.answers))
        found[part] = probability(logits, wanted).reshape(-1, 2, len(partners.answers))
    found[np.broadcast_to((answers[:, None] == partners.answers)[:, None], found.shape)] = np.nan
    there = np.isfinite(found).sum(axis=2)
    means = np.divide(np.nansum(found, axis=2), there, out=np.full(there.shape, np.nan), where=there > 0)
    return Exchanged(means[:, 0], means[:, 1])


def probability(logits: NDArray[np.float32], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """exp(z_c) / Σ exp(z) of one class c for each of the logits `[N, K]`, `[N]`."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted[np.arange(len(classes)), classes] / shifted.sum(axis=1))
