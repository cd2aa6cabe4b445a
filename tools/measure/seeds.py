"""Measure whether the verdict on a model depends on the seed of the scan."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import as_completed
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from tools.measure.evaluate import evaluate, with_cards, workers
from tools.measure.rows import Row, read_rows, write_rows
from tools.measure.tables import markdown

_IMAGES = 200


def by_truth(rows: list[Row]) -> list[dict[str, str]]:
    """One line per kind of model: on how many all seeds agree, and which verdicts the others got."""
    models: dict[str, list[Row]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    kinds: dict[str, list[list[Row]]] = {}
    for scans in models.values():
        kinds.setdefault(scans[0].truth, []).append(scans)
    return [_line(truth, scanned) for truth, scanned in [*sorted(kinds.items()), ("all", list(models.values()))]]


def _line(truth: str, scanned: list[list[Row]]) -> dict[str, str]:
    verdicts = [Counter(row.verdict for row in scans) for scans in scanned]
    agree = sum(len(counts) == 1 for counts in verdicts)
    usual = sum(counts.most_common(1)[0][1] for counts in verdicts)
    return {
        "models": f"{truth} ({len(scanned)})",
        "same verdict with all seeds": f"{agree} ({agree / len(scanned):.0%})",
        "scans with the model's usual verdict": f"{usual} of {sum(map(len, scanned))}",
        "suspected with some seeds only": str(sum(0 < counts["suspected"] < counts.total() for counts in verdicts)),
    }


def main(
    folders: Annotated[list[Path], typer.Argument(help="Folders of *.onnx with a *.json card each.")],
    csv_file: Annotated[Path, typer.Option("--csv", help="One line per scan; what it holds already is kept.")],
    seeds: Annotated[int, typer.Option(help="How many seeds, from 0.")] = 5,
    every: Annotated[int, typer.Option(help="Only every N-th model of a folder, by name.")] = 1,
    jobs: Annotated[int, typer.Option(help="Models scanned at the same time.")] = 1,
) -> None:
    """Scan models with several seeds, and print on how many the verdict stays the same.

    Example: python -m tools.measure.seeds ../shared/zoo --every 6 --jobs 2 --csv .cache/seeds.csv
    """
    paths = [path for folder in folders for path in with_cards(folder)[::every]]
    rows = read_rows(csv_file) if csv_file.exists() else []
    done = {(row.model, row.method) for row in rows}
    with workers(jobs) as pool:
        futures = {
            pool.submit(evaluate, path, "default", _IMAGES, seed): f"seed {seed}"
            for path in paths
            for seed in range(seeds)
            if (path.stem, f"seed {seed}") not in done
        }
        for future in track(as_completed(futures), "scanning", len(futures)):
            rows.append(replace(future.result(), method=futures[future]))
            write_rows(csv_file, rows)
    print(markdown(by_truth([row for row in rows if row.truth != "left out"])))


if __name__ == "__main__":
    typer.run(main)
