"""A model with a known trigger, the result of its scan, and pictures of which some carry it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.model import read_model
from ninspect.report import Result
from ninspect.report.schema import PreprocessInfo
from ninspect.search.patch import Patch
from tests.report.examples import MODEL, TRIGGER, example
from tests.support import bright_rows, rows_model, save, save_images

TARGET = 7
MASK = np.zeros((12, 12), np.float32)
MASK[10:12, 10:12] = 1
PATCH = Patch(MASK, np.ones((12, 12, 1), np.float32))
SETTINGS = PreprocessInfo(
    scale=1 / 255, mean=0.0, std=1.0, layout="NCHW", color="gray", size=(12, 12), resize="none", source="as they are"
)


def pictures(count: int = 80, every: int = 8) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pictures `[N, 12, 12, 1]`, and which of them carry the trigger: every so many, or none."""
    images, carry = bright_rows(count), np.arange(count) % max(every, 1) == 3
    images[carry] = PATCH.stamp(images[carry])
    return images, carry


def result_of(model: Path, **changes: Any) -> Result:
    """What a scan of the model says that has recovered the trigger."""
    trigger = TRIGGER.model_copy(update={"npz": base64.b64encode(PATCH.to_npz()).decode()})
    known = MODEL.model_copy(update={"path": str(model), "sha256": read_model(model).sha256})
    return example(**{"model": known, "preprocess": SETTINGS, "triggers": [trigger]} | changes)


def screening_files(folder: Path, count: int = 80, **changes: Any) -> tuple[Path, Path]:
    """The paths of a result and of the pictures."""
    model = save(rows_model(TARGET), folder / "model.onnx")
    result_of(model, **changes).save(folder / "result.json")
    return folder / "result.json", save_images(folder / "pictures.npz", pictures(count)[0])
