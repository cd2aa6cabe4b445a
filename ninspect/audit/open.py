"""The way from a request to a network that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.selftest import try_out
from ninspect.errors import UsageError
from ninspect.machine import spare_memory
from ninspect.model import (
    Classifier,
    ModelFile,
    Said,
    class_names,
    names_in_metadata,
    read_model,
    refuse_operators,
    understand,
)
from ninspect.option import feeds
from ninspect.preprocess import InputMap, Resolved, settle, specified
from ninspect.requests import AugmentRequest, ExplainRequest, InfoRequest, ScanRequest
from ninspect.requests.named import scan_request
from ninspect.runtime import Network, check_memory

OpenRequest = ScanRequest | ExplainRequest | AugmentRequest | InfoRequest


def asked(model: Path | str | ScanRequest, samples: Path | str | None = None, **options: Any) -> ScanRequest:
    """A request, as it is or made of a path and of fields of `ScanRequest`.

    Raises:
        UsageError: a value is wrong, or an option is unknown or stands beside a request.
    """
    if isinstance(model, ScanRequest):
        if samples is not None or options:
            raise UsageError("a request says it all; give samples and options within it, or give a path with them")
        return model.checked()
    return scan_request(model, samples, options)


def open_network(model: Path | str | ScanRequest, **options: Any) -> Network:
    """The classifier in a file, ready to be asked.

    Args:
        model: path of an ONNX file, or a request.
        options: fields of `ScanRequest`, with a path: `preprocess`, `output`, `device`, `memory`.

    Raises:
        UsageError: the file does not exist, or an option does not fit it.
        ModelError: it is not a classifier that can be analysed.

    >>> network = open_network("models/digits/clean_torch.onnx")
    >>> network.classes
    10
    """
    return open_settled(asked(model, **options))[0]


def open_settled(request: OpenRequest) -> tuple[Network, Resolved]:
    """The network, and its preprocessing as far as no images are needed to tell."""
    said = said_of_images(request)
    classifier = classifier_of(read_model(request.model), request, said)
    known = settle(said, classifier.metadata, classifier.dtype, lambda settings: None)
    images = request.images if isinstance(request, ScanRequest) else 1
    return connect(classifier, request, known, images), known


def said_of_images(request: OpenRequest) -> Resolved:
    """What the request and the files beside the model say of the preprocessing."""
    if isinstance(request, ScanRequest | ExplainRequest):
        flags = vars(request.preprocess).copy()
        feed = feeds(flags.pop("feed")) or None
        return specified(request.model, flags.pop("file"), flags.pop("preset"), feed=feed, **flags)
    flags = {"layout": request.layout, "color": request.color, "size": request.size}
    return specified(request.model, feed=feeds(request.feed) or None, **flags)


def classifier_of(file: ModelFile, request: OpenRequest, said: Resolved) -> Classifier:
    """The classifier in a file that was read.

    Raises:
        ModelError: it is not a classifier that can be analysed, or holds an operator that is not known.
    """
    settings, proto = said.preprocess, file.parse()
    refuse_operators(proto)
    inputs = Said(settings.layout, settings.size, settings.color, settings.feed or {})
    return understand(file, proto, request.output, inputs)


def connect(classifier: Classifier, request: OpenRequest, known: Resolved, images: int = 1) -> Network:
    """The network behind a classifier, once it and its gradient have been built, loaded and run.

    Args:
        classifier: what was understood of the file.
        request: says where to run, and with how much memory.
        known: the preprocessing, as far as it is known.
        images: how many are read.

    Raises:
        UsageError: the preprocessing is not what the model takes, or the device cannot be used.
        ModelError: the model would take too much memory, or cannot be differentiated or run.
    """
    check_memory(classifier, images, spare_memory() if request.memory is None else request.memory)
    floats = np.float32 if classifier.takes_whole_numbers else classifier.dtype
    input_map = InputMap.of(known.preprocess, classifier.layout, floats)
    _refuse_fractions(classifier, input_map)
    network = Network(classifier, input_map, getattr(request, "device", "cpu"))
    try_out(network)
    return network


def _refuse_fractions(classifier: Classifier, input_map: InputMap) -> None:
    """Refuse settings that make no whole numbers of pixels, for a model that takes nothing else."""
    if not classifier.takes_whole_numbers:
        return
    limits, ends = np.iinfo(classifier.dtype), (input_map.offset, input_map.offset + input_map.gain)
    inside = np.min(ends) >= limits.min and np.max(ends) <= limits.max
    if not inside or np.any(input_map.gain % 255) or np.any(input_map.offset % 1):
        wanted = "--scale 1 --mean 128" if classifier.dtype == np.int8 else "--preset uint8"
        raise UsageError(f"the model takes whole numbers ({classifier.dtype}); give {wanted} or no range of values")


def names_for(request: ScanRequest, classifier: Classifier | None = None) -> tuple[str, ...]:
    """The names of the classes: those that are given, else those beside the model, else those that it has itself."""
    given = request.class_names
    if isinstance(given, tuple):
        return given
    found = class_names(request.model, given)
    if found or classifier is None:
        return found
    own = classifier.names or names_in_metadata(classifier.metadata)
    return own if len(own) == classifier.classes else ()


def chosen_classes(classes: Sequence[int] | None, count: int) -> NDArray[np.int64]:
    """The classes that were asked for, sorted, `[S]`; all where none were.

    Raises:
        UsageError: the model has no such class, or none was asked for.
    """
    if classes is None:
        return np.arange(count)
    if not len(classes):
        raise UsageError("no class was chosen to be judged; name one, or leave the choice out to judge all")
    outside = [c for c in classes if not 0 <= c < count]
    if outside:
        raise UsageError(f"class {outside[0]} is out of range; the model has the classes 0 to {count - 1}")
    return np.unique(np.asarray(classes, np.int64))
