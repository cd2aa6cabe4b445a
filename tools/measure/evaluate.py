"""Measure detectors on models whose truth is known.

Scans every `*.onnx` that has a card `*.json` beside it, with each chosen method, and prints how well backdoored models
are told from clean ones. Nothing is tuned here: one setting for all models. Lines are written as they come; with
`--resume`, those that the CSV file holds already are kept, and their models not scanned again.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import Queue
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import track

from ninspect import Result, ScanRequest
from ninspect.audit.stages import scan
from ninspect.detect import (
    MMBD,
    Activated,
    AllToAll,
    Detector,
    Evidence,
    FreeEagle,
    NeuralCleanse,
    NeuronInspect,
    SourceSpecific,
    Weights,
    Windows,
)
from ninspect.detect.neural_cleanse import AS_PUBLISHED
from ninspect.detect.registry import DETECTORS as KINDS
from ninspect.measure.calibration import EVIDENCE
from ninspect.model import load_classifier
from ninspect.names import DEFAULT_METHODS, QUESTIONS, Question
from ninspect.report.schema import DetectorInfo
from tools.measure.rows import Row, card_request, family, read_rows, targets, truth, write_rows
from tools.measure.tables import report

NOISE_IMAGES = 10
NOISE_CLASSES = 10
NO_IMAGES = "default, no images"
WITHOUT_WINDOWS = "default, without windows"
PUBLISHED = "neural_cleanse as published"
DETECTORS: dict[str, Callable[[], Sequence[Detector]]] = {
    "default": lambda: [KINDS[name]() for name in DEFAULT_METHODS],
    NO_IMAGES: lambda: [KINDS[name]() for name in DEFAULT_METHODS],
    WITHOUT_WINDOWS: lambda: [Activated(), AllToAll()],
    "activated": lambda: [Activated()],
    "windows": lambda: [Windows()],
    "all-to-all": lambda: [AllToAll()],
    "neuroninspect": lambda: [NeuronInspect()],
    "mmbd": lambda: [MMBD()],
    "weights": lambda: [Weights()],
    "neural_cleanse": lambda: [NeuralCleanse()],
    PUBLISHED: lambda: [NeuralCleanse(AS_PUBLISHED)],
    "freeeagle": lambda: [FreeEagle()],
}
COMPARED = ["default", NO_IMAGES, "activated", "neuroninspect", "weights", "mmbd", "neural_cleanse"]
# The others are measured as their authors describe them: statistics alone.
WITH_EVIDENCE = ("default", NO_IMAGES, WITHOUT_WINDOWS)
SEARCHES = (Evidence.name, SourceSpecific.name)
# Methods that take days for a thousand classes on a CPU are measured on fewer.
SLOW, SLOW_UP_TO = ("mmbd", "neural_cleanse", PUBLISHED, "freeeagle"), 100


def evaluate(path: Path, method: str, images: int, seed: int = 0) -> Row:
    """Scan one model as its card says."""
    card = json.loads(path.with_suffix(".json").read_text())
    detectors = DETECTORS[method]()
    evidence = method in WITH_EVIDENCE
    options = {
        "images": images,
        "seed": seed,
        "evidence": evidence,
        "skip": () if evidence else _not_answered(detectors),
    }
    if not card.get("images"):  # shows that it can be scanned, and is left out of all rates
        options["classes"] = tuple(range(NOISE_CLASSES))
    request = card_request(path, card, **options)
    start = time.perf_counter()
    if method == NO_IMAGES:
        result = scan(replace(request, samples=None), detectors=detectors)
    elif request.samples is not None:
        result = scan(request, detectors=detectors)
    else:
        result = _scan_with_noise(request, detectors)
    return _row(path.stem, method, card, result, time.perf_counter() - start)


def _not_answered(detectors: Sequence[Detector]) -> tuple[Question, ...]:
    """The questions that a method is not meant for, which would make every model inconclusive; none of one for none."""
    answered = frozenset[Question]().union(*(detector.answers for detector in detectors))
    return tuple(question for question in QUESTIONS[1:] if answered and question not in answered)


def _scan_with_noise(request: ScanRequest, detectors: Sequence[Detector]) -> Result:
    """Scan a model that comes without images."""
    shape = load_classifier(request.model, layout=request.preprocess.layout).layout.image_shape
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, *shape), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "noise.npy"
        np.save(file, noise)
        return scan(replace(request, samples=file), detectors=detectors)


def _row(name: str, method: str, card: dict[str, Any], result: Result, seconds: float) -> Row:
    leading = min(result.detectors, key=_suspicion, default=None)
    index = leading.index if leading else [None] * len(result.explained)
    best = max((v, -c) for v, c in zip(index, result.explained, strict=True) if v is not None) if any(index) else None
    return Row(
        model=name,
        method=method,
        dataset=card.get("dataset", ""),
        truth=truth(card),
        family=family(card),
        target=targets(card),
        verdict=result.verdict,
        top=next(iter(result.targets), None if best is None else -best[1]),
        index=None if best is None else round(best[0], 3),
        p_value=result.p_value,
        flagged=len(leading.flagged) if leading else 0,
        accuracy=result.samples.clean_accuracy if result.samples else None,
        seconds=round(seconds, 2),
        reason=result.reason,
        detection=round(sum(one.seconds for one in result.detectors if one.name not in SEARCHES), 2),
        evidence=min(_relative_sizes(result), default=None),
        by=",".join(_accusers(result)),
        rank=_rank(index, result.explained, card.get("target")),
    )


def _rank(index: Sequence[float | None], classes: Sequence[int], wanted: object) -> int | None:
    """Place of the best true target, from 1."""
    measured = {label: value for label, value in zip(classes, index, strict=True) if value is not None}
    own = [measured[label] for label in wanted if label in measured] if isinstance(wanted, list) else []
    return 1 + sum(value > max(own) for value in measured.values()) if own else None


def _suspicion(detector: DetectorInfo) -> float:
    """The smallest p-value of a detector that compares classes, to put the most suspicious first."""
    compares = "one-target" in detector.answers or not detector.answers
    return detector.p_value if detector.p_value is not None and compares else 2.0


def _accusers(result: Result) -> Iterator[str]:
    yield from (detector.name for detector in result.detectors if detector.targets)
    if any(trigger.convincing for trigger in result.triggers):
        yield Evidence.name


def _relative_sizes(result: Result) -> Iterator[float]:
    for found in result.triggers:
        if found.control_size and (found.success or 0) >= EVIDENCE.success:
            yield round(found.size / found.control_size, 3)


def main(
    zoo: Annotated[Path, typer.Argument(help="Folder of *.onnx with a *.json card each.")],
    method: Annotated[list[str], typer.Option(help="Methods to compare; may be repeated.")] = COMPARED,
    limit: Annotated[int | None, typer.Option(help="Only the first so many models, by name.")] = None,
    jobs: Annotated[int, typer.Option(help="Models scanned at the same time.")] = 1,
    images: Annotated[int, typer.Option(help="Clean images per model.")] = 200,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write one line per model and method.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the lines that the CSV file has already.")] = False,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Write the tables and the command.")] = None,
) -> None:
    """Print AUC, true- and false-positive rates, top-1 target rate and seconds per model.

    Example: python -m tools.measure.evaluate ../shared/zoo --jobs 2 --csv docs/results.csv --resume
    """
    unknown = set(method) - set(DETECTORS)
    if unknown:
        raise typer.BadParameter(f"unknown method {unknown.pop()}; choose from {', '.join(DETECTORS)}")
    paths = with_cards(zoo)[:limit]
    known = read_rows(csv_file) if resume and csv_file and csv_file.exists() else []
    done = {(row.model, row.method) for row in known}
    tasks = [
        (path, name, images)
        for name in method
        for path in paths
        if wanted(path, name) and (path.stem, name) not in done
    ]
    with workers(jobs) as pool:
        futures = [pool.submit(evaluate, *task) for task in tasks]
        rows = list(known)
        for future in track(as_completed(futures), "scanning", len(futures), disable=not sys.stderr.isatty()):
            rows.append(future.result())
            if csv_file:
                write_rows(csv_file, rows)
    rows = in_order(rows)
    text = report(rows, shlex.join(["python", "-m", "tools.measure.evaluate", *sys.argv[1:]]), SLOW, SLOW_UP_TO)
    print(text)
    if csv_file:
        write_rows(csv_file, rows)
    if markdown_file:
        markdown_file.write_text(text)


def with_cards(folder: Path) -> list[Path]:
    """The models in a folder of which something is known, by name."""
    return [path for path in sorted(folder.glob("*.onnx")) if path.with_suffix(".json").exists()]


def wanted(path: Path, method: str) -> bool:
    """Whether a method is measured on a model."""
    return method not in SLOW or json.loads(path.with_suffix(".json").read_text())["classes"] <= SLOW_UP_TO


def workers(jobs: int) -> ProcessPoolExecutor:
    """Processes, each on a core of its own: two ONNX Runtimes that use the same cores spin while they wait."""
    cores: Queue[int] = Queue()
    for job in range(jobs):
        cores.put(job)
    return ProcessPoolExecutor(jobs, initializer=partial(_take_a_core, cores) if jobs > 1 else None)


def _take_a_core(cores: Queue[int]) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[cores.get() % len(allowed)]})


def in_order(rows: Iterable[Row]) -> list[Row]:
    """By method, as in `DETECTORS` and then what a file has of others, then by model."""
    order = {method: number for number, method in enumerate(DETECTORS)}
    return sorted(rows, key=lambda row: (order.get(row.method, len(order)), row.method, row.model))


if __name__ == "__main__":
    typer.run(main)
