"""From the names that data sets give classes to the numbers that the model gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ninspect.errors import UsageError
from ninspect.files import parse_json, read_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ClassMap = Mapping[str, int]
_NUMBER = re.compile("[0-9]{1,9}")
_SEPARATOR = r"[\s,;:=]+(?=[^\s,;:=]+$)"  # the last on a line
_WANTED = 'a JSON object such as {"stop": 14}, or a text file with a name and a number on each line'


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


def label_numbers(
    where: Path, labels: Sequence[str], class_map: ClassMap | None, described: Sequence[str]
) -> NDArray[np.int64]:
    """`[N]` class numbers.

    Args:
        where: the labels come from, for messages.
        labels: N names or numbers, as written.
        class_map: what the names stand for; without it, they must be numbers.
        described: N descriptions of what each label belongs to, for messages.

    Raises:
        UsageError: a label is not in the map, or is not a number; the first is named.
    """
    import numpy as np

    numbers = {label: _number(label, class_map) for label in set(labels)}
    for label, what in zip(labels, described, strict=True):
        if numbers[label] is None:
            how = "is not in the class map; add it" if class_map else "is not a class number; give a --class-map"
            raise UsageError(f"label '{label[:60]}' of {what} in {where} {how}")
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def _number(label: str, class_map: ClassMap | None) -> int | None:
    if class_map is not None:
        return class_map.get(label)
    return int(label) if _NUMBER.fullmatch(label) else None
