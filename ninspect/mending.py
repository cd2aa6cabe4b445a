"""A repair as a person wants it: scan the model, repair it, scan what came of it, and only then write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ninspect.dispatch import Interrupted, perform, perform_scan
from ninspect.errors import InconclusiveError, UsageError
from ninspect.files import check_writable, write_file
from ninspect.isolation import NONSENSE, Limits, Listener
from ninspect.progress import Silent
from ninspect.requests import PreprocessOptions, RepairOptions, RepairRequest, ScanRequest

if TYPE_CHECKING:
    from ninspect.report import Result
    from ninspect.report.repair import Proof, Repair

_INTERRUPTED = 128  # exit codes above it stand for a signal


def mend(
    request: ScanRequest,
    options: RepairOptions,
    output: Path,
    limits: Limits | None,
    show: Callable[[], AbstractContextManager[Silent]],
    log: Callable[[str], None],
) -> Repair:
    """Repair a model.

    Args:
        request: the model, its images and how they are taken; of `classes`, the targets to repair.
        options: how it is repaired.
        output: where the repaired model goes, if it is worth having.
        limits: of the worker processes; None: work in this process.
        show: begins to show how far each of the three steps is.
        log: gets what is said of the work.

    Raises:
        UsageError: something does not exist or does not fit.
        InconclusiveError: there is nothing to repair, or the model cannot be repaired; nothing is written.
        WriteError: the file cannot be written.
        Interrupted: somebody stopped it; nothing is written.
    """
    from ninspect.report.formats import load_result
    from ninspect.report.repair import Repair

    check_writable(output)
    known = None if options.result is None else load_result(options.result)
    if request.samples is None and known is not None and known.request is not None:
        request = replace(request, samples=known.request.samples)
    if request.samples is None:
        raise UsageError("a repair is made and measured with clean images; give them with --samples")
    with TemporaryDirectory(prefix="ninspect-") as name:
        folder = Path(name).resolve()
        before = _scan(replace(request, classes=None), limits, show, log) if known is None else known
        file, repaired = options.result or folder / "result.json", folder / "model.onnx"
        if known is None:
            write_file(file, before.to_json().encode())
        asked = RepairRequest(scan=request, result=file, max_drop=options.max_drop, images=options.repair_images)
        with repaired.open("wb") as stream:
            proof = _repair(asked, limits, show, log, stream.write)
        if proof.refusal:
            return Repair.of(before, None, proof, None)
        after = _named(_scan(_again(request, before, repaired), limits, show, log), repaired, output)
        write_file(output, repaired.read_bytes())
    return Repair.of(before, after, proof, str(output))


def _scan(
    request: ScanRequest,
    limits: Limits | None,
    show: Callable[[], AbstractContextManager[Silent]],
    log: Callable[[str], None],
) -> Result:
    with show() as progress:
        result, code = perform_scan(request, limits, progress, log)
    if code > _INTERRUPTED:
        raise Interrupted(code - _INTERRUPTED)
    return result


def _repair(
    request: RepairRequest,
    limits: Limits | None,
    show: Callable[[], AbstractContextManager[Silent]],
    log: Callable[[str], None],
    write: Callable[[bytes], object],
) -> Proof:
    from pydantic import ValidationError

    from ninspect.report.repair import Proof

    with show() as progress:

        def tell(kind: str, value: Any) -> None:
            if not progress.hear(kind, value) and kind == "log":
                log(value)

        answer = perform(request, limits, Listener(tell, write))
    try:
        return Proof.model_validate(answer)
    except ValidationError as error:
        raise InconclusiveError(NONSENSE) from error


def _again(request: ScanRequest, before: Result, model: Path) -> ScanRequest:
    """The same scan of the repaired model: what lay beside the file is said, since it lies there no more."""
    settings = before.preprocess
    kept = {} if settings is None else settings.model_dump(exclude={"source", "feed"})
    feed = tuple(_fed(name, value) for name, value in ((settings and settings.feed) or {}).items())
    preprocess = PreprocessOptions(**{name: _plain(value) for name, value in kept.items()}, feed=feed)
    names = request.class_names or tuple(before.class_names) or None
    return replace(request, model=model, preprocess=preprocess, class_names=names, classes=None)


def _fed(name: str, value: float | list[float]) -> str:
    """As on the command line."""
    return f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _named(result: Result, temporary: Path, output: Path) -> Result:
    """The result of a temporary file as that of the file that it becomes."""
    from ninspect.report import Result

    inside, outside = (json.dumps(str(path))[1:-1] for path in (temporary, output))
    return Result.from_json(result.to_json().replace(inside, outside))
