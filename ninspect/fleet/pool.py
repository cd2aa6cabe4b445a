"""Many scans, each model once: what has a result is not scanned again, and no more is begun than can run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ninspect.errors import NinspectError
from ninspect.fleet.engine import Engine, Scanned, failed
from ninspect.fleet.identity import key_of
from ninspect.fleet.remote import Fetcher, named
from ninspect.fleet.store import Store
from ninspect.report import Result
from ninspect.requests import ScanRequest

_LOOK = 0.2  # seconds between two looks at how much the engine can run

Source = Literal["scan", "earlier", "twin"]


@dataclass(frozen=True)
class Outcome:
    """What became of one model.

    Attributes:
        saved: the file of its result.
        result: of the scan; it names the model.
        code: the exit code that the scan would have alone.
        source: whether it was scanned, or the result was there from an earlier run, or from a model of the same bytes.
    """

    saved: Path
    result: Result
    code: int
    source: Source


@dataclass(frozen=True)
class _Scan:
    """A request as it was asked, and as it is of files of this machine, with what its result depends on."""

    asked: ScanRequest
    here: ScanRequest
    key: str


class Pool:
    """Scans models as fast as an engine can, and keeps the results.

    Results are written as they come, so that a run which ends at any moment can be taken up where it was.
    """

    def __init__(self, store: Store, engine: Engine, fetcher: Fetcher, *, force: bool = False) -> None:
        """Nothing is begun yet.

        Args:
            store: where results go, and where those of earlier runs are.
            engine: what runs the scans; it is stopped at the end.
            fetcher: brings what lies elsewhere.
            force: scan again what has a result.
        """
        self._store, self._engine, self._fetcher, self._force = store, engine, fetcher, force
        self._running: dict[Future[Scanned], _Scan] = {}
        self._twins: dict[str, list[_Scan]] = {}  # of what was met in this run, those that wait for it

    def run(self, requests: Iterable[ScanRequest], finished: Callable[[Outcome], None]) -> None:
        """Scan all of them.

        Args:
            requests: one for each model, taken one by one when there is room.
            finished: called with each outcome as it comes.

        Raises:
            WriteError: a result could not be kept; what is running is stopped, and what was kept stays.
        """
        try:
            for request in requests:
                self._meet(request, finished)
                while len(self._running) >= max(1, self._engine.slots):
                    self._collect(finished)
            while self._running:
                self._collect(finished)
        finally:
            self._engine.stop()
            self._fetcher.close()

    def _meet(self, asked: ScanRequest, finished: Callable[[Outcome], None]) -> None:
        if not self._force and (key := self._fetcher.key(asked)) and (known := self._store.finished(key)):
            self._answer(_Scan(asked, asked, key), known, finished)
            return
        try:
            here = self._fetcher.fetch(asked)
        except NinspectError as error:
            self._keep(_Scan(asked, asked, key_of(asked)), failed(asked, error), finished)
        else:
            self._take(_Scan(asked, here, key_of(here)), finished)

    def _take(self, scan: _Scan, finished: Callable[[Outcome], None]) -> None:
        """Answer a request by what is known, or have it scanned."""
        if any(scan.key == running.key for running in self._running.values()):
            self._twins[scan.key].append(scan)
            return
        known = None if self._force and scan.key not in self._twins else self._store.finished(scan.key)
        if known is None:
            self._twins.setdefault(scan.key, [])
            self._running[self._engine.begin(scan.here)] = scan
        else:
            self._answer(scan, known, finished)

    def _answer(self, scan: _Scan, known: Result, finished: Callable[[Outcome], None]) -> None:
        """Pass on a result that is there."""
        source: Source = "twin" if scan.key in self._twins else "earlier"
        self._twins.setdefault(scan.key, [])
        self._fetcher.forget(scan.here)
        finished(Outcome(self._store.path(scan.key), named(known, scan.asked, scan.here), known.exit_code, source))

    def _collect(self, finished: Callable[[Outcome], None]) -> None:
        """Keep the results that have come since the last look, and answer those that waited for them."""
        done, _ = wait(self._running, _LOOK, FIRST_COMPLETED)
        for future in done:
            scan = self._running.pop(future)
            self._keep(scan, future.result(), finished)
            waiting, self._twins[scan.key] = self._twins[scan.key], []
            for twin in waiting:
                self._take(twin, finished)

    def _keep(self, scan: _Scan, scanned: Scanned, finished: Callable[[Outcome], None]) -> None:
        result = named(scanned[0], scan.asked, scan.here)
        saved = self._store.keep(scan.key, result)
        self._fetcher.forget(scan.here)
        finished(Outcome(saved, result, scanned[1], "scan"))
