"""What is done with a request: each gives an answer that JSON can hold, so that a process of its own can do it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ninspect.audit.explain import explain_image
from ninspect.audit.open import classifier_of, connect, open_settled, said_of_images
from ninspect.audit.selftest import check_augmented
from ninspect.audit.stages import scan
from ninspect.carriers import look_through
from ninspect.errors import ModelError
from ninspect.isolation import Listener
from ninspect.machine import installation
from ninspect.model import describe, read_model
from ninspect.preprocess import settle
from ninspect.remedy.run import repair
from ninspect.report.picture import save_overlay
from ninspect.requests import (
    AugmentRequest,
    DoctorRequest,
    ExplainRequest,
    InfoRequest,
    RepairRequest,
    Request,
    ScanRequest,
    ScreenRequest,
)
from ninspect.runtime import augmented_model, save_model

Facts = dict[str, Any]


def run(request: Request, events: Listener) -> Facts:
    """Answer a request.

    Args:
        request: what is asked.
        events: gets progress, the result so far, what the logger `ninspect` is told, and the file that is made.

    Returns:
        What JSON can hold. Of a scan, a `Result`; of a repair, a `Proof`; of an explanation, `value`, `predicted`,
        `image` and `preprocess`; of an augmented model, `inputs`, `outputs`, `gradient` and `remarks`; of
        pictures that were screened, a `HeadInfo`; else a description.

    Raises:
        NinspectError: there is no answer.
    """
    match request:
        case ScanRequest():
            return _scan(request, events)
        case RepairRequest():
            return _repair(request, events)
        case ExplainRequest():
            return _explain(request, events)
        case AugmentRequest():
            return _augment(request, events)
        case InfoRequest():
            return _info(request)
        case ScreenRequest():
            return _screen(request, events)
        case DoctorRequest():
            return dict(installation())
    raise TypeError(f"nobody answers {request!r}")


def _scan(request: ScanRequest, events: Listener) -> Facts:
    with _logging_to(events):
        result = scan(
            request,
            progress=lambda done, total: events.tell("progress", [done, total]),
            begins=lambda number, names: events.tell("step", [number, names]),
            so_far=lambda partial: events.tell("partial", partial.facts()),
            foreseen=lambda line: events.tell("foreseen", line),
        )
    return result.facts()


def _repair(request: RepairRequest, events: Listener) -> Facts:
    events.tell("step", [1, ["repair"]])
    with _logging_to(events):
        proof = repair(request, events.write, lambda done, total: events.tell("progress", [done, total]))
    return proof.model_dump(mode="json")


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
    explanation = explain_image(request)
    picture = io.BytesIO()
    save_overlay(picture, explanation.image, explanation.heatmap)
    events.write(picture.getvalue())
    return {
        "value": explanation.value,
        "predicted": explanation.predicted,
        "image": explanation.name,
        "preprocess": explanation.preprocess_source,
    }


def _augment(request: AugmentRequest, events: Listener) -> Facts:
    network, _ = open_settled(request)
    augmented = augmented_model(network, request.objective)
    added = [str(value.name) for value in augmented.graph.outputs]
    facts = {
        "inputs": [value.name for value in augmented.graph.inputs],
        "outputs": list(dict.fromkeys([*(value.name for value in network.classifier.outputs.declared), *added])),
        "gradient": network.gradient_kind,
        "remarks": list(network.remarks),
    }
    pieces: list[bytes] = []
    save_model(augmented, network.classifier, pieces.append)
    check_augmented(content := b"".join(pieces), network)
    events.write(content)
    return facts


def _screen(request: ScreenRequest, events: Listener) -> Facts:
    events.tell("step", [1, ["screen"]])
    head = look_through(
        request,
        progress=lambda done, total: events.tell("progress", [done, total]),
        so_far=lambda chunk: events.tell("partial", chunk.model_dump(mode="json")),
    )
    return head.model_dump(mode="json")


def _info(request: InfoRequest) -> Facts:
    """What was understood of a model, and what came of trying it."""
    said = said_of_images(request)
    classifier = classifier_of(read_model(request.model), request, said)
    known = settle(said, classifier.metadata, classifier.dtype, lambda settings: None)
    facts = describe(classifier)
    try:
        network = connect(classifier, request, known)
    except ModelError as error:
        return facts | {"gradient": f"none: {error}", "remarks": list(classifier.remarks)}
    batch = "any" if network.batch is None else str(network.batch)
    return facts | {"batch": batch, "gradient": network.gradient_kind, "remarks": list(network.remarks)}
