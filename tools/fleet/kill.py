"""Whether anything is lost, or done twice, where processes are killed at any moment of a run over many models."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from tools.fleet.small import call, make_folder, verdicts
from tools.measure.tables import markdown

_NODE = {"num_cpus": 1, "memory": 2 * 1024**3, "object_store_memory": 80 * 1024**2, "include_dashboard": False}
_LONGEST = 3.0  # seconds from the first worker until something is killed, drawn at random up to this

Kill = Callable[[int], bool]  # given the process that hands out the work; whether there was something to kill


def workers(of: int | None = None) -> list[psutil.Process]:
    """The sandboxed processes that a process has started; None: those below processes of Ray."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        if "ninspect.worker" in (one.info["cmdline"] or ()) and (above := one.parent()) is not None:
            found += [one] if above.pid == of or (of is None and above.name().startswith("ray::")) else []
    return found


def kill_worker(run: int) -> bool:
    """Kill a sandboxed process."""
    return _kill_one(workers(run))


def kill_run(run: int) -> bool:
    """Kill the process that hands out the work; the sandboxed ones end with it."""
    return _kill_one([psutil.Process(run)])


def kill_task(run: int) -> bool:
    """Kill a process of Ray that has a scan."""
    return _kill_one([above for one in workers() if (above := one.parent()) is not None])


def _kill_one(processes: list[psutil.Process]) -> bool:
    for one in random.sample(processes, min(1, len(processes))):
        one.kill()
    return bool(processes)


@contextmanager
def cluster() -> Iterator[Any]:
    """A node of Ray on this machine, to which others can be added."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args=_NODE)
    try:
        yield nodes
    finally:
        nodes.shutdown()  # type: ignore[no-untyped-call]


def kill_nodes(nodes: Any, rounds: int) -> Iterator[Kill]:
    """For each round another node, which is killed."""
    for _ in range(rounds):
        node = nodes.add_node(**_NODE)
        nodes.wait_for_nodes()

        def kill(run: int, node: Any = node) -> bool:
            nodes.remove_node(node, allow_graceful=False)
            return True

        yield kill
        if node in nodes.worker_nodes:
            nodes.remove_node(node)


def one_round(folder: Path, models: int, kill: Kill, more: list[str]) -> Counter[str]:
    """Begin a run, kill something at a moment drawn at random, let another run finish what is left, and count."""
    make_folder(folder, models)
    run = call(folder, *more)
    while not workers(None if more else run.pid) and run.poll() is None:
        time.sleep(0.02)
    time.sleep(random.uniform(0, _LONGEST))
    hit = run.poll() is None and kill(run.pid)
    run.communicate()
    own = verdicts(folder)
    call(folder, *more).communicate()
    found = verdicts(folder)
    names = Counter(entry.split()[0] for entry in found.elements())
    return Counter(
        {
            "rounds": 1,
            "hit": int(hit),
            "models": models,
            "judged by the run that was hit": _judged(own),
            "judged after another run": _judged(found),
            "lost": models - len(names),
            "with two results": sum(count > 1 for count in names.values()),
        }
    )


def _judged(found: Counter[str]) -> int:
    return sum(entry.endswith(" clean") for entry in found)


def line(what: str, kills: Iterable[Kill], models: int, more: Sequence[str] = ()) -> dict[str, str]:
    """The counts of some rounds, added up."""
    total = Counter[str]()
    for kill in kills:
        with tempfile.TemporaryDirectory() as name:
            total.update(one_round(Path(name), models, kill, [*more]))
        done, lost, twice = (total[name] for name in ("rounds", "lost", "with two results"))
        typer.echo(f"{what}: {done} rounds, {lost} lost, {twice} twice", err=True)
    return {"killed": what} | {name: str(count) for name, count in total.items()}


def main(
    rounds: Annotated[int, typer.Option(help="Of each kind.", min=1)] = 20,
    models: Annotated[int, typer.Option(help="Models of a round; all of them are clean.", min=1)] = 4,
    ray: Annotated[bool, typer.Option(help="Also on a Ray cluster of two nodes.")] = False,
) -> None:
    """Print how many models were lost, had two results, or were left without a verdict.

    Example: python -m tools.fleet.kill --rounds 20 --ray
    """
    table = [line("a worker", repeat(kill_worker, rounds), models), line("the run", repeat(kill_run, rounds), models)]
    if ray:
        with cluster() as nodes:
            more = ["--engine", "ray", "--address", nodes.address]
            table.append(line("a process of Ray", repeat(kill_task, rounds), models, more))
            table.append(line("a node of Ray", kill_nodes(nodes, rounds), models, more))
    print(markdown(table))


if __name__ == "__main__":
    typer.run(main)
