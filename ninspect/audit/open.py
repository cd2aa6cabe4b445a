"""How to scan, and the way from a file to a network that can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.detect import Activated, AllToAll, Detector
from ninspect.errors import UsageError
from ninspect.machine import spare_memory
from ninspect.model import Classifier, ModelFile, names_in_metadata, read_model, refuse_operators, understand
from ninspect.preprocess import InputMap, Preprocess, Resolved, from_model
from ninspect.runtime import Device, Network, check_memory


@dataclass(frozen=True)
class ScanOptions:
    """How to scan.

    Attributes:
        preprocess: how images become model inputs, as far as it is known; the model's metadata and, where images have
            labels, trying `PRESETS` on them tell what range of values it expects if no scale, mean or std is set.
        preprocess_source: where that comes from, for the report.
        output: name of the class-score output, where the model has several.
        classes: classes to judge; None: all.
        detectors: what judges them, each on its own; p-values are corrected for their number.
        images: use at most this many clean images, evenly over their classes.
        seed: of every random choice.
        alpha: largest probability of suspecting a clean model.
        evidence: search triggers for the classes that stand out most.
        source_specific: search triggers that work on images of one class alone, too, and call no model clean where that
            cannot be done; only with `evidence` and images.
        device: where to run.
        memory: bytes; a model that would take more is not run.
        class_names: by number, for the report; empty: those of the model's metadata, if there are as many as classes.
        class_map: numbers of classes by the names of their folders, or by their labels in a table; None: see
            `load_samples`.
    """

    preprocess: Preprocess = field(default_factory=Preprocess)
    preprocess_source: str = ""
    output: str | None = None
    classes: Sequence[int] | None = None
    detectors: Sequence[Detector] = field(default_factory=lambda: (Activated(), AllToAll()))
    images: int = 200
    seed: int = 0
    alpha: float = 0.01
    evidence: bool = True
    source_specific: bool = True
    device: Device = "auto"
    memory: int = field(default_factory=spare_memory)
    class_names: Sequence[str] = ()
    class_map: Mapping[str, int] | None = None


def open_network(model: Path, options: ScanOptions) -> Network:
    """The classifier in a file, ready to be asked.

    Raises:
        UsageError: the file does not exist, or an option does not fit it.
        ModelError: it is not a classifier that can be analysed.
    """
    return open_as_told(model, options)[0]


def open_as_told(model: Path, options: ScanOptions) -> tuple[Network, ScanOptions]:
    """The network, and the options with what the file says."""
    classifier = classifier_of(read_model(model), options)
    options = settled(classifier, options)
    return connect(classifier, options), options


def classifier_of(file: ModelFile, options: ScanOptions) -> Classifier:
    """The classifier in a file that was read.

    Raises:
        ModelError: it is not a classifier that can be analysed, or holds an operator that is not known.
    """
    settings, proto = options.preprocess, file.parse()
    refuse_operators(proto)
    return understand(file, proto, output=options.output, layout=settings.layout, size=settings.size)


def connect(classifier: Classifier, options: ScanOptions) -> Network:
    """The network behind a classifier, with the preprocessing that the options say."""
    check_memory(classifier, options.images, options.memory)
    settings = options.preprocess
    whole_numbers = classifier.dtype.kind == "u"
    input_map = InputMap.of(settings, classifier.layout, np.float32 if whole_numbers else classifier.dtype)
    if whole_numbers and (np.any(input_map.gain != 255) or np.any(input_map.offset != 0)):
        raise UsageError("the model takes pixels from 0 to 255 as they are; give --preset uint8")
    return Network(classifier, input_map, options.device)


def settled(classifier: Classifier, options: ScanOptions) -> ScanOptions:
    """The options with what the file says of its preprocessing and its classes."""
    said = Resolved(options.preprocess, options.preprocess_source)
    known = from_model(said, classifier.metadata, classifier.dtype.kind == "u")
    names = names_in_metadata(classifier.metadata)
    shown = options.class_names or (names if len(names) == classifier.classes else ())
    return replace(options, preprocess=known.preprocess, preprocess_source=known.source, class_names=shown)


def chosen_classes(classes: Sequence[int] | None, count: int) -> NDArray[np.int64]:
    """The classes that were asked for, sorted, `[S]`; all where none were.

    Raises:
        UsageError: the model has no such class.
    """
    if classes is None:
        return np.arange(count)
    outside = [c for c in classes if not 0 <= c < count]
    if outside:
        raise UsageError(f"class {outside[0]} is out of range; the model has the classes 0 to {count - 1}")
    return np.unique(np.asarray(classes, np.int64))
