"""Check that the models of a folder get right gradients: the coverage suite of `export`, or any other models.

A file passes when the augmented model gives the scores of the file itself and the gradients that its framework
computed in float64 (see `file.Reference`). A model without a reference must pass the two truth tests of every
scan instead.
"""

from __future__ import annotations

import csv
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import typer

from ninspect.audit.selftest import check_gradient, check_scores
from ninspect.errors import NinspectError, UnsupportedOperatorError, UsageError
from ninspect.gradient import CLASSES, GRADIENT, LOGITS
from ninspect.model import Classifier, load_classifier
from ninspect.preprocess import InputMap, Preprocess
from ninspect.runtime import Network, gradient_model, open_session
from tools.suite.file import DTYPES, ROUNDING, Array, Reference, matches


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        file: its name without the suffix.
        family: the architecture.
        form: how it was exported.
        reason: why it failed; empty where it passed.
        scores: relative error of the scores against those of the file itself, None where it did not come to that.
        logits: relative error of the logits against those of the framework.
        gradient: relative error of the gradient.
        missing: operators without a rule.
        seconds: that it took.
    """

    file: str
    family: str
    form: str
    reason: str = ""
    scores: float | None = None
    logits: float | None = None
    gradient: float | None = None
    missing: tuple[str, ...] = ()
    seconds: float = 0.0


_COLUMNS = ("file", "family", "form", "reason", "scores", "gradient")
_IMAGES = 4  # axes, NCHW where a size is left open
_LARGE = 128 * 128  # pixels of an image; of larger ones, one must do


def check_file(path: Path) -> Outcome:
    """Check one file."""
    start = time.monotonic()
    reference = Reference.load(path)
    family, form = (reference.family, reference.form) if reference else (path.parent.name, "as found")
    outcome = Outcome(path.stem, family, form)
    try:
        classifier = _opened(path, reference)
        if reference is not None and reference.gradients is not None:
            outcome = _against_framework(outcome, classifier, reference)
        else:
            outcome = _against_itself(outcome, classifier)
    except UnsupportedOperatorError as error:
        missing = tuple(error.operators)
        outcome = replace(outcome, reason=f"no rule: {', '.join(missing)}", missing=missing)
    except NinspectError as error:
        outcome = replace(outcome, reason=str(error))
    except Exception as error:  # a bug, which must not end the run
        outcome = replace(outcome, reason=f"internal error: {type(error).__name__}: {str(error)[:300]}")
    return replace(outcome, seconds=round(time.monotonic() - start, 2))


def _opened(path: Path, reference: Reference | None) -> Classifier:
    """The classifier; where a file takes images of any size, of that which goes with it, as a person would say it."""
    try:
        return load_classifier(path)
    except UsageError:
        if reference is None or reference.x.ndim != _IMAGES:
            raise
        return load_classifier(path, size=(reference.x.shape[2], reference.x.shape[3]))


def _against_framework(outcome: Outcome, classifier: Classifier, reference: Reference) -> Outcome:
    proto = ir.to_proto(gradient_model(classifier))
    onnx.checker.check_model(proto)
    augmented, original = open_session(proto.SerializeToString(), "cpu"), open_session(classifier.file.original, "cpu")
    wanted = DTYPES[augmented.get_inputs()[0].type]
    logits, gradients, scores, expected = list[Array](), list[Array](), list[Array](), list[Array]()
    for part in _parts(classifier, original, reference.x):
        x = part.astype(classifier.dtype)
        classes = np.repeat(reference.classes[:, None], len(x), axis=1).astype(np.int64)
        feed = {classifier.input: x.astype(wanted), CLASSES: classes}
        outputs = augmented.run([LOGITS, GRADIENT, classifier.scores], feed)
        for kept, output in zip((logits, gradients, scores), outputs, strict=True):
            kept.append(np.asarray(output, np.float64))
        (output,) = original.run([classifier.output], {classifier.input: x})
        expected.append(_table(output))
    gradient = [g.reshape(len(reference.classes), -1, *reference.x.shape[1:]) for g in gradients]
    if classifier.activations:  # the logits behind them may be a multiple of what the framework calls its logits
        factor = _factor(np.concatenate(gradient, axis=1), reference.gradients)
        gradient, logits = [g * factor for g in gradient], [z * factor for z in logits]
    outcome = replace(
        outcome,
        scores=_relative([s.reshape(-1, classifier.classes) for s in scores], np.concatenate(expected)),
        gradient=_relative(gradient, reference.gradients, axis=1),
        logits=None if reference.logits is None else _relative(logits, reference.logits),
    )
    return _judged(outcome, reference.score_tolerance, max(reference.tolerance, ROUNDING))


def _parts(classifier: Classifier, original: Any, x: Array) -> Iterator[Array]:
    """The inputs in batches that the file takes; some files leave the batch open and take one image all the same."""
    size = classifier.batch or len(x)
    if classifier.batch is None:
        try:
            original.run([classifier.output], {classifier.input: x.astype(classifier.dtype)})
        except Exception:
            size = 1
    return (x[start : start + size] for start in range(0, len(x), size))


def _table(output: Any) -> Array:
    """Scores `[N, K]`; scikit-learn's ZipMap gives one dictionary per image."""
    if isinstance(output, list):
        return np.array([list(row.values()) for row in output], np.float64)
    return np.asarray(output, np.float64).reshape(len(output), -1)


def _against_itself(outcome: Outcome, classifier: Classifier) -> Outcome:
    dtype = np.dtype(np.float32) if classifier.dtype.kind == "u" else classifier.dtype
    network = Network(classifier, InputMap.of(Preprocess(), classifier.layout, dtype), "cpu")
    shape = classifier.layout.image_shape
    count = 1 if shape[0] * shape[1] > _LARGE else 4
    pixels = np.random.default_rng(0).random((count, *shape), dtype=np.float32)
    scores, gradient = check_scores(network, pixels), check_gradient(network, pixels, seed=0)
    outcome = replace(outcome, scores=scores.error, gradient=gradient.error)
    return _judged(outcome, scores.tolerance, gradient.tolerance)


def _judged(outcome: Outcome, scores: float, gradient: float) -> Outcome:
    assert outcome.scores is not None
    assert outcome.gradient is not None
    reasons = []
    if not outcome.scores <= scores:
        reasons.append(f"wrong scores (relative error {outcome.scores:.1e})")
    if not outcome.gradient <= gradient:
        reasons.append(f"wrong gradient (relative error {outcome.gradient:.1e})")
    return replace(outcome, reason="; ".join(reasons))


def _factor(ours: Array, theirs: Array | None) -> float:
    """The positive number by which ours fit theirs best; 1 where there is none."""
    assert theirs is not None
    length = float(np.vdot(ours, ours))
    fitting = float(np.vdot(ours, theirs)) / length if length > 0 else 1.0
    return fitting if fitting > 0 else 1.0


def _relative(parts: list[Array], expected: Array | None, axis: int = 0) -> float:
    """Norm of the difference over the norm of the expected values."""
    assert expected is not None
    expected = expected.astype(np.float64)
    return float(np.linalg.norm(np.concatenate(parts, axis) - expected) / np.linalg.norm(expected))


def report(outcomes: list[Outcome]) -> str:
    """Families by forms, then every failure, then the operators that are missing."""
    cells: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        cells[outcome.family, outcome.form].append(outcome)
    forms = sorted({outcome.form for outcome in outcomes})
    families = sorted({outcome.family for outcome in outcomes}, key=str.lower)
    lines = []
    if len(forms) <= 12:
        lines += list(_columns(["", *forms], [[f, *(_count(cells[f, form]) for form in forms)] for f in families]))
    else:
        by_family = {f: [o for o in outcomes if o.family == f] for f in families}
        lines += list(_columns(["", "passed"], [[f, _count(by_family[f])] for f in families]))
    failed = [outcome for outcome in outcomes if outcome.reason]
    if failed:
        lines += ["", "Failures:", *(f"  {outcome.file}: {outcome.reason}" for outcome in failed)]
    missing = Counter(operator for outcome in outcomes for operator in outcome.missing)
    if missing:
        lines += ["", "Operators without a rule, and the number of files that need them:"]
        lines += [f"  {operator}: {count}" for operator, count in missing.most_common()]
    passed = len(outcomes) - len(failed)
    lines += ["", f"{passed} of {len(outcomes)} files pass ({passed / max(1, len(outcomes)):.1%})"]
    return "\n".join(lines)


def _count(outcomes: list[Outcome]) -> str:
    return f"{sum(not o.reason for o in outcomes)}/{len(outcomes)}" if outcomes else ""


def _columns(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _record(path: Path, outcome: Outcome) -> None:
    """Write an outcome among those of other files, below a line with versions."""
    rows = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as stream:
            stream.readline()
            rows = {row["file"]: row for row in csv.DictReader(stream)}
    values = {name: getattr(outcome, name) for name in _COLUMNS}
    rows[outcome.file] = {k: f"{v:.1e}" if isinstance(v, float) else v or "" for k, v in values.items()}
    versions = ", ".join(f"{package.__name__} {package.__version__}" for package in (onnx, ir, onnxruntime))
    with path.open("w", newline="", encoding="utf-8") as stream:
        stream.write(f"# {versions}\n")
        writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(rows.items()))


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of *.onnx.")],
    patterns: Annotated[list[str] | None, typer.Argument(help="Files to check, without the suffix; else all.")] = None,
    jobs: Annotated[int, typer.Option(help="Files checked at the same time.")] = 1,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write outcomes, among those that it has.")] = None,
) -> None:
    """Check a folder; the exit code is 1 where a file failed.

    Example: python -m tools.suite.check .cache/export_suite 'resnet*' --csv docs/coverage.csv
    """
    wanted = [path for path in sorted(folder.glob("*.onnx")) if matches(path.stem, patterns)]
    outcomes = []
    for outcome in _checked(wanted, jobs):
        outcomes.append(outcome)
        print(f"{outcome.file}: {outcome.reason or 'ok'} ({outcome.seconds} s)", flush=True)
        if csv_file is not None:
            _record(csv_file, outcome)
    print("\n" + report(outcomes))
    raise typer.Exit(any(outcome.reason for outcome in outcomes))


def _checked(paths: list[Path], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(check_file, paths)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(check_file, paths)


if __name__ == "__main__":
    typer.run(main)
