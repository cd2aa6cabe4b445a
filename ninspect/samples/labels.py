"""From what data sets call classes to the numbers that the model gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ninspect.errors import UsageError
from ninspect.files import parse_json, read_text
from ninspect.names import WITH_BACKGROUND
from ninspect.samples.naming import ClassNames, leading_number, spelling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ClassMap = Mapping[str, int]
_NUMBER = re.compile("[0-9]{1,9}")
_WHOLE = re.compile(r"([0-9]{1,9})(\.0*)?")  # pandas writes whole numbers as floats where some are missing
_AT_END = re.compile(r"(?<![0-9.])([0-9]{1,9})$")
_NUMERIC = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|inf|nan)", re.IGNORECASE)
_SEPARATOR = r"[\s,;:=]+(?=[^\s,;:=]+$)"  # the last on a line
_WANTED = 'a JSON object such as {"stop": 14}, or a text file with a name and a number on each line'


@dataclass(frozen=True, eq=False)
class Labels:
    """What a data set says of the classes of its images.

    Attributes:
        index: `[N]`, of each image's class in `names`.
        names: of the classes, sorted, as they are written: `stop`, `7`.
        numbers: that the data set itself gives them, in the same order; None: they have names only.
    """

    index: NDArray[np.intp]
    names: Sequence[str]
    numbers: Sequence[int] | None = None

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> Labels:
        """One text for each image."""
        import numpy as np

        names = sorted(set(texts))
        position = {name: index for index, name in enumerate(names)}
        return cls(np.array([position[text] for text in texts], np.intp), names)

    @classmethod
    def of_numbers(cls, numbers: NDArray[np.integer]) -> Labels:
        """One number for each image, `[N]`, none negative."""
        import numpy as np

        different, index = np.unique(numbers, return_inverse=True)
        return cls(index.reshape(-1), [str(number) for number in different], different.tolist())


@dataclass(frozen=True)
class Numbering:
    """The numbers of a data set's classes in the model.

    Attributes:
        numbers: one for each of `Labels.names`; None: the labels say nothing.
        note: what was assumed for it, for people; empty where nothing was.
    """

    numbers: Sequence[int] | None
    note: str = ""


def read_class_map(path: Path) -> ClassMap:
    """Which name stands for which class: a JSON object, or lines of a name and a number.

    Raises:
        UsageError: the file cannot be read, or a line is something else.
    """
    text = read_text(path, _WANTED)
    if text.lstrip().startswith("{"):
        pairs = [(str(name), str(number)) for name, number in parse_json(text, path).items()]
    else:
        lines = [re.split(_SEPARATOR, line.strip()) for line in text.splitlines() if line.strip()]
        pairs = [(line[0], line[-1]) for line in lines]
    for name, number in pairs:
        if not _NUMBER.fullmatch(number):
            raise UsageError(f"{path}: '{number[:60]}' for '{name[:60]}' is not the number of a class; give {_WANTED}")
    if not pairs:
        raise UsageError(f"{path} names no classes; give {_WANTED}")
    return {name: int(number) for name, number in pairs}


def number_classes(
    labels: Labels,
    where: Path,
    class_map: ClassMap | None = None,
    class_names: Sequence[str] = (),
    classes: int | None = None,
) -> Numbering:
    """The numbers that the model gives to a data set's classes. The first of these that applies decides:

    1. the class map;
    2. names, where the model has all of them;
    3. numbers: those of the data set, or names that are numbers or begin with different ones; 1 to K are 0 to K − 1;
    4. the sorted order of the names.

    Args:
        labels: of the images.
        where: they come from, for messages.
        class_map: numbers by name.
        class_names: of the model.
        classes: of the model, K; None: not known.

    Raises:
        UsageError: a name is not in the map, only some of them are names of the model, or there are more than K.

    >>> number_classes(Labels.of_texts(["stop", "Give_Way"]), Path("signs"), class_names=["Stop", "give way"]).numbers
    [1, 0]
    """
    if not labels.names:
        return Numbering(None)
    if class_map is not None:
        return Numbering(_mapped(labels, where, class_map))
    own = _own_numbers(labels, where, classes)
    if labels.numbers is None or not all(map(_WHOLE.fullmatch, labels.names)):
        matched = _matched(labels, where, class_names, refuse=own is None)
        if matched is not None:
            usual = list(range(len(matched))) if own is None else own
            return Numbering(matched, "" if matched == usual else "labels were matched with the model's class names")
    if own is not None:
        return _from_zero(own, classes)
    if len(labels.names) == 1:
        return Numbering(
            None, f"the only label, '{labels.names[0][:60]}', is no class of the model, so it was not used"
        )
    if classes is not None and len(labels.names) > classes:
        raise UsageError(
            f"{where} has {len(labels.names)} classes ({_some(labels.names)}), but the model has {classes}; "
            "remove the others, or give a --class-map"
        )
    found = _from_zero(list(range(len(labels.names))), classes)
    assumed = f"labels are numbered in sorted order: '{labels.names[0][:60]}' is class {(found.numbers or [0])[0]}"
    return Numbering(found.numbers, "; ".join(filter(None, [assumed, found.note])))


def _mapped(labels: Labels, where: Path, class_map: ClassMap) -> list[int]:
    """By the name as it is written, or as it is spelled."""
    spelled = {spelling(name): number for name, number in class_map.items()} | dict(class_map)
    own: Sequence[int | None] = labels.numbers or [None] * len(labels.names)
    found = [
        next((spelled[key] for key in (name, spelling(name), str(number)) if key in spelled), None)
        for name, number in zip(labels.names, own, strict=True)
    ]
    if None in found:
        name = labels.names[found.index(None)]
        raise UsageError(f"label '{name[:60]}' in {where} is not in the class map; add it")
    return [number for number in found if number is not None]


def _own_numbers(labels: Labels, where: Path, classes: int | None) -> list[int] | None:
    """The numbers that the data set gives its classes, in names that are numbers or begin with them."""
    if labels.numbers is not None:
        return list(labels.numbers)
    whole = [_WHOLE.fullmatch(name) for name in labels.names]
    if all(whole):
        return [int(found[1]) for found in whole if found]
    numeric = [name for name in labels.names if _NUMERIC.fullmatch(name)]
    if not all(labels.names) or len(numeric) == len(labels.names):
        wrong = next(name for name, found in zip(labels.names, whole, strict=True) if not found)
        raise UsageError(f"label '{wrong[:60]}' in {where} is not a class number; correct it")
    leading = [number for name in labels.names if (number := leading_number(name)) is not None]
    if len(set(leading)) == len(labels.names) and (classes is None or max(leading) <= classes):
        return leading
    # `class1`, `class2`, …, `class10`: all of the numbers, or these numbers are of something else.
    last = [int(found[1]) for name in labels.names if (found := _AT_END.search(name))]
    whole_range = {min(last, default=0) + place for place in range(len(labels.names))}
    return last if {*last} == whole_range and len(last) > 1 and min(last) in (0, 1) else None


def _matched(labels: Labels, where: Path, class_names: Sequence[str], refuse: bool) -> list[int] | None:
    """By the names of the model; None: it has not all of them."""
    known = ClassNames(class_names)
    found = [known.number(name) for name in labels.names]
    numbers = [number for number in found if number is not None]
    if len(numbers) == len(found):
        return numbers
    if refuse and numbers:
        unknown = [name for name, number in zip(labels.names, found, strict=True) if number is None]
        raise UsageError(
            f"{len(unknown)} of {len(found)} labels in {where} are no class of the model, or of several "
            f"({_some(unknown)}), though others are; its classes are {_some(class_names)}. "
            "Rename or remove them, or give a --class-map"
        )
    return None


def _from_zero(numbers: list[int], classes: int | None) -> Numbering:
    """Numbers that cannot be the model's as they are, but would be with one more or one less."""
    if classes is not None and min(numbers) >= 1 and max(numbers) == classes:
        return Numbering(
            [number - 1 for number in numbers], f"labels start at 1, so label {classes} is class {classes - 1}"
        )
    if classes == WITH_BACKGROUND and min(numbers) == 0 and max(numbers) < classes - 1:
        note = f"the model has {classes} classes, of which the first is the background, so label 0 is class 1"
        return Numbering([number + 1 for number in numbers], note)
    return Numbering(numbers)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:6])
    return f"{shown}, …" if len(names) > 6 else shown
