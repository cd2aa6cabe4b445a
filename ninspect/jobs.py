"""What the commands do with a model: JSON in, JSON out, so that each can be done in a process of its own."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ninspect.audit import stages as audit
from ninspect.audit.explain import explain_image
from ninspect.audit.open import ScanOptions
from ninspect.detect import MMBD, Activated, AllToAll, Detector, FreeEagle, NeuralCleanse, NeuronInspect, Weights
from ninspect.errors import UsageError
from ninspect.gradient import Objective
from ninspect.isolation import Listener
from ninspect.machine import installation
from ninspect.model import Classifier, describe, load_classifier
from ninspect.model import class_names as names_of_classes
from ninspect.preprocess import Preprocess, specified
from ninspect.report.picture import save_overlay
from ninspect.runtime import gradient_model, save_model
from ninspect.samples import read_class_map

Facts = dict[str, Any]


def scan(
    listener: Listener,
    *,
    model: str,
    samples: str | None,
    preprocess: Facts,
    class_names: str | None,
    class_map: str | None,
    methods: Sequence[str],
    weights: Sequence[float] | None,
    threshold: float,
    chained: bool,
    verbose: bool,
    **options: Any,
) -> Facts:
    """Judge a model; answers with a `Result`.

    The listener gets progress, the result so far, and if `verbose` what the logger `ninspect` is told; `options` are
    further fields of `ScanOptions`.
    """
    settings, source = preprocessing(model, **preprocess)
    asked = ScanOptions(
        preprocess=settings,
        preprocess_source=source,
        class_names=names_of_classes(Path(model), Path(class_names) if class_names else None),
        class_map=None if class_map is None else read_class_map(Path(class_map)),
        detectors=detectors(methods, weights, threshold, chained),
        **options,
    )
    with _logging_to(listener) if verbose else nullcontext():
        result = audit.scan(
            Path(model),
            None if samples is None else Path(samples),
            asked,
            lambda done, total: listener.tell("progress", [done, total]),
            lambda partial: listener.tell("partial", partial.model_dump(by_alias=True)),
        )
    return result.model_dump(by_alias=True)


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
    logger, teller, disabled = logging.getLogger("ninspect"), _Teller(listener), logging.root.manager.disable
    logging.disable(logging.NOTSET)
    logger.setLevel(logging.INFO)
    logger.addHandler(teller)
    try:
        yield
    finally:
        logger.removeHandler(teller)
        logger.setLevel(logging.NOTSET)
        logging.disable(disabled)


def explain(
    listener: Listener,
    *,
    model: str,
    image: str,
    label: int,
    objective: Objective,
    preprocess: Facts,
    **options: Any,
) -> Facts:
    """Explain one class at one image; the file is a PNG, the answer has `value`, `predicted` and `preprocess`."""
    settings, source = preprocessing(model, **preprocess)
    asked = ScanOptions(preprocess=settings, preprocess_source=source, **options)
    explanation = explain_image(Path(model), Path(image), label, asked, objective)
    picture = io.BytesIO()
    save_overlay(picture, explanation.image, explanation.heatmap)
    listener.write(picture.getvalue())
    source = explanation.preprocess_source
    return {"value": explanation.value, "predicted": explanation.predicted, "preprocess": source}


def augment(listener: Listener, *, model: str, preprocess: Facts, output: str | None, objective: Objective) -> Facts:
    """Make the model with its gradient; the file is ONNX, the answer has `inputs`, `outputs` and `gradient`."""
    classifier = _classifier(model, preprocess, output)
    augmented = gradient_model(classifier, objective)
    facts = {
        "inputs": [value.name for value in augmented.graph.inputs],
        "outputs": [value.name for value in augmented.graph.outputs],
        "gradient": classifier.gradient_kind,
    }
    save_model(augmented, listener.write)
    return facts


def info(listener: Listener, *, model: str, preprocess: Facts, output: str | None) -> Facts:
    """What is understood of a model."""
    classifier = _classifier(model, preprocess, output)
    return describe(classifier) | {"gradient": classifier.gradient_kind or "none"}


def doctor(listener: Listener) -> Facts:
    """What this installation has; see `installation`."""
    return dict(installation())


JOBS: dict[str, Callable[..., Facts]] = {
    "scan": scan,
    "explain": explain,
    "augment": augment,
    "info": info,
    "doctor": doctor,
}


def _classifier(model: str, preprocess: Facts, output: str | None) -> Classifier:
    settings, _ = preprocessing(model, **preprocess)
    return load_classifier(Path(model), output=output, layout=settings.layout, size=settings.size)


def preprocessing(model: str, *, file: str | None, preset: str | None, flags: Facts) -> tuple[Preprocess, str]:
    """The settings and where they come from; see `specified`."""
    said = specified(Path(model), Path(file) if file else None, preset, **flags)
    return said.preprocess, said.source


def detectors(
    methods: Sequence[str], weights: Sequence[float] | None, threshold: float, chained: bool
) -> list[Detector]:
    """The chosen detectors with their settings; settings of another one are refused, not ignored."""
    if "neuroninspect" not in methods and (weights is not None or chained):
        raise UsageError("--weights and --chained belong to --method neuroninspect; add it or leave them out")
    if not {"activated", "neuroninspect"} & set(methods) and threshold != Activated().threshold:
        raise UsageError(f"--threshold does not belong to --method {methods[0]}; leave it out")
    sparse, smooth, persistent = weights or (1, 1, 1)
    makers: dict[str, Callable[[], Detector]] = {
        "activated": lambda: Activated(threshold=threshold),
        "all-to-all": AllToAll,
        "neuroninspect": lambda: NeuronInspect((sparse, smooth, persistent), threshold, chained),
        "mmbd": MMBD,
        "weights": Weights,
        "neural_cleanse": NeuralCleanse,
        "freeeagle": FreeEagle,
    }
    return [makers[method]() for method in dict.fromkeys(methods)]
