"""Models that the user trusts: opened as the model is, and put beside it class by class and image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.open import names_for, said_of_images
from ninspect.audit.ready import case_of, load_images, open_file, trusted
from ninspect.audit.record import Record
from ninspect.detect import Case
from ninspect.errors import InconclusiveError, ModelError, UsageError
from ninspect.requests import ScanRequest
from ninspect.runtime.renumbered import Renumbered
from ninspect.samples import read_class_map
from ninspect.samples.naming import ClassNames, spelling

BY_NUMBER, BY_NAME, BY_MAP = "by number", "by name", "by the class map"


@dataclass(frozen=True, eq=False)
class Reference:
    """A model that the user trusts.

    Attributes:
        record: what is known of it.
        case: the same images, for a network with its classes in the order of the model.
        matched: how its classes were found in the model: by number, by name, or by the class map.
        answers: `[N]`, the class that the model gives each image.
    """

    record: Record
    case: Case
    matched: str
    answers: NDArray[np.int64]


def open_references(record: Record, case: Case) -> list[Reference]:
    """The references of a request.

    Args:
        record: of the model, opened and with its images.
        case: of the model.

    Raises:
        UsageError: a reference cannot be used, is the model itself, or has other classes.
    """
    found = list[Reference]()
    for number in range(len(record.request.reference)):
        request = record.request.of_reference(number)
        found.append(_opened(request, record, case, [one.record for one in found]))
    return found


def _opened(request: ScanRequest, model: Record, case: Case, others: Sequence[Record]) -> Reference:
    path = request.model
    record = Record(request, said_of_images(request), names_for(request))
    try:
        open_file(record)
        assert record.file is not None
        assert record.network is not None
        _refuse_same(path, record, model, others)
        order, matched = class_order(path, record, model)
        record.network = Renumbered(record.network, order)
        record.class_names = model.class_names
        load_images(record)
        own = case_of(record, case.progress)
        if not trusted(record, own):
            raise InconclusiveError("; ".join(finding.message for finding in record.findings[-1:]))
    except (ModelError, InconclusiveError) as error:
        raise UsageError(f"the reference {path} cannot be used: {error}") from error
    if record.samples is None or model.samples is None or record.samples.names != model.samples.names:
        raise UsageError(f"the reference {path} cannot be shown the same images: some of them cannot be read")
    return Reference(record, replace(own, classes=case.classes), matched, case.answers)


def _refuse_same(path: Path, record: Record, model: Record, others: Sequence[Record]) -> None:
    """Refuse a file that is the model, or was given already: the comparison would say nothing, and seem to."""
    assert record.file is not None
    same = {one.file.sha256: one.request.model for one in (*others, model) if one.file is not None}
    if record.file.sha256 in same:
        twin = same[record.file.sha256]
        raise UsageError(f"the reference {path} has the same content as {twin}; give another model with these classes")


def class_order(path: Path, record: Record, model: Record) -> tuple[NDArray[np.int64], str]:
    """The reference's own number of each class of the model, `[K]`, and how that was found.

    A class map says which number a name has in the model; else names are matched as those of samples are; where one of
    the two models has no names, or they are numbers, the numbers are the same.

    Raises:
        UsageError: there are more or fewer classes, or a name is none of the model's.
    """
    assert record.network is not None
    assert model.network is not None
    count, wanted = record.network.classes, model.network.classes
    if count != wanted:
        raise UsageError(
            f"the reference {path} has {count} classes and the model {wanted}; give one with the same ones"
        )
    own, names, numbers = record.fitting_names, model.fitting_names, _class_map(model.request)
    told = [name for number, name in enumerate(own) if spelling(name) != str(number)]
    if numbers and told and all(spelling(name) in numbers for name in own):
        return _inverse(path, [numbers[spelling(name)] for name in own], own), BY_MAP
    if not told or not any(spelling(name) != str(number) for number, name in enumerate(names)):
        return np.arange(count), BY_NUMBER
    known = ClassNames(names)
    found = [known.number(name) for name in own]
    unknown = [name for name, number in zip(own, found, strict=True) if number is None]
    if unknown:
        raise UsageError(
            f"{len(unknown)} of {count} classes of the reference {path} are none of the model's, such as "
            f"'{unknown[0][:60]}'; say which number each has in the model with --class-map"
        )
    return _inverse(path, [number for number in found if number is not None], own), BY_NAME


def _class_map(request: ScanRequest) -> Mapping[str, int]:
    given = request.class_map
    numbers = read_class_map(given) if isinstance(given, Path) else given or {}
    return {spelling(name): number for name, number in numbers.items()}


def _inverse(path: Path, numbers: Sequence[int], names: Sequence[str]) -> NDArray[np.int64]:
    """From the model's number of each class of the reference to the reference's of each of the model."""
    order = np.argsort(numbers)
    for place, own in enumerate(order.tolist()):
        if numbers[own] != place:
            raise UsageError(
                f"class {place} of the model is not one class of the reference {path} (see {names[own][:60]}); "
                "correct the --class-map"
            )
    return order
