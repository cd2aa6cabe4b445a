"""A repair from end to end: a model, a scan of it and images go in, a repaired file and its proof come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir

from ninspect.audit.open import names_for, said_of_images
from ninspect.audit.ready import case_of, load_images, open_file, trusted
from ninspect.audit.record import Record
from ninspect.audit.selftest import check_same
from ninspect.errors import InconclusiveError, UsageError
from ninspect.remedy.candidates import UNCHANGED, Candidate, best, candidates
from ninspect.remedy.free import FreeNetwork
from ninspect.remedy.goals import goals_of
from ninspect.remedy.proof import drop, measure
from ninspect.remedy.sites import with_limits
from ninspect.remedy.threats import Examples, Threat, threats_of
from ninspect.remedy.unlearn import Unlearning
from ninspect.report import Result
from ninspect.report.formats import load_result
from ninspect.report.repair import CandidateInfo, Proof, TriggerTried
from ninspect.requests import RepairRequest
from ninspect.runtime import Network, own_model, save_model
from ninspect.search.patch import Patch

FEWEST = 40  # images; of fewer, no share of a part of them says anything
_FIT, _CHOICE = 0.5, 0.2  # shares of the images; on the others the repair is measured
METADATA = "ninspect.repair"


def repair(
    request: RepairRequest,
    write: Callable[[bytes], object],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Proof:
    """Repair a model, and measure what that did.

    Args:
        request: what is asked.
        write: gets the pieces of the repaired file; none where the repair is refused.
        progress: called with (gradients computed, gradients in total, as far as that is known).

    Raises:
        UsageError: the result is of another model, or there are too few images.
        InconclusiveError: nothing is suspected, or the model cannot be held back.
    """
    result, settings = load_result(request.result), Unlearning()
    record = _opened(request, result)
    network = record.network
    assert network is not None
    goals = goals_of(result, request.scan.classes)
    if not goals:
        raise InconclusiveError(
            f"the scan of {result.model.path} suspects no class, so there is nothing to repair; name the targets with "
            "--classes if you know better"
        )
    fit, choice, held_out = _split(record, network)
    count = _Counter(settings, len(goals), progress)
    free = FreeNetwork(network)
    threats = threats_of(network, fit, goals, settings.images, request.scan.seed, count)
    found = list(candidates(free, fit, choice, threats, settings, request.scan.seed, count))
    taken = best(found, request.max_drop)
    proof = _proof(free, taken, found, [fit, choice, held_out], threats, request.max_drop)
    if not proof.refusal:
        write(_file(free, taken, proof, held_out))
    return proof


def _opened(request: RepairRequest, result: Result) -> Record:
    """The model and the images, as a scan takes them."""
    scan = replace(request.scan, images=request.images, classes=None)
    record = Record(scan, said_of_images(scan), names_for(scan))
    open_file(record)
    assert record.file is not None
    if result.model.sha256 != record.file.sha256:
        raise UsageError(f"{request.result} is the result of another model than {scan.model}; scan this one first")
    load_images(record)
    if not trusted(record, case_of(record, lambda done, total: None)):
        raise InconclusiveError(record.findings[-1].message)
    return record


def _split(record: Record, network: Network) -> list[Examples]:
    """Images to repair with, to choose by, and to measure on, of each class about the same share."""
    samples = record.samples
    assert samples is not None
    if len(samples) < FEWEST:
        raise UsageError(f"{samples.source} has {len(samples)} images; a repair needs at least {FEWEST}, best 1000")
    pixels = samples.unit_pixels
    every = Examples(pixels, network.logits(pixels).argmax(axis=1), samples.labels)
    order = np.random.default_rng(record.request.seed).permutation(len(samples))
    parts = np.split(order, [int(len(order) * _FIT), int(len(order) * (_FIT + _CHOICE))])
    return [every[np.sort(part)] for part in parts]


class _Counter:
    """Takes numbers of new gradients, and tells how far that is."""

    def __init__(self, settings: Unlearning, goals: int, progress: Callable[[int, int], None]) -> None:
        rounds = len(settings.weights)
        # A search takes about as many steps as it may; then the steps of every round.
        searches = rounds * goals * settings.images * 80
        self._total = searches + rounds * settings.steps * 2 * settings.batch
        self._done, self._progress = 0, progress

    def __call__(self, gradients: int) -> None:
        self._done = min(self._done + gradients, self._total)
        self._progress(self._done, self._total)


def _proof(
    free: FreeNetwork,
    taken: Candidate,
    found: list[Candidate],
    parts: list[Examples],
    threats: list[Threat],
    max_drop: float,
) -> Proof:
    """Everything that is said of a repair, on images that nothing was made with."""
    fit, choice, held_out = parts
    patches = [threat for threat in threats if isinstance(threat.change, Patch)]
    before = measure(free.network, held_out, patches)
    after = measure(free.held(taken.limits), held_out, patches)
    recovered = {id(patch) for threat in patches for patch in threat.goal.patches}
    tried = [
        TriggerTried(
            goal=threat.goal.name,
            found="by the scan" if id(threat.change) in recovered else "by the repair",
            before=then,
            after=now,
        )
        for threat, then, now in zip(patches, before.success, after.success, strict=True)
    ]
    classifier, limits = free.network.classifier, taken.limits
    return Proof(
        method=taken.name,
        scaled=int((limits.scales < 1).sum()),
        pruned=int((limits.scales == 0).sum()),
        channels=len(limits.scales),
        fit=len(fit.answers),
        choice=len(choice.answers),
        held_out=len(held_out.answers),
        accuracy_before=before.accuracy,
        accuracy_after=after.accuracy,
        agreement=after.agreement,
        drop=drop(before, after),
        max_drop=max_drop,
        triggers=tried,
        candidates=[
            CandidateInfo(name=one.name, drop=one.drop, success=one.measured.mean_success, chosen=one is taken)
            for one in found
            if one.name != UNCHANGED
        ],
        opset_before=classifier.opset,
        opset_after=classifier.model.opset_imports[""],
    )


def _file(free: FreeNetwork, taken: Candidate, proof: Proof, held_out: Examples) -> bytes:
    """The repaired model as a file, which says what was done to it, and answers in ONNX Runtime as was measured."""
    classifier = free.network.classifier
    model: ir.Model = own_model(classifier, with_limits(classifier.model, free.places, taken.limits))
    model.metadata_props[METADATA] = json.dumps(_told(proof))
    pieces: list[bytes] = []
    save_model(model, classifier, pieces.append)
    check_same(content := b"".join(pieces), free.held(taken.limits), held_out.pixels)
    return content


def _told(proof: Proof) -> dict[str, Any]:
    """What the metadata of the file say."""
    before, after = proof.success
    return {
        "method": proof.method,
        "channels scaled": proof.scaled,
        "trigger success": [round(before, 4), round(after, 4)],
        "drop": round(proof.drop, 4),
    }
