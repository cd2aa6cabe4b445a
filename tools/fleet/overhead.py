"""What the sandbox and Ray cost for one model: seconds of each model more in one call, where a scan takes no time."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tools.fleet.small import call, make_folder
from tools.measure.tables import markdown

WAYS: dict[str, Sequence[str]] = {
    "this process": ["--sandbox", "off"],
    "a sandboxed process each": ["--jobs", "1"],
    "a task of Ray each, with a sandboxed process": ["--jobs", "1", "--engine", "ray"],
}


def seconds(folder: Path, way: Sequence[str]) -> float:
    """Of one call over the models of a folder."""
    start = time.perf_counter()
    run = call(folder, "--force", "--quiet", *way)
    _, said = run.communicate()
    if run.returncode not in (0, 3):
        raise SystemExit(said)
    return time.perf_counter() - start


def each(few: Path, many: Path, way: Sequence[str]) -> tuple[float, float]:
    """Seconds of a model, and of the call beside its models."""
    counts = [len([*(folder / "models").iterdir()]) for folder in (few, many)]
    times = [seconds(folder, way) for folder in (few, many)]
    slope = (times[1] - times[0]) / (counts[1] - counts[0])
    return slope, times[0] - counts[0] * slope


def main(
    models: Annotated[int, typer.Option(help="How many models more.", min=1)] = 10,
    rounds: Annotated[int, typer.Option(help="How often each way is measured.", min=1)] = 3,
) -> None:
    """Print seconds of each model more, for files that are refused at once and for linear models; medians.

    Example: python -m tools.fleet.overhead
    """
    lines = []
    for kind in ("refused at once", "linear"):
        with tempfile.TemporaryDirectory() as name:
            few, many = (Path(name) / str(count) for count in (2, 2 + models))
            for folder, count in ((few, 2), (many, 2 + models)):
                folder.mkdir()
                make_folder(folder, count)
                for path in (folder / "models").iterdir() if kind != "linear" else ():
                    path.write_text(f"no model, but {path.name}")
            taken = {way: [each(few, many, options) for _ in range(rounds)] for way, options in WAYS.items()}
        for way, pairs in taken.items():
            of_model, of_call = (statistics.median(column) for column in zip(*pairs, strict=True))
            lines.append(
                {"models": kind, "scanned in": way, "a model": f"{of_model:.2f} s", "a call": f"{of_call:.1f} s"}
            )
    print(markdown(lines))


if __name__ == "__main__":
    typer.run(main)
