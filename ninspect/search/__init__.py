"""Moving images: ascent toward a class, the faintest pattern, the smallest trigger."""

from ninspect.search.ascent import Ascent, ascend
from ninspect.search.direction import alike, each, step_length, unit
from ninspect.search.patch import Patch

__all__ = [
    "Ascent",
    "Patch",
    "alike",
    "ascend",
    "each",
    "step_length",
    "unit",
]
