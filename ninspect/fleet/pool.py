"""Many scans, each model once: what has a result is not scanned again, and no more is begun than can run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ninspect.fleet.engine import Engine, Scanned
from ninspect.fleet.identity import key_of
from ninspect.fleet.store import Store
from ninspect.report import Result
from ninspect.requests import ScanRequest

_LOOK = 0.2  # seconds between two looks at how much the engine can run

Source = Literal["scan", "earlier", "twin"]


@dataclass(frozen=True)
class Outcome:
    """What became of one model.

    Attributes:
        path: of the model.
        saved: the file of its result.
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
    """Scans models as fast as an engine can, and keeps the results.

    Results are written as they come, so that a run which ends at any moment can be taken up where it was.
    """

    def __init__(self, store: Store, engine: Engine, *, force: bool = False) -> None:
        """Nothing is begun yet.

        Args:
            store: where results go, and where those of earlier runs are.
            engine: what runs the scans; it is stopped at the end.
            force: scan again what has a result.
        """
        self._store, self._engine, self._force = store, engine, force
        self._running: dict[Future[Scanned], tuple[str, ScanRequest]] = {}
        self._twins: dict[str, list[ScanRequest]] = {}  # of what was met in this run, those that wait for it

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
                self._take(key_of(request), request, finished)
                while len(self._running) >= max(1, self._engine.slots):
                    self._collect(finished)
            while self._running:
                self._collect(finished)
        finally:
            self._engine.stop()

    def _take(self, key: str, request: ScanRequest, finished: Callable[[Outcome], None]) -> None:
        """Answer a request by what is known, or have it scanned."""
        if any(key == running for running, _ in self._running.values()):
            self._twins[key].append(request)
            return
        twin = key in self._twins
        self._twins.setdefault(key, [])
        known = None if self._force and not twin else self._store.finished(key)
        if known is None:
            self._running[self._engine.begin(request)] = key, request
            return
        source: Source = "twin" if twin else "earlier"
        finished(Outcome(request.model, self._store.path(key), _of(request, known), known.exit_code, source))

    def _collect(self, finished: Callable[[Outcome], None]) -> None:
        """Keep the results that have come since the last look, and answer those that waited for them."""
        done, _ = wait(self._running, _LOOK, FIRST_COMPLETED)
        for future in done:
            key, request = self._running.pop(future)
            result, code = future.result()
            result = _of(request, result)
            finished(Outcome(request.model, self._store.keep(key, result), result, code, "scan"))
            waiting, self._twins[key] = self._twins[key], []
            for twin in waiting:
                self._take(key, twin, finished)


def _of(request: ScanRequest, result: Result) -> Result:
    """A result with the path of this model: it may have been another with the same bytes, or on another machine."""
    return result.model_copy(update={"model": result.model.model_copy(update={"path": str(request.model)})})
