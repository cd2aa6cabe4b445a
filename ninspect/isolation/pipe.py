"""Who asked for work, and wants to know how it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PIECE = 1024**2  # bytes of a file in one message


def _ignore(*news: object) -> None:
    pass


@dataclass(frozen=True)
class Listener:
    """What to do with news of the work.

    Attributes:
        tell: called with the kind of the news and its value. `missing`: why layers of the lock are missing, by layer;
            `progress`: [done, total]; `partial`: a result as far as it is known; `log`: a line.
        write: called with the next piece of the file that the work makes.
        wanted: asked now and then whether the work shall go on.
    """

    tell: Callable[[str, Any], None] = _ignore
    write: Callable[[bytes], object] = _ignore
    wanted: Callable[[], bool] = lambda: True
