"""What the files of the coverage suite are: a model, and next to it what a framework says about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

EXPLAINED = (0, 3, 9)  # of the ten classes that the networks have

# Element types of ONNX Runtime.
DTYPES: dict[str, type[np.generic]] = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


@dataclass(frozen=True)
class Export:
    """One file to write.

    Attributes:
        stem: its name without the suffix, `NAME__FORM`.
        write: writes it, and its reference if there is one.
    """

    stem: str
    write: Callable[[Path], None]


# What float32 loses in the deepest networks, doubled: it differs between processors. Wrong rules are off by far more.
ROUNDING = 2e-4


@dataclass(frozen=True)
class Reference:
    """What is known about a model.

    Attributes:
        family: the architecture, as people call it.
        form: how it was exported.
        x: inputs of the model, `[N, …]`.
        classes: `[S]`, the classes that were explained.
        logits: `[N, K]` float64 from the framework, or None where it does not say.
        gradients: `[S, N, …]`, derivative of each class's logit with respect to x, or None.
        score_tolerance: largest relative error of the scores against those of the file itself.
        tolerance: largest relative error of the gradients, at least `ROUNDING`.
    """

    family: str
    form: str
    x: Array
    classes: Array
    logits: Array | None = None
    gradients: Array | None = None
    score_tolerance: float = 1e-5
    tolerance: float = ROUNDING

    def save(self, model: Path) -> None:
        """Write it next to a model."""
        arrays: dict[str, Any] = {name: value for name, value in vars(self).items() if value is not None}
        np.savez_compressed(model.with_suffix(".npz"), **arrays)

    @classmethod
    def load(cls, model: Path) -> Reference | None:
        """The reference next to a model, if there is one."""
        path = model.with_suffix(".npz")
        if not path.exists():
            return None
        with np.load(path) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        scalars: dict[str, Any] = {name: value.item() for name, value in found.items() if value.ndim == 0}
        return cls(**found | scalars)


def matches(stem: str, patterns: Sequence[str] | None) -> bool:
    """Whether a file is one of those that were asked for; without patterns all are."""
    return not patterns or any(fnmatch(stem, pattern) for pattern in patterns)
