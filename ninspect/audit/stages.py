"""A scan from end to end: a path goes in, a `Result` comes out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ninspect.audit.open import asked, names_for, said_of_images
from ninspect.audit.ready import case_of, load_images, open_file, trusted
from ninspect.audit.record import Record
from ninspect.audit.reference import open_references
from ninspect.detect import (
    Case,
    Detector,
    Evidence,
    Progress,
    Reference,
    SourceSpecific,
    examined,
    look,
    outstanding,
    too_few,
)
from ninspect.detect.registry import chosen
from ninspect.errors import InconclusiveError, UsageError
from ninspect.findings import Finding, FindingError, selected
from ninspect.report import Result
from ninspect.requests import ScanRequest

_LOG = logging.getLogger(__name__)
_NO_EVIDENCE = (
    "no triggers were searched, which finds fewer backdoors, none that work on images of one class alone, "
    "and tells fewer of them from natural classes"
)


def scan(
    model: Path | str | ScanRequest,
    samples: Path | str | None = None,
    *,
    detectors: Sequence[Detector] | None = None,
    progress: Progress = lambda done, total: None,
    begins: Callable[[int, list[str]], None] = lambda number, names: None,
    so_far: Callable[[Result], None] = lambda result: None,
    foreseen: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> Result:
    """Judge one model.

    What cannot be judged gives an `inconclusive` result with the reason, never `clean`.

    Args:
        model: path of an ONNX file, or a request that says it all.
        samples: path of clean images, see `load_samples`; None: judge on drawn pictures, which finds less.
        detectors: what judges the classes, instead of the methods that the request names.
        progress: called with (gradients computed, gradients in total).
        begins: called with (number from 1, names of all) when one of the detectors begins.
        so_far: called with what is known after each stage, not yet a verdict.
        foreseen: called before the work with what it will not be able to judge.
        options: with a path, fields of `ScanRequest`.

    Raises:
        UsageError: a path does not exist, or an option does not fit the model or the images.

    >>> result = scan("models/digits/clean_torch.onnx", "models/digits/samples", evidence=False, skip=["every-class"])
    >>> result.verdict, result.targets
    ('clean', [])
    """
    request = asked(model, samples, **options)
    selected(request.ignore)  # refused before the work, not after it
    looking = _looking(request, detectors)
    record = Record(request, said_of_images(request), names_for(request))
    so_far(record.result())
    try:
        open_file(record)
        load_images(record)
        so_far(record.result())
        if trusted(record, case := case_of(record, progress)):
            so_far(record.result())
            record.references = open_references(record, case)
            case = replace(case, references=tuple(one.case for one in record.references))
            if (few := too_few(len(case.classes))) and "one-target" not in request.skip:
                searched = "a trigger is searched for each class, but " if request.evidence else ""
                foreseen(f"{few}; {searched}the model will not be called clean")
            _examine(record, case, looking, begins, so_far)
    except FindingError as error:
        record.findings.append(error.finding)
    except InconclusiveError as error:
        record.findings.append(Finding(error.rule, str(error)))
    return record.result()


def _examine(
    record: Record,
    case: Case,
    detectors: Sequence[Detector],
    begins: Callable[[int, list[str]], None],
    so_far: Callable[[Result], None],
) -> None:
    """Let every detector look that a question is for; they see what those before them found."""
    if not record.request.evidence:
        record.findings.append(Finding("SC005", _NO_EVIDENCE))
    for number, detector in enumerate(detectors, 1):
        begins(number, [one.name for one in detectors])
        _LOG.info("%s: begins", detector.name)
        found = examined(detector, case)
        outcome = found.gap or ("" if found.p_value is None else f"smallest p {found.p_value:.2g}")
        _LOG.info("%s: %s, %.1f s", detector.name, outcome or f"{len(found.triggers)} triggers", found.seconds)
        case.earlier.append(found)
        record.examined.append(found)
        record.settings.append(detector.settings)
        so_far(record.result())
    record.ended = True
    examinations = record.examinations
    searched = [trigger.label for one in examinations for trigger in one.triggers]
    if pictured := outstanding(examinations, searched):
        record.attention = look(case, pictured)


def _looking(request: ScanRequest, detectors: Sequence[Detector] | None) -> list[Detector]:
    """The detectors that were asked for and those of evidence, without those that only answer skipped questions."""
    if detectors is not None and not all(isinstance(one, Detector) for one in detectors):
        raise UsageError("detectors holds what is none; give objects such as Activated(), and names as methods")
    evidence = (Evidence(request.alpha), SourceSpecific(request.alpha)) if request.evidence else ()
    beside = (Reference(),) if request.reference else ()
    looking = (*(chosen(request) if detectors is None else detectors), *evidence, *beside)
    return [one for one in looking if not (one.answers and one.answers <= frozenset(request.skip))]
