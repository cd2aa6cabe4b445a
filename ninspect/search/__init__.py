"""Moving images: ascent toward a class, the faintest pattern, the smallest trigger."""

from ninspect.search.ascent import Ascent, alike, ascend, each
from ninspect.search.direction import step_length, unit

__all__ = [
    "Ascent",
    "alike",
    "ascend",
    "each",
    "step_length",
    "unit",
]
