"""Class names as people write them, and which of the model's classes they mean."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

_WORDNET = re.compile(r"(?<![a-z0-9])n[0-9]{8}(?![0-9])")
_LEADING = re.compile(r"([0-9]{1,9})[\s._:)-]+(?=\S)")


def spelling(name: str) -> str:
    """A name without what people write in different ways: case, spaces, underscores, hyphens, leading zeros.

    >>> spelling("Traffic_Light"), spelling("traffic-light "), spelling("007")
    ('traffic light', 'traffic light', '7')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    plain = " ".join(re.sub(r"[\s_-]+", " ", folded).split())
    return str(int(plain)) if re.fullmatch("[0-9]{1,9}", plain) else plain


def leading_number(name: str) -> int | None:
    """The number that a name begins with, as in `03_stop` and `003.stop`.

    >>> leading_number("003.stop"), leading_number("stop 3")
    (3, None)
    """
    found = _LEADING.match(name)
    return int(found[1]) if found else None


class ClassNames:
    """The names of a model's classes, to look others up in.

    >>> names = ClassNames(["n01440764 tench, Tinca tinca", "n02012849 crane", "n03126707 crane"])
    >>> [names.number(label) for label in ("Tench", "tinca_tinca", "n03126707", "03_tench", "crane", "goldfish")]
    [0, 0, 2, 0, None, None]
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._whole: dict[str, set[int]] = defaultdict(set)
        self._parts: dict[str, set[int]] = defaultdict(set)
        for number, name in enumerate(names):
            for key in _whole(name):
                self._whole[key].add(number)
            for key in _parts(name):
                self._parts[key].add(number)

    def number(self, label: str) -> int | None:
        """The class that a label means; None: no class, or more than one."""
        for key in (*_whole(label), *_parts(label)):
            if found := self._whole.get(key) or self._parts.get(key):
                return next(iter(found)) if len(found) == 1 else None
        return None


def _whole(name: str) -> Iterator[str]:
    """The ways to write all of a name: as it is, its number in WordNet, without that, without a leading number."""
    plain = spelling(name)
    if not plain:
        return
    yield plain
    if found := _WORDNET.search(plain):
        yield found[0]
    if (rest := _rest(plain)) != plain and rest:
        yield rest


def _parts(name: str) -> Iterator[str]:
    """The synonyms of ImageNet's lists, such as `tench, Tinca tinca`."""
    rest = _rest(spelling(name))
    if "," in rest:
        yield from filter(None, (part.strip() for part in rest.split(",")))


def _rest(plain: str) -> str:
    return _LEADING.sub("", _WORDNET.sub("", plain).strip(" .,:()"), count=1)
