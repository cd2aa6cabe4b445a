"""Screening pictures from a program."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ninspect.api.calls import sandbox_of, short, shown_as
from ninspect.api.images import save_samples
from ninspect.dispatch import limits_of
from ninspect.errors import NinspectError, UsageError
from ninspect.names import Device, Sandbox
from ninspect.report import Result
from ninspect.report.screening import Screening
from ninspect.requests import ScreenRequest
from ninspect.requests.named import path_of
from ninspect.samples.limits import MAX_IMAGES
from ninspect.screening import State, model_of, perform_screen


def screen(
    result: Any,
    images: Any,
    *,
    model: Path | str | None = None,
    classes: Sequence[int] | int | None = None,
    state: Path | str | None = None,
    progress: Callable[[int, int], None] | bool | None = None,
    sandbox: Sandbox | None = None,
    timeout: float | None = None,
    seed: int = 0,
    device: Device = "auto",
    memory: int | None = None,
) -> Screening:
    """Find the pictures that carry a trigger which a scan has recovered.

    Args:
        result: of `scan`: a `Result`, or the path of one that was saved as JSON.
        images: the pictures, as of `scan`; of a folder, some are read at a time.
        model: path of the model, if it does not lie where it was scanned.
        classes: look for the triggers of these; None: of the suspected ones.
        state: a file that keeps what is known, so that a call with the same arguments goes on after one that was
            stopped; it is removed in the end.
        progress: called with (pictures looked at, pictures to be looked at); True: show it; None: show it to a person.
        sandbox: as of `scan`.
        timeout: seconds that the process may take. Default: an hour.
        seed: of the pictures that others are held against.
        device: where to run.
        memory: bytes that may be used.

    Raises:
        UsageError: something does not exist, or is not what the result is about.
        InconclusiveError: the result suspects no class, or the work was stopped.

    >>> screen("docs/badnet_result.json", "models/digits/samples")
    Screening(0 of 100 pictures found in models/digits/samples)
    """
    with TemporaryDirectory(prefix="ninspect-") as name, shown_as(progress) as shown:
        folder = Path(name).resolve()
        try:
            saved = saved_result(result, folder)
            request = ScreenRequest(
                model=model_of(saved, None if model is None else path_of(model, "the model")),
                result=saved,
                images=save_samples(images, folder, MAX_IMAGES),
                classes=(classes,) if isinstance(classes, int) else None if classes is None else tuple(classes),
                seed=seed,
                device=device,
                memory=memory,
            ).checked()
            kept = State(None if state is None else Path(state), request)
            found = perform_screen(request, limits_of(sandbox_of(sandbox), timeout, memory), shown, kept)
        except NinspectError as error:
            error.args = (short(str(error), str(folder)),)
            raise
    kept.remove()
    places = {"images": short(found.images, str(folder)), "result": short(found.result, str(folder))}
    return found.model_copy(update=places)


def saved_result(result: Any, folder: Path) -> Path:
    """A result as a file."""
    if isinstance(result, Result):
        path = folder / "result.json"
        result.save(path)
        return path
    if isinstance(result, str | os.PathLike):
        return Path(result)
    raise UsageError(f"the result is of type {type(result).__name__}; give what scan gave, or the path of its JSON")
