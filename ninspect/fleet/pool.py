"""Many scans at a time on one machine, each in a sandboxed process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ninspect.dispatch import perform_scan
from ninspect.errors import ExitCode, describe
from ninspect.fleet.identity import key_of
from ninspect.fleet.store import Store
from ninspect.isolation import Limits
from ninspect.machine import cores
from ninspect.progress import Silent
from ninspect.report import Result
from ninspect.requests import ScanRequest

_LOOK = 0.2  # seconds between two looks at whether the work is done

Cores = tuple[int, ...] | None
Source = Literal["scan", "earlier", "twin"]


@dataclass(frozen=True)
class Outcome:
    """What became of one model, without the pictures.

    Attributes:
        path: of the model.
        saved: the file of its result, which is not there if the scan was cut off.
        result: of the scan.
        code: the exit code that the scan would have alone.
        source: whether it was scanned, or the result was there from an earlier run, or from a model of the same bytes.
    """

    path: Path
    saved: Path
    result: Result
    code: int
    source: Source


class Pool:
    """Scans so many models at a time, and keeps the results.

    Each scan gets its share of the cores. One that crashes, hangs or eats memory costs its own result only.
    """

    def __init__(self, store: Store, limits: Limits | None, jobs: int, *, force: bool = False) -> None:
        """Nothing is begun yet.

        Args:
            store: where results go, and where those of earlier runs are.
            limits: of each scan; None: in this process, one after the other.
            jobs: scans at a time.
            force: scan again what has a result.
        """
        self._store, self._limits, self._force = store, limits, force
        self._shares: list[Cores] = [None] if limits is None else [*shares(cores(), jobs)]
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._begun: dict[str, threading.Event] = {}

    def run(self, requests: Iterable[ScanRequest], finished: Callable[[Outcome], None]) -> None:
        """Scan all of them.

        Args:
            requests: one for each model.
            finished: called with each outcome as it comes, one call at a time.

        Raises:
            WriteError: a result could not be kept; what is running is stopped, and what was kept stays.
        """
        waiting = iter(requests)
        with ThreadPoolExecutor(len(self._shares)) as threads:
            working = [threads.submit(self._work, share, waiting, finished) for share in self._shares]
            try:
                while not self._stop.is_set() and wait(working, _LOOK).not_done:
                    pass
            finally:
                self._stop.set()
        for one in working:
            one.result()

    def _work(self, share: Cores, waiting: Iterator[ScanRequest], finished: Callable[[Outcome], None]) -> None:
        """Take one request after the other, until there are none, or someone wants to stop."""
        try:
            while not self._stop.is_set():
                with self._lock:
                    request = next(waiting, None)
                if request is None:
                    return
                outcome = self._outcome(request, share)
                with self._lock:
                    if not self._stop.is_set():
                        finished(outcome)
        except BaseException:
            self._stop.set()  # the others need not go on
            raise

    def _outcome(self, request: ScanRequest, share: Cores) -> Outcome:
        key = key_of(request)
        with self._only_one(key) as first:
            known = None if first and self._force else self._store.finished(key)
            if known is None:
                result, code = self._scan(request, share)
                if not self._stop.is_set():  # what was cut off is no result
                    self._store.keep(key, result)
                return Outcome(request.model, self._store.path(key), result, code, "scan")
        source: Source = "earlier" if first else "twin"
        mine = known.model_copy(update={"model": known.model.model_copy(update={"path": str(request.model)})})
        return Outcome(request.model, self._store.path(key), mine, known.exit_code, source)

    @contextmanager
    def _only_one(self, key: str) -> Iterator[bool]:
        """Whether nobody has begun with a key; who comes later waits for the first to be done with it."""
        mine = threading.Event()
        with self._lock:
            begun = self._begun.setdefault(key, mine)
        try:
            if begun is not mine:
                begun.wait()
            yield begun is mine
        finally:
            mine.set()

    def _scan(self, request: ScanRequest, share: Cores) -> tuple[Result, int]:
        """A result, whatever happens."""
        limits = None if self._limits is None else replace(self._limits, cores=share)
        try:
            return perform_scan(request, limits, Silent(), lambda line: None, lambda: not self._stop.is_set())
        except Exception as error:
            code, message = describe(error)
            unread = Result.unread(str(request.model), request.alpha, request.seed)
            failed = unread.stopped(message, 0.0)
            return failed, code if code == ExitCode.INTERNAL else failed.exit_code


def shares(numbers: list[int], jobs: int) -> Iterator[tuple[int, ...]]:
    """So many parts of the cores, as equal as can be; where there are more parts than cores, some have the same one.

    >>> [*shares([0, 1, 2, 3, 4], 2)], [*shares([0, 1], 3)]
    ([(0, 2, 4), (1, 3)], [(0,), (1,), (0,)])
    """
    for job in range(jobs):
        yield tuple(numbers[job::jobs]) or (numbers[job % len(numbers)],)
