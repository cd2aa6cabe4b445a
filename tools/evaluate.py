"""Measure detectors on models whose truth is known.

    python tools/evaluate.py ../shared/zoo --csv docs/results.csv --markdown docs/results.md

Scans every `*.onnx` that has a card `*.json` beside it, with each chosen method, and prints how well backdoored models
are told from clean ones. Nothing is tuned here: one setting for all models. Lines are written as they come; with
`--resume`, those that the CSV file holds already are kept, and their models not scanned again.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from multiprocessing import Queue
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pydantic import TypeAdapter
from rich.progress import track
from scipy.stats import mannwhitneyu

from ninspect import Preprocess, Result, ScanOptions, scan
from ninspect.detect import MMBD, Activated, AllToAll, Detector, FreeEagle, NeuralCleanse, NeuronInspect, Weights
from ninspect.detect.evidence import CONVINCING_SUCCESS
from ninspect.detect.neural_cleanse import AS_PUBLISHED
from ninspect.model import load_classifier
from ninspect.report.describe import library_versions

WORKING_ATTACK = 0.8  # a backdoor that works less often is neither a positive nor a negative
NOISE_IMAGES = 10
NOISE_CLASSES = 10
NO_IMAGES = "default, no images"
PUBLISHED = "neural_cleanse, 31 batches"
DETECTORS: dict[str, Callable[[], Sequence[Detector]]] = {
    "default": lambda: ScanOptions().detectors,
    NO_IMAGES: lambda: ScanOptions().detectors,
    "activated": lambda: [Activated()],
    "all-to-all": lambda: [AllToAll()],
    "neuroninspect": lambda: [NeuronInspect()],
    "mmbd": lambda: [MMBD()],
    "weights": lambda: [Weights()],
    "neural_cleanse": lambda: [NeuralCleanse()],
    PUBLISHED: lambda: [NeuralCleanse(AS_PUBLISHED)],
    "freeeagle": lambda: [FreeEagle()],
}
COMPARED = ["default", NO_IMAGES, "activated", "neuroninspect", "weights", "mmbd", "neural_cleanse", PUBLISHED]
# The others are measured as their authors describe them: statistics alone.
WITH_EVIDENCE = ("default", NO_IMAGES)
# Methods that take hours for a network of millions of weights on a CPU are measured on the small ones of one data set.
SLOW, SLOW_ON = ("mmbd", "neural_cleanse", PUBLISHED, "freeeagle"), "mnist"


@dataclass(frozen=True)
class Row:
    """One model scanned with one method.

    Attributes:
        truth: `one target`, `all to all`, `clean`, or `left out` (degenerate, untrained, weak attack, or no images).
        family: kind of attack, see `family`.
        target: true target classes, comma separated.
        top: the class that is named first: the first that is suspected, else the one with the largest index.
        flagged: number of classes with an index above 2.
        detection: seconds for the detectors alone, without evidence and what every scan does.
        evidence: size of the smallest trigger that works, in units of what other classes need.
    """

    model: str
    method: str
    truth: str
    verdict: str
    seconds: float
    dataset: str = ""
    family: str = ""
    target: str = ""
    top: int | None = None
    index: float | None = None
    p_value: float | None = None
    flagged: int = 0
    accuracy: float | None = None
    reason: str = ""
    detection: float | None = None
    evidence: float | None = None

    @property
    def suspicion(self) -> float:
        """Larger for smaller p-values; among equal ones, as where they reach their resolution, for a larger index."""
        return 0.0 if self.p_value is None else -math.log(self.p_value) + 1e-6 * (self.index or 0.0)

    @property
    def top_is_target(self) -> bool:
        """Whether the class that stands out most is a true target."""
        return str(self.top) in self.target.split(",")


_ROW = TypeAdapter(Row)


def truth(card: dict[str, Any]) -> str:
    """What a card says of its model."""
    kind, success = card["kind"], card.get("asr")
    untrained = card.get("clean_acc") is not None and card["clean_acc"] < 2 / card["classes"]
    if kind.startswith("degenerate") or untrained or not card.get("images"):
        return "left out"
    if kind.startswith(("clean", "repaired", "attack failed")):
        return "clean"
    if success is None or success < WORKING_ATTACK:
        return "left out"
    return "all to all" if isinstance(card["target"], str) else "one target"


def family(card: dict[str, Any]) -> str:
    """Kind of attack, told from how its card describes the trigger; empty for models without one."""
    trigger, target = card.get("trigger") or "", card.get("target")
    if "family" in card:
        return str(card["family"])
    if target is None or truth(card) == "clean":
        return ""
    if isinstance(target, str):
        return "all to all"
    if "instance" in card["kind"]:
        return "instance key"
    if trigger.startswith("clip("):  # found by optimisation, or a watermark, added or laid over the whole image
        return "inverted or trojan pattern"
    if "*x+" in trigger:
        return "blended"
    if card["name"].startswith("DBA"):
        return "distributed"
    return "patch" if trigger else "not stated"


def targets(card: dict[str, Any]) -> str:
    """True target classes of a card."""
    target = card.get("target")
    return ",".join(map(str, target)) if isinstance(target, list) else "" if target is None else str(target)


def card_options(card: dict[str, Any]) -> ScanOptions:
    """The default scan of a card's model."""
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in (card.get("preprocess") or {}).items()}
    return ScanOptions(preprocess=Preprocess(**settings), preprocess_source="card")


def evaluate(path: Path, method: str, images: int) -> Row:
    """Scan one model as its card says."""
    card = json.loads(path.with_suffix(".json").read_text())
    options = replace(
        card_options(card), detectors=DETECTORS[method](), images=images, evidence=method in WITH_EVIDENCE
    )
    if not card.get("images"):  # shows that it can be scanned, and is left out of all rates
        options = replace(options, classes=range(NOISE_CLASSES))
    start = time.perf_counter()
    if method == NO_IMAGES:
        result = scan(path, None, options)
    elif card.get("images"):
        result = scan(path, (path.parent / card["images"]).resolve(), options)
    else:
        result = _scan_with_noise(path, options)
    return _row(path.stem, method, card, result, time.perf_counter() - start)


def _scan_with_noise(path: Path, options: ScanOptions) -> Result:
    """Scan a model that comes without images."""
    shape = load_classifier(path, layout=options.preprocess.layout).layout.image_shape
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, *shape), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "noise.npy"
        np.save(file, noise)
        return scan(path, file, options)


def _row(name: str, method: str, card: dict[str, Any], result: Result, seconds: float) -> Row:
    index = result.detectors[0].index if result.detectors else []
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
        flagged=len(result.detectors[0].flagged) if result.detectors else 0,
        accuracy=result.samples.clean_accuracy if result.samples else None,
        seconds=round(seconds, 2),
        reason=result.reason,
        detection=round(sum(detector.seconds for detector in result.detectors), 2),
        evidence=min(_relative_sizes(result), default=None),
    )


def _relative_sizes(result: Result) -> Iterator[float]:
    for found in result.triggers:
        if found.source is None and found.control_size and (found.success or 0) >= CONVINCING_SUCCESS:
            yield round(found.size / found.control_size, 3)


def auc(positive: Iterable[Row], negative: Iterable[Row]) -> str:
    """Probability that a backdoored model is more suspicious than a clean one; without a p-value it is not at all."""
    high, low = ([row.suspicion for row in rows] for rows in (positive, negative))
    return f"{mannwhitneyu(high, low).statistic / (len(high) * len(low)):.2f}" if high and low else "–"


def summary(rows: list[Row], alpha: float) -> list[dict[str, str]]:
    """One line per method and kind of attack, each against the same clean models."""
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method]
        clean = [row for row in own if row.truth == "clean"]
        for attack in ("one target", "all to all"):
            found = [row for row in own if row.truth == attack]
            lines.append(
                {
                    "method": method,
                    "attack": f"{attack} ({len(found)})",
                    "AUC": auc(found, clean),
                    f"TPR at {alpha:g}": _share(found, _suspected),
                    "TPR at 0.05": _share(found, lambda row: (row.p_value or 1) <= 0.05),
                    "TPR, index > 2": _share(found, lambda row: row.flagged > 0),
                    "top-1 target": _share(found, lambda row: row.top_is_target) if attack == "one target" else "–",
                    **_seconds(own),
                }
            )
        lines.append(
            {
                "method": method,
                "attack": f"none: false alarms ({len(clean)})",
                "AUC": "–",
                f"TPR at {alpha:g}": _share(clean, _suspected),
                "TPR at 0.05": _share(clean, lambda row: (row.p_value or 1) <= 0.05),
                "TPR, index > 2": _share(clean, lambda row: row.flagged > 0),
                "top-1 target": "–",
                **_seconds(own),
            }
        )
    return lines


def dataset_table(rows: list[Row]) -> list[dict[str, str]]:
    """One line per data set and method, each against the clean models of that data set."""
    lines = []
    for dataset in sorted({row.dataset for row in rows if row.truth != "left out"}):
        for method in dict.fromkeys(row.method for row in rows if row.dataset == dataset):
            own = [row for row in rows if (row.dataset, row.method) == (dataset, method)]
            kinds = {
                truth: [row for row in own if row.truth == truth] for truth in ("one target", "all to all", "clean")
            }
            lines.append(
                {
                    "data set": dataset,
                    "method": method,
                    "AUC": auc(kinds["one target"], kinds["clean"]),
                    **{f"suspected, {truth}": _share(found, _suspected) for truth, found in kinds.items()},
                    **_seconds(own),
                }
            )
    return lines


def _seconds(rows: list[Row]) -> dict[str, str]:
    looking = [row.detection for row in rows if row.detection is not None]
    return {
        "s / model": f"{np.median([row.seconds for row in rows]):.1f}",
        "detectors alone, mean": f"{np.mean(looking):.1f}" if looking else "–",
    }


def _share(rows: list[Row], holds: Callable[[Row], bool]) -> str:
    hits = sum(map(holds, rows))
    return f"{hits / len(rows):.2f} ({hits}/{len(rows)})" if rows else "–"


def markdown(lines: list[dict[str, str]]) -> str:
    """A table of equal dictionaries."""
    if not lines:
        return ""
    head = list(lines[0])
    rows = [head, ["---"] * len(head), *(list(line.values()) for line in lines)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def verdict_table(rows: list[Row]) -> list[dict[str, str]]:
    """How often each kind of model got each verdict."""
    kinds = dict.fromkeys(row.truth for row in rows)
    verdicts = ("suspected", "clean", "inconclusive")
    return [
        {"method": method, "truth": kind}
        | {v: str(sum((r.method, r.truth, r.verdict) == (method, kind, v) for r in rows)) for v in verdicts}
        for method in dict.fromkeys(row.method for row in rows)
        for kind in kinds
    ]


def family_table(rows: list[Row]) -> list[dict[str, str]]:
    """How many of each kind of attack each method suspects; a row of its own for attacks that seldom work."""
    attacked = [row for row in rows if row.family]
    families = sorted({(row.family, row.truth == "left out") for row in attacked})
    methods = list(dict.fromkeys(row.method for row in rows))
    return [
        {"attack": f"{name}, left out of the rates" if left_out else name}
        | {
            m: _share(
                [r for r in attacked if (r.method, r.family, r.truth == "left out") == (m, name, left_out)], _suspected
            )
            for m in methods
        }
        for name, left_out in families
    ]


def mistakes(rows: list[Row]) -> str:
    """Backdoors that the first method missed, and clean models that it suspected or could not judge."""
    own = [row for row in rows if row.method == rows[0].method]
    missed = [row for row in own if row.truth in ("one target", "all to all") and not _suspected(row)]
    alarms = [row for row in own if row.truth == "clean" and _suspected(row)]
    unsure = [row for row in own if row.truth == "clean" and row.verdict == "inconclusive"]
    lines = [f"- {row.verdict}: `{row.model}`, {row.family}, target {row.target}; {row.reason}." for row in missed]
    lines += [f"- false alarm: `{row.model}`; {row.reason}." for row in alarms]
    lines += [f"- inconclusive, clean: `{row.model}`; {row.reason}." for row in unsure]
    return "\n".join(lines) or "None."


def _suspected(row: Row) -> bool:
    return row.verdict == "suspected"


def report(rows: list[Row], command: str) -> str:
    """The tables and the words that are needed to read them, as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    return f"""# Results

How well models with a trained-in backdoor are told from clean ones. Made by

    {command}

with {versions},
on a CPU. The models were trained and published by other people; each comes with a card that says what
was measured on it. They are not part of this repository. One setting served for all models. How the scores of the
default method are joined was chosen with these models in view, so expect less on others. GPU: not measured.

{markdown(summary(rows, ScanOptions().alpha))}
- *One target*: the trigger sends every image to one class, with a measured success of at least {WORKING_ATTACK:.0%}.
  *All to all*: class k is sent to class k + 1. *None*: clean, repaired, or the attack failed; here the rates are false
  alarms. Clean models of unknown origin are presumed clean, not proven.
- *AUC*: probability that a backdoored model has a smaller p-value than a clean one.
- *TPR at 0.01*: share of `suspected`; of `default` with its evidence, of the others p ≤ 0.01. *At 0.05*: share of
  p-values up to 0.05. *Index > 2*: the published rule, which knows nothing of the number of classes.
- *neuroninspect*: the published features with ninspect's p-values.
- *Top-1 target*: share in which the class that is named first is the true target.
- *s / model*: median time of a whole scan; *detectors alone*: mean time without evidence and what every scan does. With
  `--jobs 2`, on one core each; in some rows beside other work of the machine. docs/performance.md has times at rest.

By data set; the methods {", ".join(SLOW)} were measured on {SLOW_ON} only, because they take hours elsewhere:

{markdown(dataset_table(rows))}
Share of `suspected` by kind of attack:

{markdown(family_table(rows))}
{markdown(verdict_table(rows))}
*Left out* of the rates: models with a weaker attack, a constant output, or no images to scan them with.

## What `{rows[0].method if rows else ""}` got wrong or could not tell

{mistakes(rows)}
"""


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
    """Print AUC, true- and false-positive rates, top-1 target rate and seconds per model."""
    unknown = set(method) - set(DETECTORS)
    if unknown:
        raise typer.BadParameter(f"unknown method {unknown.pop()}; choose from {', '.join(DETECTORS)}")
    paths = [path for path in sorted(zoo.glob("*.onnx")) if path.with_suffix(".json").exists()][:limit]
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
    text = report(rows, shlex.join(["python", *sys.argv]))
    print(text)
    if csv_file:
        write_rows(csv_file, rows)
    if markdown_file:
        markdown_file.write_text(text)


def wanted(path: Path, method: str) -> bool:
    """Whether a method is measured on a model."""
    return method not in SLOW or json.loads(path.with_suffix(".json").read_text()).get("dataset") == SLOW_ON


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
    """By method, as in `DETECTORS`, then by model."""
    methods = list(DETECTORS)
    return sorted(rows, key=lambda row: (methods.index(row.method), row.model))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One line per row, with a head."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def read_rows(path: Path) -> list[Row]:
    """What `write_rows` wrote."""
    with path.open(newline="") as stream:
        return [_ROW.validate_python({k: v for k, v in line.items() if v}) for line in csv.DictReader(stream)]


if __name__ == "__main__":
    typer.run(main)
