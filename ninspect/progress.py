"""How far a scan is, shown to a person: a bar on a terminal, a line in a notebook, now and then a line in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ninspect.names import EFFORTS, STEPS
from ninspect.text import printable

_SECONDS = 10  # between two lines of progress in a log
_SURE = 1.0  # seconds before a speed is told


class Silent:
    """Shows nothing; the others show the step, and how much of it is done."""

    def step(self, number: int, names: Sequence[str]) -> None:
        """One of these steps begins."""

    def advance(self, done: int, total: int) -> None:
        """So many gradients of the step are computed, of so many."""

    def say(self, line: str) -> None:
        """What a person wants to know before the work is done."""

    def hear(self, kind: str, value: Any) -> bool:
        """Show what a worker tells, where it is of how far it is; returns whether it was."""
        if kind == "progress":
            self.advance(*value)
        elif kind == "step":
            self.step(*value)
        elif kind == "foreseen":
            self.say(value)
        else:
            return False
        return True


class Told(Silent):
    """Tells a function of (done, total)."""

    def __init__(self, listener: Callable[[int, int], None]) -> None:
        self._listener = listener

    def advance(self, done: int, total: int) -> None:
        """Tell it."""
        self._listener(done, total)


class Estimate:
    """How long a scan will go on, from how long its steps usually take next to each other.

    Attributes:
        title: of the step, such as `step 2 of 6, searching for triggers`; empty before the first.
    """

    def __init__(self) -> None:
        self.title = ""
        self._effort, self._before, self._all, self._alone = 0.0, 0.0, 0.0, False
        self._first = self._start = time.monotonic()

    def step(self, number: int, names: Sequence[str]) -> None:
        """One of these steps begins."""
        self.title = title(number, len(names), names[number - 1])
        self._start = time.monotonic()
        if number == 1:
            self._first = self._start
        self._alone = len(names) == 1
        efforts = [EFFORTS.get(name, 0.0) for name in names]
        # Of methods whose effort is not known, nothing is said beyond their own step.
        self._all = sum(efforts) if EFFORTS.keys() >= {*names} else 0.0
        self._before, self._effort = sum(efforts[: number - 1]), efforts[number - 1]

    def left(self, share: float) -> str:
        """`about 40 s left`, where so much of the step is done; empty as long as nothing can be told."""
        now = time.monotonic()
        if self._all:
            done, passed, what = (self._before + share * self._effort) / self._all, now - self._first, "left"
        else:
            done, passed, what = share, now - self._start, "left" if self._alone else "left in this step"
        return f"about {passed * (1 - done) / done:.0f} s {what}" if done and passed > _SURE else ""


class Lines(Silent):
    """A line for a log, ten seconds after the last one; in a notebook one line that changes.

    Args:
        write: gets each line.
        seconds: between two of them.
    """

    def __init__(self, write: Callable[[str], None], seconds: float = _SECONDS) -> None:
        self._write, self._seconds, self._estimate = write, seconds, Estimate()
        self._last = time.monotonic()

    def step(self, number: int, names: Sequence[str]) -> None:
        """The step has its title from now on."""
        self._estimate.step(number, names)

    def advance(self, done: int, total: int) -> None:
        """Say which step it is, how much of it is done, and how long the rest will take."""
        now = time.monotonic()
        if now - self._last < self._seconds or not total or done == total:
            return
        self._last = now
        left = self._estimate.left(done / total)
        self._write(f"{self._estimate.title or 'reading'}: {done / total:.0%}{f', {left}' if left else ''}")

    def say(self, line: str) -> None:
        """At once."""
        self._write(printable(line))


def title(number: int, count: int, name: str) -> str:
    """`step 2 of 6, searching for triggers`; of a step that is alone, what it does."""
    does = STEPS.get(name, name)
    return printable(f"step {number} of {count}, {does}" if count > 1 else does)


@contextmanager
def shown_to_people(*, in_log: bool, quiet: bool = False) -> Iterator[Silent]:
    """What suits the place: a bar on a terminal, one line in a notebook, else lines or nothing.

    Args:
        in_log: show lines where nobody watches.
        quiet: show nothing anywhere.
    """
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    elif in_notebook():
        yield Lines(lambda line: print(f"\r{line:<100}", end="", flush=True), seconds=0.5)
        print(f"\r{'':<100}\r", end="", flush=True)
    else:
        yield Lines(lambda line: print(f"ninspect: {line}", file=sys.stderr)) if in_log else Silent()


def in_notebook() -> bool:
    """Whether this is a Jupyter kernel: nothing is imported to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextmanager
def _bar() -> Iterator[Silent]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[left]}"),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, estimate = bar.add_task("reading", total=None, left=""), Estimate()

        class Bar(Silent):
            def step(self, number: int, names: Sequence[str]) -> None:
                estimate.step(number, names)
                bar.reset(task, description=estimate.title, total=None)

            def advance(self, done: int, total: int) -> None:
                bar.update(task, completed=done, total=total, left=estimate.left(done / total) if total else "")

            def say(self, line: str) -> None:
                bar.console.print(f"ninspect: {printable(line)}", markup=False, highlight=False)

        yield Bar()
