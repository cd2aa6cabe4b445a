"""A classifier whose classes have other numbers, so that two models can be compared class by class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.runtime.network import Network, Pixels


class Renumbered(Network):
    """The same network, in the same sessions, with its classes in the order of another's.

    Args:
        network: the classifier.
        order: `[K]` int64, its own number of each class of the other.

    >>> import numpy as np, ninspect
    >>> network = ninspect.open_network("models/digits/clean_torch.onnx")
    >>> image = np.zeros((1, 28, 28, 1), np.float32)
    >>> bool((Renumbered(network, np.arange(10)[::-1]).logits(image)[:, ::-1] == network.logits(image)).all())
    True
    """

    def __init__(self, network: Network, order: NDArray[np.int64]) -> None:
        self.__dict__.update(network.__dict__)
        self._order = order

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """Class scores before the final activation, `[N, K]`."""
        return super().logits(pixels)[:, self._order]

    def _differentiate(
        self, session: Any, batch: NDArray[Any], classes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], Pixels]:
        return super()._differentiate(session, batch, self._order[classes])
