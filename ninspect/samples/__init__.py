"""Clean images: where they are read from."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninspect.samples.dataset import Samples
    from ninspect.samples.labels import read_class_map
    from ninspect.samples.load import load_samples
    from ninspect.samples.readers import readable
    from ninspect.samples.repeated import repeated_patch

_HOME = {
    "Samples": "dataset",
    "load_samples": "load",
    "read_class_map": "labels",
    "readable": "readers",
    "repeated_patch": "repeated",
}

__all__ = [
    "Samples",
    "load_samples",
    "read_class_map",
    "readable",
    "repeated_patch",
]


def __getattr__(name: str) -> Any:
    """Import on first use: the command line asks the readers what the sandbox must read, and needs no NumPy for it."""
    if name not in _HOME:
        raise AttributeError(f"module 'ninspect.samples' has no attribute '{name}'")
    return getattr(import_module(f"ninspect.samples.{_HOME[name]}"), name)
