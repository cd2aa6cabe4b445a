"""The pictures that others are held against: of the same folder, with other answers than the suspected ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ninspect.carriers.exchange import Partners
from ninspect.carriers.judge import Judge
from ninspect.carriers.suspects import Suspect
from ninspect.errors import InconclusiveError
from ninspect.measure.calibration import SCREEN
from ninspect.runtime import Network, Pixels
from ninspect.samples.choose import turns
from ninspect.samples.drawn import drawn


def judges_of(network: Network, suspects: Sequence[Suspect], some: Pixels, seed: int) -> tuple[list[Judge], bool]:
    """A judge for each suspect, and whether drawn pictures had to do.

    Args:
        network: the classifier.
        suspects: the classes.
        some: `[N, H, W, C]` float32 in [0, 1], pictures of the folder, at random.
        seed: of drawn pictures.

    Raises:
        InconclusiveError: there is nothing to hold pictures against.
    """
    pool = _innocent(network, suspects, some)
    too_few = len(pool.answers) < SCREEN.partners + SCREEN.fewest
    if too_few:
        pictures = drawn(SCREEN.sample, network.input_map.image_shape, seed)
        pool = _innocent(network, suspects, np.concatenate([pool.pixels, pictures]))
    return [_judge(network, suspect, pool) for suspect in suspects], too_few


def _innocent(network: Network, suspects: Sequence[Suspect], pixels: Pixels) -> Partners:
    """The pictures without a suspected answer: a trigger that is on them does not work."""
    answers = network.logits(pixels).argmax(axis=1)
    others = ~np.isin(answers, [suspect.label for suspect in suspects])
    return Partners(pixels[others], answers[others])


def _judge(network: Network, suspect: Suspect, pool: Partners) -> Judge:
    """Partners spread over the other answers, or of the source class alone, and the rest."""
    order = np.argsort(turns(pool.answers, np.arange(len(pool.answers))), kind="stable")
    fitting = order if suspect.source is None else order[pool.answers[order] == suspect.source]
    if not len(fitting):
        wanted = (
            "another one" if suspect.source is None else f"class {suspect.source}, which its trigger works on alone"
        )
        raise InconclusiveError(
            f"pictures that the model answers with class {suspect.label} are held against such of {wanted}, and there "
            "is none; add some"
        )
    partners = fitting[: SCREEN.partners]
    rest = order[~np.isin(order, partners)][: SCREEN.controls]
    return Judge(network, suspect, _some(pool, partners), _some(pool, rest))


def _some(pool: Partners, chosen: NDArray[np.int64]) -> Partners:
    return Partners(pool.pixels[chosen], pool.answers[chosen])
