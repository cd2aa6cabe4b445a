"""Many models, with an engine that answers at once: what is held in memory, and what is begun."""

import tracemalloc
from concurrent.futures import Future
from pathlib import Path

import pytest

from ninspect.fleet.engine import Scanned
from ninspect.fleet.pool import Outcome, Pool
from ninspect.fleet.remote import Fetcher
from ninspect.fleet.store import Store
from ninspect.report.summary import Row
from ninspect.requests import ScanRequest
from tests.report.examples import example
from tests.support import names_in


class Counting:
    """Holds as many requests as it may, and answers the oldest when there is no room."""

    def __init__(self, slots: int) -> None:
        self.slots, self.most, self.stopped = slots, 0, False
        self._waiting: list[Future[Scanned]] = []
        self.begun: list[Path] = []

    def begin(self, request: ScanRequest) -> Future[Scanned]:
        self.begun.append(request.model)
        self._waiting.append(Future())
        self.most = max(self.most, sum(not one.done() for one in self._waiting))
        future = self._waiting[-1]
        if len(self._waiting) == self.slots:
            self.answer()
        return future

    def answer(self) -> None:
        for future in self._waiting:
            result = example()
            future.set_result((result, result.exit_code))
        self._waiting = []

    def stop(self) -> None:
        self.stopped = True
        self.answer()


def run(folder: Path, engine: Counting, models: int, **options: bool) -> list[Row]:
    rows: list[Row] = []

    def finished(outcome: Outcome) -> None:
        rows.append(Row.of(outcome.result, outcome.saved, outcome.source))

    requests = (ScanRequest(write(folder, number)) for number in range(models))
    Pool(Store(folder / "results"), engine, Fetcher(), **options).run(requests, finished)
    return rows


def write(folder: Path, number: int) -> Path:
    path = folder / f"{number}.onnx"
    path.write_bytes(b"model %d" % number)
    return path


def test_no_more_is_begun_than_can_run_and_every_model_has_a_result(tmp_path: Path) -> None:
    engine = Counting(4)
    rows = run(tmp_path, engine, 12)
    assert (engine.most, engine.stopped) == (4, True)
    assert {row.path for row in rows} == {str(tmp_path / f"{number}.onnx") for number in range(12)}
    assert len(names_in(tmp_path / "results")) == 12
    again = Counting(4)
    assert [row.source for row in run(tmp_path, again, 12)] == ["earlier"] * 12
    assert again.begun == []


def test_memory_does_not_grow_with_what_results_hold(tmp_path: Path) -> None:
    def held(models: int) -> int:
        folder = tmp_path / str(models)
        folder.mkdir()
        tracemalloc.start()
        rows = run(folder, Counting(1), models)
        now, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(rows) == models
        return now

    few, many = held(10), held(40)
    assert (many - few) / 30 < len(example().to_json()) / 4


def test_an_interrupted_run_stops_the_engine(tmp_path: Path) -> None:
    engine = Counting(1)

    def finished(outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Pool(Store(tmp_path / "results"), engine, Fetcher()).run([ScanRequest(write(tmp_path, 0))], finished)
    assert engine.stopped
