"""Where scans run, so many at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from ninspect.dispatch import perform_scan
from ninspect.errors import ExitCode, describe
from ninspect.isolation import Limits
from ninspect.machine import allowed_cores
from ninspect.progress import Silent
from ninspect.report import Result
from ninspect.requests import ScanRequest

Scanned = tuple[Result, int]  # the result, and the exit code that the scan would have alone


class Engine(Protocol):
    """What runs scans."""

    @property
    def slots(self) -> int:
        """How many can run at a time, now."""

    def begin(self, request: ScanRequest) -> Future[Scanned]:
        """Have a model scanned."""

    def stop(self) -> None:
        """End what is running, and wait until it has ended; nothing begins after that."""


class Local:
    """This machine: each scan in a sandboxed process of its own, with its share of the cores.

    One that crashes, hangs or eats memory costs its own result only.
    """

    def __init__(self, limits: Limits | None, jobs: int) -> None:
        """Nothing is begun yet.

        Args:
            limits: of each scan; None: in this process, one after the other.
            jobs: scans at a time.
        """
        self._limits, self.slots = limits, 1 if limits is None else jobs
        self._threads, self._stop = ThreadPoolExecutor(self.slots), threading.Event()

    def begin(self, request: ScanRequest) -> Future[Scanned]:
        """Have a model scanned."""
        return self._threads.submit(self._scan, request)

    def stop(self) -> None:
        """End what is running, and wait until it has ended."""
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)

    def _scan(self, request: ScanRequest) -> Scanned:
        limits = self._limits
        if limits is not None:
            limits = replace(limits, threads=max(1, allowed_cores() // self.slots))
            request = replace(request, memory=limits.memory)
        return scanned(request, limits, lambda: not self._stop.is_set())


def scanned(request: ScanRequest, limits: Limits | None, wanted: Callable[[], bool] = lambda: True) -> Scanned:
    """What comes of a request, whatever happens."""
    try:
        return perform_scan(request, limits, Silent(), lambda line: None, wanted)
    except Exception as error:
        return failed(request, error)


def failed(request: ScanRequest, error: Exception) -> Scanned:
    """The result of a scan that an error ended."""
    code, message = describe(error)
    result = Result.unread(str(request.model), request.alpha, request.seed).stopped(message, 0.0)
    return result, code if code == ExitCode.INTERNAL else result.exit_code
