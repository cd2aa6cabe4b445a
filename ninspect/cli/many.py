"""Several models: scanned side by side, with a line for each while it goes on and a table at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ninspect.cli import options as opt
from ninspect.cli.gate import gate
from ninspect.cli.output import notice, write_summary
from ninspect.dispatch import Interrupted
from ninspect.errors import ExitCode, UsageError
from ninspect.machine import fair_jobs, spare_memory
from ninspect.progress import shown_to_people
from ninspect.requests import ScanRequest

if TYPE_CHECKING:
    from ninspect.fleet.engine import Engine
    from ninspect.fleet.pool import Outcome

# Of several exit codes, the last of these is the one of all.
_GRAVITY = (ExitCode.CLEAN, ExitCode.INCONCLUSIVE, ExitCode.SUSPECTED, ExitCode.USAGE, ExitCode.INTERNAL)


def scan_many(
    requests: Sequence[ScanRequest],
    process: opt.LimitOptions,
    shown: opt.OutputOptions,
    pipeline: opt.PipelineOptions,
    fleet: opt.FleetOptions,
) -> int:
    """Scan all of them, write a summary, and say the worst exit code.

    Raises:
        UsageError: an option is for one model alone.
        WriteError: a result, or the summary, cannot be written.
    """
    from ninspect.fleet.pool import Pool
    from ninspect.fleet.remote import Fetcher
    from ninspect.fleet.store import Store
    from ninspect.report.summary import Row

    shown.refuse_for_several()
    places, known = shown.places(), pipeline.known()
    fail_on = "never" if pipeline.exit_zero else pipeline.fail_on
    rows: list[Row] = []
    codes = [ExitCode.CLEAN]
    stopped: Interrupted | None = None
    with _folder(fleet.results) as folder:
        engine = _engine(requests, process, fleet)
        store = Store(folder)
        pool = Pool(store, engine, Fetcher(fleet.max_download, store), force=fleet.force)
        with shown_to_people(in_log=True, quiet=pipeline.quiet) as progress:
            progress.step(1, ["models"])

            def finished(outcome: Outcome) -> None:
                rows.append(Row.of(outcome.result, outcome.saved, outcome.source))
                code, reason = gate(outcome.result, outcome.code, fail_on, known)
                codes.append(ExitCode(code))
                progress.say(_line(outcome, len(rows), len(requests)))
                if reason and known is not None:
                    progress.say(f"{outcome.result.model.path}: {reason}")
                progress.advance(len(rows), len(requests))

            try:
                pool.run(requests, finished)
            except Interrupted as stop:
                stopped = stop
        write_summary(rows, places, fleet.fdr)
    if stopped is not None:
        notice(f"{stopped}; {len(rows)} of {len(requests)} models were scanned")
        return stopped.exit_code
    return max(codes, key=_GRAVITY.index)


def _engine(requests: Sequence[ScanRequest], process: opt.LimitOptions, fleet: opt.FleetOptions) -> Engine:
    """What runs the scans, as it was asked for.

    Raises:
        UsageError: without worker processes there is one scan at a time, and here.
    """
    from ninspect.fleet.engine import Local

    memory = requests[0].memory
    limits = process.limits(memory)
    if limits is None:
        if fleet.jobs not in (None, 1) or fleet.engine != "local":
            option = "--jobs" if fleet.engine == "local" else f"--engine {fleet.engine}"
            raise UsageError(f"{option} needs worker processes; leave it out, or --sandbox off")
        return Local(None, 1)
    if fleet.engine == "ray":
        from ninspect.fleet.cluster import Cluster

        return Cluster(limits, fleet.address, fleet.jobs)
    jobs = min(fleet.jobs or fair_jobs(), len(requests))
    return Local(replace(limits, memory=memory or spare_memory(jobs)), jobs)


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Where results are kept; a folder that nobody named is gone afterwards."""
    if wanted is not None:
        yield wanted
        return
    with TemporaryDirectory(prefix="ninspect-") as name:
        yield Path(name)


def _line(outcome: Outcome, number: int, total: int) -> str:
    from ninspect.report.summary import SOURCES

    how = SOURCES[outcome.source] or f"{outcome.result.seconds:.1f} s"
    return f"{number:{len(str(total))}} of {total}  {outcome.result.verdict:12}  {outcome.result.model.path}  ({how})"
