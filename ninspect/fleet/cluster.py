"""Scans on a Ray cluster. Ray schedules them, begins them again where a node is lost, and ends them."""

from __future__ import annotations

import io
import logging
import os
import signal
import socket
import tempfile
from concurrent.futures import Future
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ninspect.errors import InconclusiveError, UsageError
from ninspect.files import reason
from ninspect.fleet.engine import Scanned, failed, scanned
from ninspect.fleet.identity import files_of_samples
from ninspect.fleet.parcel import Parcel, absolute, files_of_model, unpacked
from ninspect.isolation import Limits
from ninspect.machine import SCAN_BYTES, spare_memory
from ninspect.report import Result
from ninspect.requests import ScanRequest

CARRIED = 256 * 1024**2  # bytes of a model with its files, or of samples, that travel; larger ones must be shared
_GPU_PART = 0.25  # of a GPU for each scan, whose runs hold half a GiB at most; not tried on a GPU yet
_ATTEMPTS = 3  # besides the first, where a process or a node is lost
_REACH, _GRACE = 20, 10  # seconds until a cluster answers, and until a task has ended
_INSTALL = "pip install 'ninspect[ray]'"


class _Nowhere(io.TextIOBase):
    """A stream that keeps nothing."""

    def write(self, text: str, /) -> int:
        """Forget it."""
        return len(text)


class Cluster:
    """A Ray cluster: each scan is a task that asks for a core and its memory, and has its own sandboxed process.

    Models and samples travel through Ray's object store, if they are not too large; else every node must see them under
    the same path.
    """

    def __init__(self, limits: Limits, address: str | None = None, jobs: int | None = None) -> None:
        """Connect.

        Args:
            limits: of each scan. Memory is shared out on each node, whatever is said here.
            address: of the cluster, as `ray.init` has it; None: what RAY_ADDRESS says, else one on this machine.
            jobs: at most so many scans at a time.

        Raises:
            UsageError: Ray is not installed, or the cluster does not answer.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if _has_token():  # a cluster where Ray finds one asks for it; its client for ray:// does not send it by itself
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            import ray
        except ImportError as error:
            raise UsageError(f"--engine ray needs Ray; {_INSTALL}, on every node") from error
        self._ray: Any = ray  # half of what it offers has no types
        self._limits, self._jobs = limits, jobs
        self._running: dict[Future[Scanned], Any] = {}  # with Ray's own reference to each
        self._open = ExitStack()
        # It prints what happens to nodes, also on stdout, which is for the result alone.
        self._open.enter_context(redirect_stdout(_Nowhere()))
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            _reach(address or os.environ.get("RAY_ADDRESS", ""))
            self._ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as error:  # of many kinds
            self._open.close()
            raise UsageError(f"the Ray cluster does not answer ({_last_line(error)}); correct --address") from error
        for number, handler in handlers.items():
            signal.signal(number, handler)
        self._sent = cache(self._send)

    @property
    def slots(self) -> int:
        """How many scans the nodes that are there can run at a time."""
        have = self._ray.cluster_resources()
        fitting = min(int(have.get("CPU", 0)), int(have.get("memory", 0) // SCAN_BYTES))
        return fitting if self._jobs is None else min(fitting, self._jobs)

    def begin(self, request: ScanRequest) -> Future[Scanned]:
        """Have a model scanned on a node."""
        request = absolute(request)
        gpu = request.gpu and bool(self._ray.cluster_resources().get("GPU"))
        task = self._ray.remote(_scan).options(
            num_cpus=1, num_gpus=_GPU_PART if gpu else 0, memory=SCAN_BYTES, max_retries=_ATTEMPTS, name="ninspect"
        )
        parcel = self._ray.put(Parcel.of(files_of_model(request), CARRIED))
        samples = None if request.samples is None else self._sent(request.samples)
        reference = task.remote(request.to_json(), parcel, samples, self._limits, version("ninspect"))
        outcome = Future[Scanned]()

        def arrived(task: Future[Scanned]) -> None:
            self._running.pop(outcome, None)
            error = task.exception()
            outcome.set_result(task.result() if error is None else failed(request, _in_words(error)))

        self._running[outcome] = reference
        reference.future().add_done_callback(arrived)
        return outcome

    def stop(self) -> None:
        """End what is running, with its sandboxed processes, and leave the cluster."""
        left = [*self._running.values()]
        for force in (False, True):  # whoever is asked first removes what was unpacked
            for reference in left:
                self._ray.cancel(reference, force=force)
            left = self._ray.wait(left, num_returns=len(left), timeout=_GRACE)[1] if left else []
        self._ray.shutdown()
        self._open.close()

    def _send(self, samples: Path) -> Any:
        """Samples of many models travel once."""
        return self._ray.put(Parcel.of(files_of_samples(samples), CARRIED))


def _has_token() -> bool:
    """Whether there is a token of Ray, where Ray looks for it."""
    named = "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ
    return named or (Path.home() / ".ray" / "auth_token").is_file()


def _last_line(error: Exception) -> str:
    """What an error says at its end: from another machine it brings the lines of its traceback."""
    return (
        reason(error) if isinstance(error, OSError) else (str(error).strip() or type(error).__name__).splitlines()[-1]
    )


def _reach(address: str) -> None:
    """Find out whether anything listens at `HOST:PORT` or `ray://HOST:PORT`: Ray itself would wait for hours.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _REACH).close()


def _in_words(error: BaseException) -> Exception:
    """What became of a task without a result: those of a model are results, so something around it failed."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, UsageError):
        return cause
    lost = f"the process or the node that scanned the model was lost {_ATTEMPTS + 1} times"
    return InconclusiveError(f"{lost} ({type(error).__name__}); scan it again, alone if need be")


def _scan(asked: str, model: Parcel | None, samples: Parcel | None, limits: Limits, expected: str) -> Scanned:
    """What a node does; a parcel that is None did not travel."""
    if (own := version("ninspect")) != expected:
        raise UsageError(f"a node of the cluster has ninspect {own}, and not {expected}; install the same everywhere")
    request = ScanRequest.from_json(asked)
    with tempfile.TemporaryDirectory(prefix="ninspect-") as name:
        here = unpacked(request, folder := Path(name))
        for parcel in filter(None, (model, samples)):
            parcel.unpack(folder)
        if model is None:
            here = replace(request, samples=request.samples if samples is None else here.samples)
        elif samples is None:
            here = replace(here, samples=request.samples)
        memory = request.memory or spare_memory(os.cpu_count() or 1)
        own_limits = replace(limits, memory=memory, threads=1)
        result, code = scanned(replace(here, memory=memory), own_limits)
    text = result.to_json().replace(str(folder), "")  # a person knows no other paths than those of the request
    return Result.from_json(text.encode()), code
