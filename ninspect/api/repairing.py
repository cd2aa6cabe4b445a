"""Repairs from a program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ninspect.api.calls import request_of, sandbox_of, shown_as
from ninspect.api.screening import saved_result
from ninspect.dispatch import limits_of
from ninspect.mending import mend
from ninspect.names import Sandbox
from ninspect.report import Result
from ninspect.report.repair import Repair
from ninspect.requests import RepairOptions
from ninspect.requests.named import path_of


def repair(
    model: Any,
    samples: Any,
    output: Path | str,
    *,
    result: Result | Path | str | None = None,
    max_drop: float = RepairOptions.max_drop,
    repair_images: int = RepairOptions.repair_images,
    progress: Callable[[int, int], None] | bool | None = None,
    sandbox: Sandbox | None = None,
    timeout: float | None = None,
    **options: Any,
) -> Repair:
    """Write a model in which the triggers that a scan finds work no more, and prove it.

    Args:
        model: as of `scan`.
        samples: clean images, as of `scan`; best 1000 with labels.
        output: path of the ONNX file to write.
        result: of a scan of this model, or the path of its JSON; None: the model is scanned first.
        max_drop: write nothing if accuracy falls by more or, without labels, more answers change; from 0 to 1.
        repair_images: use at most so many images.
        progress: as of `scan`, for each of its steps.
        sandbox: as of `scan`.
        timeout: as of `scan`, for each of its steps.
        options: as of `scan`; `classes` are the targets to repair.

    Returns:
        The proof, and the scans before and after; `written` is None where the repair was not worth writing.

    Raises:
        UsageError: something does not exist or does not fit, or the result is of another model.
        InconclusiveError: nothing is suspected, or the model cannot be repaired.
        WriteError: the file cannot be written.

    >>> repair("models/digits/clean_torch.onnx", "models/digits/samples", "out.onnx", result="docs/badnet_result.json")
    Traceback (most recent call last):
    ...
    ninspect.errors.UsageError: docs/badnet_result.json is the result of another model than ...
    """
    with request_of(model, samples, options) as (request, folder):
        asked = RepairOptions(
            result=None if result is None else saved_result(result, Path(folder)),
            max_drop=max_drop,
            repair_images=repair_images,
        )
        limits = limits_of(sandbox_of(sandbox), timeout, request.memory)
        return mend(request, asked, path_of(output, "output"), limits, lambda: shown_as(progress), lambda line: None)
