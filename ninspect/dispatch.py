"""How a command has its job done: in a worker process, or here, until it is done or someone stops it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ninspect.errors import InconclusiveError, UsageError
from ninspect.files import companions_above
from ninspect.isolation import LAYERS, NONSENSE, Limits, Listener, run
from ninspect.machine import check_runtime, spare_memory
from ninspect.names import Sandbox
from ninspect.progress import Silent
from ninspect.requests import RepairRequest, Request, ScanRequest

if TYPE_CHECKING:
    from ninspect.report import IsolationInfo, Result


WORKER = "ninspect.worker"
DEFAULT_TIMEOUT = 3600.0


def limits_of(sandbox: Sandbox, timeout: float | None, memory: int | None) -> Limits | None:
    """The limits of the worker process; None: there shall be none.

    Args:
        sandbox: whether there shall be one.
        timeout: seconds; None: `DEFAULT_TIMEOUT`.
        memory: bytes; None: see `spare_memory`.

    Raises:
        UsageError: there is a time limit and nothing to hold it against.
    """
    if sandbox != "off":
        seconds = DEFAULT_TIMEOUT if timeout is None else timeout
        return Limits(sandbox == "require", seconds, spare_memory() if memory is None else memory)
    if timeout is not None:
        raise UsageError("--timeout needs the worker process; leave it out, or --sandbox off")
    return None


class Interrupted(BaseException):
    """Ctrl-C, or a request to terminate. No Exception: what is being interrupted might handle those."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number  # as shells have it
        super().__init__(f"stopped by {signal.Signals(number).name}")


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Interrupted`, unless whoever started this process has them ignored."""
    if threading.current_thread() is not threading.main_thread():  # others get no signals
        yield
        return
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise Interrupted(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, stop)
    try:
        yield
    except Exception:
        if received:  # modules in C that are being imported turn it into an error of their own
            raise Interrupted(received[0]) from None
        raise
    finally:
        for number in heeded:
            signal.signal(number, before[number])


@interruptible()
def perform(request: Request, limits: Limits | None, listener: Listener | None = None) -> dict[str, Any]:
    """Have a request answered.

    Args:
        request: what is asked.
        limits: of the worker process; None: answer in this process.
        listener: gets what the job tells and writes.
    """
    listener = listener or Listener()
    if limits is None:
        check_runtime()
        from ninspect import jobs

        return jobs.run(request, listener)
    readable = [*request.readable, *_beside(request)]
    return run(WORKER, {"request": request.to_json()}, readable, request.gpu, limits, listener)


def _beside(request: Request) -> list[Path]:
    """What belongs to the samples or to a model and does not lie in its folder."""
    from ninspect.samples import readable

    scanned = request.scan if isinstance(request, RepairRequest) else request
    models = (getattr(scanned, "model", None), *getattr(scanned, "reference", ()))
    above = [path for model in models if isinstance(model, Path) for path in companions_above(model)]
    images = getattr(scanned, "samples", None) or getattr(scanned, "images", None)
    return above + (readable(images) if isinstance(images, Path) else [])


def perform_scan(
    request: ScanRequest,
    limits: Limits | None,
    progress: Silent,
    log: Callable[[str], None],
    wanted: Callable[[], bool] = lambda: True,
) -> tuple[Result, int]:
    """Judge a model; whatever stops the scan, there is a result, inconclusive and with the reason.

    Args:
        request: what is asked.
        limits: of the worker process; None: scan in this process.
        progress: is told how far the scan is.
        log: gets what is said of it.
        wanted: asked now and then whether the scan shall go on; only of a worker process.

    Returns:
        The result and the exit code.
    """
    start = time.perf_counter()
    news: dict[str, Any] = {}

    def tell(kind: str, value: Any) -> None:
        if progress.hear(kind, value):
            return
        if kind == "log":
            log(value)
        elif kind == "partial" or kind not in news:  # only the first word on the lock is from before the file was read
            import ninspect.report  # noqa: F401  takes its time while the worker works

            news[kind] = value

    def stopped(reason: str) -> Result:
        return _known(news, request).stopped(reason, time.perf_counter() - start)

    try:
        answer = perform(request, limits, Listener(tell, wanted=wanted))
        result = _result(answer) or stopped(NONSENSE)
        code: int = result.exit_code
    except Interrupted as stop:
        result, code = stopped(str(stop)), stop.exit_code
    except InconclusiveError as error:
        result = stopped(str(error))
        code = result.exit_code
    return result.model_copy(update={"isolation": _isolation(news, limits)}), code


def _known(news: dict[str, Any], request: ScanRequest) -> Result:
    """The latest result so far, if it is one."""
    from ninspect.report import Result

    return _result(news.get("partial", {})) or Result.unread(str(request.model), request.alpha, request.seed)


def _result(facts: dict[str, Any]) -> Result | None:
    from pydantic import ValidationError

    from ninspect.report import Result

    try:
        return Result.model_validate(facts)
    except ValidationError:
        return None


def _isolation(news: dict[str, Any], limits: Limits | None) -> IsolationInfo | None:
    from ninspect.report import IsolationInfo

    if limits is None:
        return None
    missing = news.get("missing", dict.fromkeys(LAYERS[1:], "the process ended before it was locked"))
    return IsolationInfo(active=[layer for layer in LAYERS if layer not in missing], missing=missing)
