"""A network whose limits are free: what its answers cost under any limits, and the derivative of that."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.gradient import CLASSES, GRADIENT, LOGITS, differentiate
from ninspect.machine import allowed_cores
from ninspect.remedy.sites import LIMITS, Limits, Site, sites, with_free_limits, with_limits
from ninspect.runtime import Network, Pixels, open_model, run


class FreeNetwork:
    """Logits of images under any limits, and the gradient of their cross-entropy with respect to the limits.

    Args:
        network: the classifier.
        places: where it is held back; None: wherever it can be.

    Attributes:
        network: the classifier, as it is.
        places: where it is held back.

    Raises:
        UnsupportedOperatorError: an operator behind the first place has no gradient rule.
        ModelError: ONNX Runtime refuses the model.
    """

    def __init__(self, network: Network, places: Sequence[Site] | None = None) -> None:
        classifier = network.classifier
        self.network, self.places = network, list(places or sites(classifier))
        model = with_free_limits(classifier.model, self.places)
        model = differentiate(model, LIMITS, classifier.logits, classifier.classes, "cross_entropy")
        self._session: Any = open_model(model, network.device, threads=1)
        self._pool = ThreadPoolExecutor(allowed_cores())

    def held(self, limits: Limits) -> Network:
        """The network under some limits."""
        return self.network.with_model(with_limits(self.network.classifier.model, self.places, limits))

    def logits(self, pixels: Pixels, limits: Limits) -> NDArray[np.float32]:
        """`[N, K]` of the images `[N, H, W, C]`."""
        nothing = np.zeros(len(pixels), np.int64)
        logits: NDArray[np.float32] = np.concatenate([found for found, _ in self._runs(pixels, nothing, limits)])
        return logits

    def gradient(self, pixels: Pixels, classes: NDArray[np.int64], limits: Limits) -> NDArray[np.float32]:
        """∂/∂θ Σ_n cross-entropy(f_θ(x_n), y_n), `[2P]`, of images `[N, H, W, C]` and their classes `[N]`.

        A model with a fixed batch takes a multiple of it: what fills its last run would count as well.
        """
        parts = [gradient for _, gradient in self._runs(pixels, classes, limits)]
        return np.asarray(np.sum(parts, axis=0, dtype=np.float32))

    def _runs(
        self, pixels: Pixels, classes: NDArray[np.int64], limits: Limits
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Logits and gradient of each run; the runs are the same on any number of cores, and so are their sums."""
        network, flat = self.network, limits.flat

        def ask(part: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            batch = network.plan.filled(network.input_map.to_model(pixels[part]))
            asked = np.resize(classes[part], (1, len(batch)))
            inputs = network.classifier.feeds(batch) | {CLASSES: asked, LIMITS: flat}
            logits, gradient = run(self._session, [LOGITS, GRADIENT], inputs)
            return logits[: part.stop - part.start].astype(np.float32), gradient[0]

        return list(self._pool.map(ask, network.plan.images(len(pixels))))
