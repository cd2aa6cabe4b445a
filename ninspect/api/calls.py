"""The calls of the library: like those of `audit`, for objects too, and a scan behind the sandbox."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ninspect.api.images import ARRAYS, image_shape, save_samples
from ninspect.api.models import save_model
from ninspect.audit.gradients import gradients_of
from ninspect.audit.open import asked
from ninspect.audit.open import open_network as network_of
from ninspect.audit.stages import scan as scan_here
from ninspect.detect import Detector
from ninspect.dispatch import limits_of, perform_scan
from ninspect.errors import NinspectError, UsageError
from ninspect.gradient import Objective
from ninspect.names import Sandbox
from ninspect.progress import Silent, Told, shown_to_people
from ninspect.report import Result
from ninspect.report.difference import Difference
from ninspect.requests import ScanRequest
from ninspect.requests.named import path_of, scan_request
from ninspect.runtime import Network

_INTERRUPTED = 128  # exit codes above it stand for a signal


def scan(
    model: Any,
    samples: Any = None,
    *,
    detectors: Sequence[Detector] | None = None,
    progress: Callable[[int, int], None] | bool | None = None,
    sandbox: Sandbox | None = None,
    timeout: float | None = None,
    **options: Any,
) -> Result:
    """Judge one model.

    What cannot be judged gives an `inconclusive` result with the reason, never `clean`. What is given as an object is
    written to temporary files, which are removed afterwards.

    Args:
        model: path of an ONNX file; its bytes; an `onnx.ModelProto`; a module of PyTorch or a model of Keras, which is
            exported; or a `ScanRequest` that says it all.
        samples: clean images: a path as of `load_samples`; an array `[N, H, W, C]` or `[N, C, H, W]`, uint8 or floats
            in [0, 1]; a pair (images, labels); a data loader, a data set, or anything else that gives (image, label) or
            batches of these. None: judge on drawn pictures, which finds less.
        detectors: what judges the classes, instead of the methods that the request names. The scan is then made in this
            process.
        progress: called with (gradients computed, gradients in total); True: show it; None: show it to a person.
        sandbox: `auto`: scan in a process of its own, locked as far as this system can; `require`: refuse to scan
            unless every layer is there; `off`: in this process. Default: `NINSPECT_SANDBOX`, else `auto`.
        timeout: seconds that the process may take. Default: an hour.
        options: fields of `ScanRequest` and of its `preprocess`, also by their names on the command line: `alpha`,
            `method`, `max_images`, `preset`, `mean`, `std`, ….

    Raises:
        UsageError: something does not exist, is of a kind that no scan takes, or does not fit the model or the images.

    >>> result = scan("models/digits/clean_torch.onnx", "models/digits/samples", evidence=False, skip="every-class")
    >>> result.verdict, result.targets
    ('clean', [])
    """
    place = sandbox_of(sandbox, "auto" if detectors is None else "off")
    if detectors is not None and place != "off":
        if sandbox is not None:
            raise UsageError("detectors are objects of this process; name methods instead, or give sandbox='off'")
        place = "off"
    with request_of(model, samples, options) as (request, folder), shown_as(progress) as shown:
        if detectors is None:
            limits = limits_of(place, timeout, request.memory)
            result, code = perform_scan(request, limits, shown, lambda line: None)
        else:
            result, code = scan_here(request, detectors=detectors, progress=shown.advance), 0
        if code > _INTERRUPTED:
            signal.raise_signal(code - _INTERRUPTED)  # Ctrl-C becomes KeyboardInterrupt, as in any program
        return _without(result, folder)


def diff(
    old: Path | str,
    new: Path | str,
    samples: Path | str,
    *,
    progress: Callable[[int, int], None] | bool | None = None,
    sandbox: Sandbox | None = None,
    timeout: float | None = None,
    **options: Any,
) -> Difference:
    """Compare an update with the model that it replaces: what does the new one do that the old one does not?

    Both are scanned, the new one with the old one as a reference.

    Args:
        old: path of the model that is trusted.
        new: path of the model that shall replace it.
        samples: path of clean images.
        progress: as of `scan`, for each of the two.
        sandbox: as of `scan`.
        timeout: as of `scan`, for each of the two.
        options: as of `scan`, for the new model; further references come after the old one.

    Returns:
        Both results, with what is new: `suspicions`, `doubts`, `sentence` and `exit_code`.

    Raises:
        UsageError: something does not exist, or the two models have other classes or are the same file.

    >>> quick = {"method": "activated", "evidence": False, "skip": "every-class", "max_images": 60}
    >>> models, images = "models/digits", "models/digits/samples"
    >>> found = diff(f"{models}/clean_keras.onnx", f"{models}/clean_torch.onnx", images, **quick)
    >>> found.suspicions
    []
    """
    more = options.pop("reference", ())
    others = [more] if isinstance(more, str | os.PathLike) else more
    request = scan_request(new, samples, options | {"reference": (path_of(old, "the old model"), *others)})
    before, after = (
        scan(one, progress=progress, sandbox=sandbox, timeout=timeout) for one in (request.of_reference(0), request)
    )
    return Difference(before, after)


def open_network(model: Any, **options: Any) -> Network:
    """The classifier in a file or an object, ready to be asked.

    Args:
        model: as of `scan`.
        options: as of `scan`: `preprocess` and its fields, `logits`, `device`, `memory`.

    Raises:
        UsageError: the file does not exist, or an option does not fit it.
        ModelError: it is not a classifier that can be analysed.

    >>> network = open_network("models/digits/clean_torch.onnx")
    >>> network.classes
    10
    """
    with request_of(model, None, options) as (request, _):
        return network_of(request)


def gradients(
    model: Any,
    images: ArrayLike,
    classes: Sequence[int] | int | None = None,
    objective: Objective = "logit",
    **options: Any,
) -> NDArray[np.float32]:
    """The derivative of class scores with respect to the pixels of images.

    Args:
        model: as of `scan`, or what `open_network` made of one, which saves time where there are several calls.
        images: `[N, H, W, C]`, uint8, or float in [0, 1].
        classes: S class indices, or one; None: all.
        objective: what of a class is differentiated: `logit`, `margin`, `logprob` or `cross_entropy`.
        options: as of `open_network`.

    Returns:
        `[S, N, H, W, C]`, per pixel in [0, 1]. All of it is held in memory; `Network.gradients` comes in pieces.

    Raises:
        UsageError: the images or the classes do not fit the model.
        ModelError: the model cannot be analysed.

    >>> import numpy as np
    >>> gradients("models/digits/clean_torch.onnx", np.zeros((2, 28, 28, 1), np.uint8), classes=[3]).shape
    (1, 2, 28, 28, 1)
    """
    network = model if isinstance(model, Network) else open_network(model, **options)
    return gradients_of(network, images, classes, objective)


@contextmanager
def request_of(model: Any, samples: Any, options: dict[str, Any]) -> Iterator[tuple[ScanRequest, str]]:
    """The request, with what is no path in files of a folder that is removed in the end; and that folder."""
    with TemporaryDirectory(prefix="ninspect-") as name:
        folder = Path(name).resolve()
        try:
            yield _on_paths(model, samples, options, folder), str(folder)
        except NinspectError as error:
            error.args = (short(str(error), str(folder)),)
            raise


def _on_paths(model: Any, samples: Any, options: dict[str, Any], folder: Path) -> ScanRequest:
    if isinstance(model, ScanRequest):
        return asked(model, samples, **options)
    request = scan_request(folder / "model.onnx", None, options)
    source = None if samples is None else save_samples(samples, folder, request.images)
    if isinstance(model, str | os.PathLike):
        path = Path(model)
    else:
        path = save_model(model, folder / "model.onnx", lambda: image_shape(source, request.preprocess))
    return replace(request, model=path, samples=source).checked()


def shown_as(progress: Callable[[int, int], None] | bool | None) -> AbstractContextManager[Silent]:
    """What shows progress, as it was asked for."""
    if callable(progress):
        return nullcontext(Told(progress))
    return shown_to_people(in_log=progress is True, quiet=progress is False)


def sandbox_of(asked: Sandbox | None, default: Sandbox = "auto") -> Sandbox:
    """Where the work is done: as was asked, as the environment says, or as is usual.

    Raises:
        UsageError: it is none of the three.
    """
    place = asked or os.environ.get("NINSPECT_SANDBOX") or default
    if place not in get_args(Sandbox):
        raise UsageError(f"sandbox is {place!r}; give auto, require or off")
    return place  # type: ignore[return-value]


def short(text: str, folder: str) -> str:
    """Without the path of a folder that is gone when someone reads this, and of arrays that came as an argument."""
    return text.replace(f"{folder}{os.sep}{ARRAYS}", "samples").replace(folder + os.sep, "")


def _without(result: Result, folder: str) -> Result:
    """The result without the path of the temporary folder."""
    inside = json.dumps(folder + os.sep)[1:-1]
    text = result.to_json()
    return Result.from_json(text.replace(inside, "")) if inside in text else result
