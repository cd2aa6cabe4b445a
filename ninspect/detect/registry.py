"""All detectors by name. A new one is a file of its own and a line in `names.Method`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from ninspect.detect.interface import Detector
from ninspect.names import METHODS
from ninspect.requests import ScanRequest

# What follows the methods that were chosen.
FOLLOWING = ("evidence", "source-specific", "reference")


def detector(name: str) -> type[Detector]:
    """The detector in the module of its name.

    >>> detector("all-to-all").__name__
    'AllToAll'
    """
    module = import_module(f"ninspect.detect.{name.replace('-', '_')}")
    own: Iterable[type[Detector]] = (one for one in vars(module).values() if _is_detector(one))
    return next(one for one in own if one.name == name)


def _is_detector(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Detector) and value is not Detector


DETECTORS = {name: detector(name) for name in (*METHODS, *FOLLOWING)}


def chosen(request: ScanRequest) -> list[Detector]:
    """The detectors of the methods that a request names, with the settings that it has for them."""
    settings: dict[str, dict[str, Any]] = {
        "activated": {"threshold": request.threshold},
        "neuroninspect": {
            "weights": request.weights or (1.0, 1.0, 1.0),
            "threshold": request.threshold,
            "chained": request.chained,
        },
    }
    return [DETECTORS[method](**settings.get(method, {})) for method in dict.fromkeys(request.methods)]
