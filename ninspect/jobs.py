"""What is done with a request: each gives an answer that JSON can hold, so that a process of its own can do it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ninspect.audit import stages as audit
from ninspect.audit.explain import explain_image
from ninspect.audit.open import ScanOptions, classifier_of
from ninspect.detect import MMBD, Activated, AllToAll, Detector, FreeEagle, NeuralCleanse, NeuronInspect, Weights
from ninspect.isolation import Listener
from ninspect.machine import installation, spare_memory
from ninspect.model import Classifier, describe, read_model
from ninspect.model import class_names as names_of_classes
from ninspect.names import Method
from ninspect.preprocess import Preprocess, specified
from ninspect.report.picture import save_overlay
from ninspect.requests import (
    AugmentRequest,
    DoctorRequest,
    ExplainRequest,
    InfoRequest,
    PreprocessOptions,
    Request,
    ScanRequest,
)
from ninspect.runtime import gradient_model, save_model
from ninspect.samples import read_class_map

Facts = dict[str, Any]


def run(request: Request, events: Listener) -> Facts:
    """Answer a request.

    Args:
        request: what is asked.
        events: gets progress, the result so far, what the logger `ninspect` is told, and the file that is made.

    Returns:
        What JSON can hold. Of a scan, a `Result`; of an explanation, `value`, `predicted` and `preprocess`; of an
        augmented model, `inputs`, `outputs` and `gradient`; else a description.

    Raises:
        NinspectError: there is no answer.
    """
    match request:
        case ScanRequest():
            return _scan(request, events)
        case ExplainRequest():
            return _explain(request, events)
        case AugmentRequest():
            return _augment(request, events)
        case InfoRequest():
            classifier = _classifier(request)
            return describe(classifier) | {"gradient": classifier.gradient_kind or "none"}
        case DoctorRequest():
            return dict(installation())
    raise TypeError(f"nobody answers {request!r}")


def _scan(request: ScanRequest, events: Listener) -> Facts:
    with _logging_to(events):
        result = audit.scan(
            request.model,
            request.samples,
            _scan_options(request),
            lambda done, total: events.tell("progress", [done, total]),
            lambda partial: events.tell("partial", partial.model_dump(by_alias=True)),
        )
    return result.model_dump(by_alias=True)


def _scan_options(request: ScanRequest) -> ScanOptions:
    settings, source = _preprocess(request.model, request.preprocess)
    names, numbers = request.class_names, request.class_map
    return ScanOptions(
        preprocess=settings,
        preprocess_source=source,
        output=request.output,
        classes=request.classes,
        detectors=detectors(request),
        images=request.images,
        seed=request.seed,
        alpha=request.alpha,
        evidence=request.evidence,
        source_specific="one-source" not in request.skip,
        device=request.device,
        memory=spare_memory() if request.memory is None else request.memory,
        class_names=names if isinstance(names, tuple) else names_of_classes(request.model, names),
        class_map=read_class_map(numbers) if isinstance(numbers, Path) else numbers,
    )


class _Teller(logging.Handler):
    """Tells a listener what is logged."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one line."""
        self._listener.tell("log", self.format(record))


@contextmanager
def _logging_to(listener: Listener) -> Iterator[None]:
    logger, teller = logging.getLogger("ninspect"), _Teller(listener)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(teller)
    try:
        yield
    finally:
        logger.removeHandler(teller)
        logger.setLevel(level)


def _explain(request: ExplainRequest, events: Listener) -> Facts:
    settings, source = _preprocess(request.model, request.preprocess)
    asked = ScanOptions(
        preprocess=settings,
        preprocess_source=source,
        output=request.output,
        device=request.device,
        memory=spare_memory() if request.memory is None else request.memory,
    )
    explanation = explain_image(request.model, request.image, request.label, asked, request.objective)
    picture = io.BytesIO()
    save_overlay(picture, explanation.image, explanation.heatmap)
    events.write(picture.getvalue())
    source = explanation.preprocess_source
    return {"value": explanation.value, "predicted": explanation.predicted, "preprocess": source}


def _augment(request: AugmentRequest, events: Listener) -> Facts:
    classifier = _classifier(request)
    augmented = gradient_model(classifier, request.objective)
    facts = {
        "inputs": [value.name for value in augmented.graph.inputs],
        "outputs": [value.name for value in augmented.graph.outputs],
        "gradient": classifier.gradient_kind,
    }
    save_model(augmented, events.write)
    return facts


def _classifier(request: AugmentRequest | InfoRequest) -> Classifier:
    said = specified(request.model, layout=request.layout, size=request.size)
    return classifier_of(read_model(request.model), ScanOptions(preprocess=said.preprocess, output=request.output))


def _preprocess(model: Path, given: PreprocessOptions) -> tuple[Preprocess, str]:
    """The settings and where they come from; see `specified`."""
    flags = vars(given).copy()
    said = specified(model, flags.pop("file"), flags.pop("preset"), **flags)
    return said.preprocess, said.source


def detectors(request: ScanRequest) -> list[Detector]:
    """The chosen detectors with their settings."""
    sparse, smooth, persistent = request.weights or (1, 1, 1)
    makers: dict[Method, Callable[[], Detector]] = {
        "activated": lambda: Activated(threshold=request.threshold),
        "all-to-all": AllToAll,
        "neuroninspect": lambda: NeuronInspect((sparse, smooth, persistent), request.threshold, request.chained),
        "mmbd": MMBD,
        "weights": Weights,
        "neural_cleanse": NeuralCleanse,
        "freeeagle": FreeEagle,
    }
    return [makers[method]() for method in dict.fromkeys(request.methods)]
