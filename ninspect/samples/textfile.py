"""Small text files from strangers: read with a bound, and parsed to plain data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ninspect.errors import UsageError
from ninspect.samples.dataset import reason

MAX_BYTES = 16 * 2**20


def read_text(path: Path, what: str, limit: int = MAX_BYTES) -> str:
    """The text of a file.

    Args:
        path: the file.
        what: it should be, with an article, for the message.
        limit: most bytes that it may have.

    Raises:
        UsageError: it is not a regular file, too large, or not UTF-8.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give {what}")
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{path} cannot be read ({why}); give {what}") from error
    if len(content) > limit:
        raise UsageError(f"{path} is larger than {limit >> 20} MiB; give {what}")
    return text


def parse_json(text: str, path: Path) -> Any:
    """What a JSON text says.

    Raises:
        UsageError: it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON ({reason(error)}); correct it") from error
