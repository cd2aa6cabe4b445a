"""A process for everything that touches the model or the images, with as few rights as the system can take from it."""

from ninspect.isolation.lock import LAYERS
from ninspect.isolation.parent import NONSENSE, Limits, run
from ninspect.isolation.pipe import Listener

__all__ = [
    "LAYERS",
    "NONSENSE",
    "Limits",
    "Listener",
    "run",
]
