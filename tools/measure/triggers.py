"""Triggers as the cards of other people's models describe them, so that their success can be measured again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]  # [N, H, W, C] in [0, 1]
_PIXELS = re.compile(r"^pixels(?:\(row,col\)=| )(\[[()\d, ]+\]) := ([\d.]+)")
_PATCH = re.compile(r"(?:rows/cols (\d+):(\d+)|rows (\d+):(\d+) cols (\d+):(\d+))(?: := ([\d.]+))?")


def stamping(card: dict[str, Any]) -> Callable[[Images], Images] | None:
    """What puts a card's trigger on images; None where the card does not say it in numbers.

    >>> stamped = stamping({"trigger": "patch rows 25:28 cols 25:28 := 255"})
    >>> stamped(np.zeros((1, 28, 28, 1), np.float32)).sum()
    np.float32(9.0)
    """
    text = str(card.get("trigger") or "")
    if found := _PIXELS.match(text):
        pairs = [tuple(map(int, pair.split(","))) for pair in re.findall(r"\((\d+, ?\d+)\)", found[1])]
        places = tuple(np.array(places) for places in zip(*pairs, strict=True))
        return _painting(places, float(found[2]))
    if found := _PATCH.search(text):
        top, bottom, above, below, left, right, value = found.groups()
        rows, columns = slice(int(top or above), int(bottom or below)), slice(int(top or left), int(bottom or right))
        return _painting((rows, columns), float(value or 255))
    return None


def _painting(where: tuple[Any, ...], value: float) -> Callable[[Images], Images]:
    def paint(images: Images) -> Images:
        painted = images.copy()
        painted[:, where[0], where[1]] = value / 255
        return painted

    return paint


def wanted(card: dict[str, Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that a card's trigger shall send the images of each class to, `[N]`."""
    target = card["target"]
    if target == "+1":
        return (labels + 1) % int(card["classes"])
    return np.full_like(labels, target[0] if isinstance(target, list) else target)
