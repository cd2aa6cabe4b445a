"""From a request to a case that detectors can look at: the file, the network, the images, the tests of the scan."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np

from ninspect.audit.images import check_answers, check_images, clean_accuracy
from ninspect.audit.infer import infer_preset
from ninspect.audit.labels import doubt_labels
from ninspect.audit.open import chosen_classes, classifier_of, connect, names_for
from ninspect.audit.record import Record
from ninspect.audit.selftest import DIFFERENT, TruthTest, check_gradient, check_scores
from ninspect.detect import Case, Progress
from ninspect.findings import Finding
from ninspect.model import hidden_decisions, read_model, with_background
from ninspect.preprocess import Preprocess, Resolved, from_model, settle
from ninspect.runtime import Network, Pixels
from ninspect.samples import load_samples, read_class_map

_LOG = logging.getLogger(__name__)
_TEST_IMAGES = 4
# Of networks whose last operator saturates: those that were seen lose 18 % (Erf) or more; others lose none.
_SATURATED_IMAGES, _MOST_LOST = 16, 0.1
_STRAIGHT_THROUGH = (
    "the network rounds its numbers, which has no derivative, so gradients are straight-through estimates and can miss "
    "a backdoor; scan the model from before quantisation if there is one"
)
_NO_IMAGES = (
    "no images were given, so classes were judged on drawn pictures: that finds fewer backdoors, and nothing tells "
    "whether the preprocessing is right"
)
_UNSURE = (
    "the model is unsure of most of the images (half get a probability below {:.0%}), as of images that it does not "
    "know or gets in another form, and there are no labels to tell; a small trigger alone then accuses no class"
)
_HIDDEN = "the scores are made by {}, behind which no logits were found; export the model without it"


def open_file(record: Record) -> None:
    """From the file to a network, with everything that the file itself gives away."""
    request = record.request
    record.file = read_model(request.model)
    record.findings += record.file.findings
    classifier = classifier_of(record.file, request, record.known)
    record.findings += hidden_decisions(classifier)
    record.file_checked = True
    record.known = from_model(record.known, classifier.metadata, classifier.dtype)
    record.network = network = connect(classifier, request, record.known, request.images)
    record.findings += [Finding("MD006", remark) for remark in network.remarks]
    record.explained = chosen_classes(request.classes, network.classes)
    record.class_names = with_background(record.class_names or names_for(request, classifier), network.classes)
    if record.class_names and len(record.class_names) != network.classes:
        given = f"{len(record.class_names)} class names were given for {network.classes} classes"
        record.findings.append(Finding("MD005", f"{given}, so classes are shown by number"))


def load_images(record: Record) -> None:
    """Read the images, and find out from their labels what range of values the model expects, where nobody said so."""
    request, network = record.request, record.network
    assert network is not None
    if request.samples is None:
        record.findings.append(Finding("IM001", _NO_IMAGES))
    else:
        numbers = request.class_map
        record.samples = load_samples(
            request.samples,
            image_shape=network.input_map.image_shape,
            preprocess=record.known.preprocess,
            limit=request.images,
            seed=request.seed,
            class_map=read_class_map(numbers) if isinstance(numbers, Path) else numbers,
            class_names=record.fitting_names,
            classes=network.classes,
        )
    classifier = network.classifier
    record.known = known = settle(record.known, classifier.metadata, classifier.dtype, partial(_try_presets, record))
    record.network = network.with_preprocess(known.preprocess)
    if known.doubt and record.samples is not None:
        record.findings.append(Finding("PP001" if record.samples.labels is None else "PP002", known.doubt))


def _try_presets(record: Record, settings: Preprocess) -> Resolved | None:
    assert record.network is not None
    if record.samples is None or record.samples.labels is None:
        return None
    return infer_preset(record.network, record.samples, settings)


def case_of(record: Record, progress: Progress) -> Case:
    """What detectors look at, of a model that was opened and its images."""
    assert record.network is not None
    samples = record.samples
    return Case(
        record.network,
        None if samples is None else samples.unit_pixels,
        record.explained,
        record.request.seed,
        progress,
        labelled=samples is not None and samples.labels is not None,
        assumed=bool(record.known.doubt) and (samples is None or samples.labels is None),
    )


def trusted(record: Record, case: Case) -> bool:
    """Whether the scan passes its tests of itself, and the images make sense to the model."""
    network = case.network
    pixels = _whole_numbers(case.noise(_TEST_IMAGES)) if case.pixels is None else case.pixels
    record.truth = [check_scores(network, pixels), check_gradient(network, pixels, case.seed)]
    _LOG.info("self-test: %s", ", ".join(f"{test.name} {test.error:.1e}" for test in record.truth))
    failed = [_failure(test, network.classifier.ending) for test in record.truth if not test.passed]
    if not failed and (cut := _cut_off(network, pixels)):
        failed = [cut]
    record.findings += failed
    if failed:
        return False
    if record.samples is not None:
        record.findings += check_images(record.samples)
        record.accuracy = clean_accuracy(record.samples, case.logits)
        if doubt := doubt_labels(record.samples, case.logits):
            record.findings.append(doubt.finding)
            record.class_map = doubt.class_map
        check_answers(record.samples, case.logits)
        if case.unsure:
            record.findings.append(Finding("IM012", _UNSURE.format(case.confidence)))
    if network.gradient_kind == "straight-through":
        record.findings.append(Finding("MD004", _STRAIGHT_THROUGH))
    if len(case.classes) < network.classes:
        some = f"only {len(case.classes)} of {network.classes} classes were examined"
        record.findings.append(Finding("SC004", some))
    return True


def _cut_off(network: Network, pixels: Pixels) -> Finding | None:
    """That an operator at the end lets too few gradients through, such as a Clip that is narrower than the scores."""
    ending = network.classifier.ending
    if not ending:
        return None
    gradients = network.jacobian(pixels[:_SATURATED_IMAGES], np.arange(network.classes))
    lost = 1 - gradients.any(axis=(2, 3, 4)).mean()
    if lost < _MOST_LOST:
        return None
    zero = "zero everywhere" if lost == 1 else f"zero for {lost:.0%} of the scores"
    return Finding("SC002", f"the gradient is {zero}; {_HIDDEN.format(ending)}")


def _failure(test: TruthTest, ending: str) -> Finding:
    rule, what = {
        "scores": ("SC001", DIFFERENT),
        "gradient": ("SC002", "the gradient is not the derivative of the logits"),
    }[test.name]
    error = f"relative error {test.error:.2g}, allowed {test.tolerance:g}"
    advice = "please report this model's operators"
    if test.name == "gradient" and ending:
        advice = _HIDDEN.format(ending)
    return Finding(rule, f"{what} ({error}); {advice}")


def _whole_numbers(pixels: Pixels) -> Pixels:
    """The nearest images that can be written as bytes: some files take nothing else."""
    return np.rint(pixels * 255).astype(np.float32) / np.float32(255)
